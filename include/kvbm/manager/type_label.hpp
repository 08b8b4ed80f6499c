#pragma once

#include <cstddef>
#include <string_view>

namespace kvbm {

namespace type_label_text {

template <class T>
constexpr auto signature() noexcept {
  return __PRETTY_FUNCTION__;
}

/// Cuts "ns::Outer<A>::Name<B>" down to "Name". Brackets hide what is inside them.
constexpr std::string_view base_name(std::string_view type) noexcept {
  std::size_t begin = 0;
  std::size_t end = type.size();
  int depth = 0;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    if (c == '<' && depth == 0) end = i;
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
    if (depth == 0 && c == ':') {
      begin = i + 1;
      end = type.size();
    }
  }
  return type.substr(begin, end - begin);
}

}  // namespace type_label_text

/// The name of T without scope and template arguments: G1 for kvbm::G1, vector for std::vector<int>.
template <class T>
[[nodiscard]] constexpr std::string_view type_label() noexcept {
  // gcc ends the signature with "[with T = type]", clang with "[T = type]"
  constexpr std::string_view kText = type_label_text::signature<T>();
  constexpr std::size_t kBegin = kText.find("T = ") + 4;
  return type_label_text::base_name(kText.substr(kBegin, kText.size() - kBegin - 1));
}

}  // namespace kvbm
