#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kvbm::bench {

/// What a ratio should be.
struct PagesGoal {
  enum class Kind : std::uint8_t { None, AtLeast, AtMost };
  Kind kind = Kind::None;
  double bound = 0;

  [[nodiscard]] static constexpr PagesGoal at_least(double bound) noexcept { return {Kind::AtLeast, bound}; }
  [[nodiscard]] static constexpr PagesGoal at_most(double bound) noexcept { return {Kind::AtMost, bound}; }
  /// ">= 0.95", "<= 1.05", "-".
  [[nodiscard]] std::string text() const;
  /// Absent without a goal.
  [[nodiscard]] std::optional<bool> met_by(double ratio) const noexcept;
};

/// One measurement, beside what it is compared with.
struct PagesRow {
  std::string id{};  ///< of the case
  std::string name;
  double value = 0;
  std::string unit;
  std::string reference;
  double ratio = 1;  ///< of the value to the reference's; what the goal is about
  std::string goal = "-";
  std::optional<bool> met{};
  double spread = 0;              ///< from the 10th to the 90th percentile, as a part of the median
  std::uint64_t wrong_pages = 0;  ///< that did not hold what they had to
};

/// A case that came to no end: what it threw, or how its process ended.
struct PagesFailure {
  std::string id;
  std::string reason;
};

/// All that a run of some cases says.
struct PagesReport {
  std::string device{};  ///< its name
  bool emulated = false;
  std::vector<PagesRow> rows{};
  std::vector<PagesFailure> failures{};

  /// Appends what another report has; its device counts if this one has none.
  void append(PagesReport other);
  [[nodiscard]] bool all_bytes_right() const noexcept;
  /// The device, a row for each measurement, and what failed.
  [[nodiscard]] std::string table() const;
  /// An object a line, for each row and each failure.
  [[nodiscard]] std::string json() const;
};

/// One line of it, without its end.
[[nodiscard]] std::string json_of(const PagesReport& report, const PagesRow& row);
/// Errors  std::runtime_error for anything that json() does not write.
[[nodiscard]] PagesReport parse_pages_report(const std::string& json);

}  // namespace kvbm::bench
