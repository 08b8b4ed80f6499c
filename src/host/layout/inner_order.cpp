#include "kvbm/layout/inner_order.hpp"

#include <array>
#include <cstddef>

namespace kvbm {
namespace {

/// Words with something between them, put together when it is compiled.
struct Text {
  std::array<char, 48> letters{};
  std::size_t length = 0;

  constexpr void append(std::string_view more) noexcept {
    for (const char letter : more) letters[length++] = letter;
  }
  [[nodiscard]] constexpr std::string_view view() const noexcept { return {letters.data(), length}; }
};

using Texts = std::array<Text, kInnerOrders>;

constexpr std::string_view dimension_of(Axis axis) noexcept {
  if (axis == Axis::Layer) return "layers";
  if (axis == Axis::Outer) return "outer";
  return axis == Axis::Head ? "heads" : "tokens";
}

constexpr std::string_view word_of(Axis axis) noexcept {
  if (axis == Axis::Layer) return "layer";
  if (axis == Axis::Outer) return "outer";
  return axis == Axis::Head ? "head" : "token";
}

constexpr Texts kNames = [] {
  constexpr std::array<std::string_view, 5> kNamed{"unknown", "nhd", "hnd", "universal-tp", "universal-pp"};
  Texts names;
  for (std::size_t i = 0; i < kInnerOrders; ++i) {
    if (i < kNamed.size()) {
      names[i].append(kNamed[i]);
      continue;
    }
    names[i].append("custom");
    for (std::size_t axis = 0; axis < 4; ++axis) {
      names[i].append(axis == 0 ? ":" : "-");
      names[i].append(word_of(kOrderAxes[i][axis]));
    }
  }
  return names;
}();

constexpr Texts kShapes = [] {
  Texts shapes;
  shapes[0].append("[]");
  for (std::size_t i = 1; i < kInnerOrders; ++i) {
    shapes[i].append("[");
    for (const Axis axis : kOrderAxes[i]) {
      shapes[i].append(dimension_of(axis));
      shapes[i].append(", ");
    }
    shapes[i].append("head_dim]");
  }
  return shapes;
}();

}  // namespace

std::string_view to_text(InnerOrder order) noexcept { return kNames[static_cast<std::size_t>(order)].view(); }

std::string_view shape_text(InnerOrder order) noexcept { return kShapes[static_cast<std::size_t>(order)].view(); }

std::optional<InnerOrder> parse_inner_order(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i].view() == text) return static_cast<InnerOrder>(i);
  }
  return std::nullopt;
}

std::string no_transform_text(InnerOrder source, InnerOrder target, std::uint32_t element_bytes) {
  return "no kernel moves elements of " + std::to_string(element_bytes) + " bytes from order " +
         std::string(to_text(source)) + " to order " + std::string(to_text(target));
}

}  // namespace kvbm
