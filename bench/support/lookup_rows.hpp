#pragma once

#include <functional>
#include <optional>
#include <string>

namespace kvbm::bench {

/// What a ratio shall be.
struct LookupGoal {
  enum class Kind { AtLeast, AtMost } kind;
  double bound;

  [[nodiscard]] bool met_by(double ratio) const noexcept {
    return kind == Kind::AtLeast ? ratio >= bound : ratio <= bound;
  }
};
[[nodiscard]] inline LookupGoal at_least(double bound) noexcept { return {LookupGoal::Kind::AtLeast, bound}; }
[[nodiscard]] inline LookupGoal at_most(double bound) noexcept { return {LookupGoal::Kind::AtMost, bound}; }

/// One measurement, and what it is to be compared with.
struct LookupRow {
  std::string id;  // of the goal: L1 to L7; "-" for others
  std::string name;
  double value;
  std::string unit;
  std::string reference = "-";
  double ratio = 0;  // to the reference; 0: none
  std::optional<LookupGoal> goal{};
  double spread = 0;
};

/// Prints rows as they come, so that a run that ends early has told what it knew.
class LookupRows {
 public:
  /// `judged`: times mean something, so that a goal is met or not.
  LookupRows(std::function<void(const std::string&)> print, bool judged) : print_(std::move(print)), judged_(judged) {}

  /// A line of text, and the titles again.
  void begin(const std::string& text);
  void add(const LookupRow& row);

 private:
  std::function<void(const std::string&)> print_;
  bool judged_;
};

}  // namespace kvbm::bench
