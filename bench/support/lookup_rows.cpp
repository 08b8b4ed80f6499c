#include "bench/support/lookup_rows.hpp"

#include <fmt/format.h>

namespace kvbm::bench {
namespace {

constexpr const char* kShape = "{:<3} {:<40} {:>10} {:<9} {:<44} {:>7} {:>8} {:>4} {:>7}\n";

}  // namespace

void LookupRows::begin(const std::string& text) {
  const std::string titles =
      fmt::format(kShape, "id", "name", "value", "unit", "reference", "ratio", "goal", "met", "spread");
  print_("\n" + text + "\n\n" + titles + std::string(titles.size() - 1, '-') + "\n");
}

void LookupRows::add(const LookupRow& row) {
  std::string goal = "-", met = "-";
  if (row.goal) {
    goal = fmt::format("{} {:.2f}", row.goal->kind == LookupGoal::Kind::AtLeast ? ">=" : "<=", row.goal->bound);
    if (judged_) met = row.goal->met_by(row.ratio) ? "yes" : "NO";
  }
  print_(fmt::format(kShape, row.id, row.name, fmt::format("{:.2f}", row.value), row.unit, row.reference,
                     row.ratio == 0 ? "-" : fmt::format("{:.3f}", row.ratio), goal, met,
                     fmt::format("{:.1f} %", 100 * row.spread)));
}

}  // namespace kvbm::bench
