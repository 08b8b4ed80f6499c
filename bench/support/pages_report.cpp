#include "bench/support/pages_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "bench/support/table.hpp"

namespace kvbm::bench {
namespace {

using nlohmann::json;

std::string number(double value) {
  if (value >= 1000) return fmt::format("{:.0f}", value);
  return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.3f}", value);
}

PagesRow row_of(const json& object) {
  const json& met = object.at("met");
  return {.id = object.at("id"),
          .name = object.at("name"),
          .value = object.at("value"),
          .unit = object.at("unit"),
          .reference = object.at("reference"),
          .ratio = object.at("ratio"),
          .goal = object.at("goal"),
          .met = met.is_null() ? std::nullopt : std::optional<bool>(met.get<bool>()),
          .spread = object.at("spread"),
          .wrong_pages = object.at("wrong_pages")};
}

}  // namespace

std::string PagesGoal::text() const {
  if (kind == Kind::None) return "-";
  return fmt::format("{} {:.2f}", kind == Kind::AtLeast ? ">=" : "<=", bound);
}

std::optional<bool> PagesGoal::met_by(double ratio) const noexcept {
  if (kind == Kind::None) return std::nullopt;
  return kind == Kind::AtLeast ? ratio >= bound : ratio <= bound;
}

void PagesReport::append(PagesReport other) {
  if (device.empty()) {
    device = std::move(other.device);
    emulated = other.emulated;
  }
  std::move(other.rows.begin(), other.rows.end(), std::back_inserter(rows));
  std::move(other.failures.begin(), other.failures.end(), std::back_inserter(failures));
}

bool PagesReport::all_bytes_right() const noexcept {
  return std::all_of(rows.begin(), rows.end(), [](const PagesRow& row) { return row.wrong_pages == 0; });
}

std::string PagesReport::table() const {
  Table table({"case", "what", "value", "unit", "reference", "ratio", "goal", "met", "spread", "bytes"});
  std::string id;
  for (const PagesRow& row : rows) {
    if (row.id != id) table.add_rule();
    id = row.id;
    const char* const met = !row.met ? "-" : *row.met ? "yes" : "no";
    table.add_row({row.id, row.name, number(row.value), row.unit, row.reference, fmt::format("{:.3f}", row.ratio),
                   row.goal, met, fmt::format("{:.1f} %", 100 * row.spread),
                   row.wrong_pages == 0 ? "right" : fmt::format("{} pages WRONG", row.wrong_pages)});
  }
  std::string text = fmt::format("device: {}\n", device.empty() ? "none" : device);
  text += emulated ? "emulated: times say nothing about hardware\n\n"
                   : "times: of the wall, from the first call until the device, polled, has passed an event\n\n";
  text += table.text();
  for (const PagesFailure& failure : failures) text += fmt::format("{} FAILED: {}\n", failure.id, failure.reason);
  return text;
}

std::string PagesReport::json() const {
  std::string lines;
  for (const PagesRow& row : rows) lines += json_of(*this, row) + '\n';
  for (const PagesFailure& failure : failures) {
    lines += nlohmann::json{{"id", failure.id}, {"failed", failure.reason}}.dump() + '\n';
  }
  return lines;
}

std::string json_of(const PagesReport& report, const PagesRow& row) {
  return json{{"device", report.device},
              {"emulated", report.emulated},
              {"id", row.id},
              {"name", row.name},
              {"value", row.value},
              {"unit", row.unit},
              {"reference", row.reference},
              {"ratio", row.ratio},
              {"goal", row.goal},
              {"met", row.met ? json(*row.met) : json()},
              {"spread", row.spread},
              {"wrong_pages", row.wrong_pages}}
      .dump();
}

PagesReport parse_pages_report(const std::string& text) {
  PagesReport report;
  std::istringstream lines(text);
  try {
    for (std::string line; std::getline(lines, line);) {
      const json object = json::parse(line);
      if (object.contains("failed")) {
        report.failures.push_back({object.at("id"), object.at("failed")});
        continue;
      }
      report.device = object.at("device");
      report.emulated = object.at("emulated");
      report.rows.push_back(row_of(object));
    }
  } catch (const json::exception& error) {
    throw std::runtime_error(std::string("no report of cases: ") + error.what());
  }
  return report;
}

}  // namespace kvbm::bench
