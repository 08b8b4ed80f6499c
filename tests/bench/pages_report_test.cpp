#include "bench/support/pages_report.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace kvbm::bench {
namespace {

PagesRow row(const char* id, std::uint64_t wrong_pages) {
  return {.id = id,
          .name = "offload",
          .value = 12.5,
          .unit = "GB/s",
          .reference = "copy of 8 MiB",
          .ratio = 0.875,
          .goal = ">= 0.95",
          .met = false,
          .spread = 0.25,
          .wrong_pages = wrong_pages};
}

TEST(PagesGoal, IsMetAtItsBound) {
  EXPECT_EQ(PagesGoal::at_least(0.95).met_by(0.95), true);
  EXPECT_EQ(PagesGoal::at_least(0.95).met_by(0.94), false);
  EXPECT_EQ(PagesGoal::at_most(1.05).met_by(1.05), true);
  EXPECT_EQ(PagesGoal::at_most(1.05).met_by(1.06), false);
}

TEST(PagesGoal, NoneIsNeitherMetNorMissed) {
  EXPECT_EQ(PagesGoal{}.met_by(0.5), std::nullopt);
  EXPECT_EQ(PagesGoal{}.text(), "-");
}

TEST(PagesGoal, TextNamesTheBound) {
  EXPECT_EQ(PagesGoal::at_least(0.9).text(), ">= 0.90");
  EXPECT_EQ(PagesGoal::at_most(1.05).text(), "<= 1.05");
}

TEST(PagesReport, SurvivesItsJson) {
  const PagesReport report{.device = "emulated",
                           .emulated = true,
                           .rows = {row("C1", 0), row("C2", 3)},
                           .failures = {{"C3", "no end within 20 s"}}};

  const PagesReport parsed = parse_pages_report(report.json());

  EXPECT_EQ(parsed.json(), report.json());
  EXPECT_EQ(parsed.device, "emulated");
  EXPECT_TRUE(parsed.emulated);
  ASSERT_EQ(parsed.rows.size(), 2u);
  EXPECT_EQ(parsed.rows[1].wrong_pages, 3u);
  EXPECT_EQ(parsed.rows[1].met, false);
  ASSERT_EQ(parsed.failures.size(), 1u);
}

TEST(PagesReport, OtherTextIsNoReport) {
  EXPECT_THROW(static_cast<void>(parse_pages_report("hello\n")), std::runtime_error);
  EXPECT_THROW(static_cast<void>(parse_pages_report("{\"id\": \"C1\"}\n")), std::runtime_error);
  EXPECT_THROW(static_cast<void>(parse_pages_report("7\n")), std::runtime_error);
}

TEST(PagesReport, TableMarksWrongPagesAndFailures) {
  const PagesReport report{.device = "a GPU", .rows = {row("C1", 2)}, .failures = {{"C3", "signal 9"}}};

  const std::string table = report.table();

  EXPECT_NE(table.find("device: a GPU\n"), std::string::npos);
  EXPECT_NE(table.find("2 pages WRONG"), std::string::npos);
  EXPECT_NE(table.find("C3 FAILED: signal 9\n"), std::string::npos);
  EXPECT_EQ(table.find("emulated"), std::string::npos);
}

TEST(PagesReport, TableOfAnEmulatedDeviceDisownsItsTimes) {
  const PagesReport report{.device = "emulated", .emulated = true, .rows = {row("C1", 0)}};

  EXPECT_NE(report.table().find("emulated: times say nothing about hardware\n"), std::string::npos);
}

TEST(PagesReport, AppendedRowsAndFailuresJoin) {
  PagesReport all;

  all.append({.device = "a GPU", .rows = {row("C1", 0)}});
  all.append({.failures = {{"C2", "signal 9"}}});

  EXPECT_EQ(all.device, "a GPU");
  EXPECT_EQ(all.rows.size(), 1u);
  EXPECT_EQ(all.failures.size(), 1u);
  EXPECT_TRUE(all.all_bytes_right());
  all.append({.rows = {row("C3", 1)}});
  EXPECT_FALSE(all.all_bytes_right());
}

}  // namespace
}  // namespace kvbm::bench
