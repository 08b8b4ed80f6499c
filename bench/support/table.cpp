#include "bench/support/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "kvbm/base/assert.hpp"

namespace kvbm::bench {
namespace {

constexpr std::size_t kGap = 2;

std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line = fmt::format("{:<{}}", cells.front(), widths.front());
  for (std::size_t i = 1; i < cells.size(); ++i) line += fmt::format("{:>{}}", cells[i], widths[i] + kGap);
  return line + '\n';
}

}  // namespace

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {
  KVBM_ASSERT(!titles_.empty(), "a table has columns");
}

void Table::add_row(std::vector<std::string> cells) {
  KVBM_ASSERT(cells.size() == titles_.size(), "a row has as many cells as the table has titles");
  if (std::exchange(rule_is_due_, false)) rows_.emplace_back();
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const std::string& title : titles_) widths.push_back(title.size());
  for (const std::vector<std::string>& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const std::string rule(std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1)), '-');
  std::string text = line_of(titles_, widths) + rule + '\n';
  for (const std::vector<std::string>& row : rows_) text += row.empty() ? rule + '\n' : line_of(row, widths);
  return text;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t place = digits.size(); place > 3;) digits.insert(place -= 3, 1, ',');
  return digits;
}

}  // namespace kvbm::bench
