#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvbm::bench {

/// Rows of text set in columns as wide as their widest cell: the first column to the left, numbers behind it to the
/// right.
class Table {
 public:
  explicit Table(std::vector<std::string> titles);

  /// Precondition: as many cells as titles.
  void add_row(std::vector<std::string> cells);
  /// A line between the rows so far and those to come; none if nothing follows.
  void add_rule() noexcept { rule_is_due_ = !rows_.empty(); }

  /// Titles, a line, the rows; each line ends with a line break.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::string> titles_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a line
  bool rule_is_due_ = false;
};

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);

}  // namespace kvbm::bench
