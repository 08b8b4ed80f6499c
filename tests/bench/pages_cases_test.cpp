#include "bench/support/pages_cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "kvbm/device/emulated_device.hpp"
#include "tests/support/lossy_device.hpp"

namespace kvbm::bench {
namespace {

const PagesOptions kQuick{.bytes = kMiB, .samples = 1, .warm_ups = 0};

PagesReport run(const char* id, const std::shared_ptr<Device>& device) {
  return run_pages_case(*find_pages_case(id), device, kQuick);
}

class EveryCase : public testing::TestWithParam<std::string_view> {};

TEST_P(EveryCase, MovesRightBytesOnAnEmulatedDevice) {
  const PagesReport report = run_pages_case(*find_pages_case(GetParam()), EmulatedDevice::create(), kQuick);

  EXPECT_TRUE(report.failures.empty()) << report.table();
  EXPECT_TRUE(report.all_bytes_right()) << report.table();
  EXPECT_TRUE(report.emulated);
  ASSERT_FALSE(report.rows.empty());
  for (const PagesRow& row : report.rows) {
    EXPECT_EQ(row.id, GetParam());
    EXPECT_GT(row.value, 0) << row.name;
    EXPECT_GT(row.ratio, 0) << row.name;
    EXPECT_EQ(row.met.has_value(), row.goal != "-") << row.name;
  }
  EXPECT_TRUE(std::any_of(report.rows.begin(), report.rows.end(), [](const PagesRow& row) { return row.goal != "-"; }));
}

#if defined(__SANITIZE_THREAD__)  // under which each byte costs a look: those in which streams and threads meet
const auto kTested = testing::Values("C1", "C3", "C6", "C7", "K1");
#else
const auto kTested = testing::Values("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "K1", "K3");
#endif
INSTANTIATE_TEST_SUITE_P(PagesCases, EveryCase, kTested, [](const auto& id) { return std::string(id.param); });

TEST(PagesCases, AreTheOnesThatTestsKnow) { EXPECT_EQ(pages_cases().size(), 11u); }

TEST(PagesCases, UnknownNamesAreNone) { EXPECT_EQ(find_pages_case("C10"), nullptr); }

TEST(PagesCases, GoalsAreThoseOfTheShapeMeasured) {
  const PagesReport report = run("C1", EmulatedDevice::create());

  std::vector<std::string> goals;
  for (const PagesRow& row : report.rows) {
    if (row.goal != "-") goals.push_back(row.goal);
  }
  EXPECT_EQ(goals, (std::vector<std::string>{">= 0.95", ">= 0.93", ">= 0.90"}));
  EXPECT_EQ(report.rows.size(), 10u);  // and for each shape one that waits; of one, each mechanism
}

TEST(PagesCases, RowsAreToldAsTheyAreMeasured) {
  std::vector<std::string> told;
  PagesOptions options = kQuick;
  options.row_added = [&](const PagesReport& report, const PagesRow& row) {
    EXPECT_EQ(&report.rows.back(), &row);
    told.push_back(row.name);
  };

  const PagesReport report = run_pages_case(*find_pages_case("K3"), EmulatedDevice::create(), options);

  ASSERT_EQ(told.size(), report.rows.size());
  EXPECT_EQ(told.back(), report.rows.back().name);
}

TEST(PagesCases, ALostKernelIsWrongPagesInEachRow) {
  const auto device = std::make_shared<test::LossyDevice>(test::Losses{.kernel = "kvbm.bulk_copy_cells"});

  for (const PagesRow& row : run("C1", device).rows) {
    const bool by_others = row.name.ends_with("for CopyKernel") || row.name.ends_with("for BatchedCopy");
    EXPECT_EQ(row.wrong_pages == 0, by_others) << row.name;
  }
}

TEST(PagesCases, OneLostByteOfACopyIsAWrongPage) {
  const auto device = std::make_shared<test::LossyDevice>(test::Losses{.copy_bytes = kMiB});

  const PagesReport report =
      run_pages_case(*find_pages_case("C4"), device, {.bytes = 4 * kMiB, .samples = 1, .warm_ups = 0});

  for (const PagesRow& row : report.rows) {
    const bool has_such_copies = row.name.find("pages of 1 MiB") != std::string::npos;
    EXPECT_EQ(row.wrong_pages, has_such_copies ? 4u : 0u) << row.name;
  }
}

TEST(PagesCases, ALostPermutationIsWrongBytes) {
  const auto device = std::make_shared<test::LossyDevice>(test::Losses{.kernel = "kvbm.permute_cells"});

  const PagesReport report = run("C5", device);

  EXPECT_EQ(report.rows.size(), 3u);
  for (const PagesRow& row : report.rows) EXPECT_GT(row.wrong_pages, 0u) << row.name;
}

TEST(PagesCases, SumsThatWereNotComputedEqualNothing) {
  const auto device = std::make_shared<test::LossyDevice>(test::Losses{.kernel = "kvbm.checksum_pages"});

  for (const PagesRow& row : run("K3", device).rows) {
    EXPECT_GT(row.wrong_pages, 0u) << row.name;
    EXPECT_EQ(row.met, false) << row.name;
  }
  EXPECT_FALSE(run("C4", device).all_bytes_right());
}

TEST(PagesCases, ADeviceThatRefusesIsAFailureBesideTheRowsBefore) {
  const auto device = EmulatedDevice::create();
  const PagesReport whole = run("K3", device);
  const std::uint64_t launches = device->call_counts().launches;
  device->add_fault({FaultKind::Launch, 2 * launches - 1});

  const PagesReport report = run("K3", device);

  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].id, "K3");
  EXPECT_NE(report.failures[0].reason.find("refused"), std::string::npos) << report.failures[0].reason;
  EXPECT_EQ(report.rows.size() + 1, whole.rows.size());
}

}  // namespace
}  // namespace kvbm::bench
