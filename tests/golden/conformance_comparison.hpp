#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/golden/mismatch.hpp"

namespace kvbm::conformance {

/// Ends the replay of a file: behind the first difference nothing that follows can be compared.
class Difference final : public std::exception {
 public:
  explicit Difference(Mismatch mismatch) noexcept : mismatch_(std::move(mismatch)) {}

  [[nodiscard]] const Mismatch& mismatch() const noexcept { return mismatch_; }
  [[nodiscard]] const char* what() const noexcept override { return "the library differs from the recording"; }

 private:
  Mismatch mismatch_;
};

/// How a value reads in a report.
[[nodiscard]] inline std::string shown(const std::string& value) { return value; }
[[nodiscard]] inline std::string shown(bool value) { return value ? "true" : "false"; }
[[nodiscard]] inline std::string shown(std::int64_t value) { return fmt::to_string(value); }
[[nodiscard]] inline std::string shown(std::uint64_t value) { return fmt::to_string(value); }
[[nodiscard]] inline std::string shown(const std::optional<std::uint64_t>& value) {
  return value ? fmt::to_string(*value) : "null";
}
template <class T>
[[nodiscard]] std::string shown(const std::vector<T>& values) {
  std::string list = "[";
  for (const T& value : values) list.append(list.size() == 1 ? "" : ",").append(shown(value));
  return list.append("]");
}

/// Compares what was recorded with what the library answers, and counts the comparisons.
/// Errors  Difference, from the first call whose values differ.
class Comparison {
 public:
  explicit Comparison(std::size_t& checks) noexcept : checks_(checks) {}

  template <class T>
  void same(std::string_view name, const T& recorded, const T& got) {
    ++checks_;
    if (recorded != got) throw Difference({std::string(name), shown(recorded), shown(got)});
  }

  /// One by one, but for lists of different lengths.
  template <class T>
  void same_list(std::string_view name, const std::vector<T>& recorded, const std::vector<T>& got) {
    if (recorded.size() != got.size()) throw Difference({std::string(name), shown(recorded), shown(got)});
    checks_ += got.size();
    for (std::size_t i = 0; i < got.size(); ++i) {
      const T expected = recorded[i];
      if (expected != got[i]) throw Difference({fmt::format("{}[{}]", name, i), shown(expected), shown(T(got[i]))});
    }
  }

 private:
  std::size_t& checks_;
};

}  // namespace kvbm::conformance
