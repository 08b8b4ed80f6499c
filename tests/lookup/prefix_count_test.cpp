#include "kernels/prefix_count.cuh"

#include <gtest/gtest.h>

#include <random>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/lookup/device_prefix_index.hpp"
#include "src/host/lookup/host_match.hpp"
#include "tests/lookup/count_cases.hpp"

namespace kvbm {
namespace {

using kernels::ExactSlot;
using kernels::FingerprintSlot;

constexpr std::uint64_t kCountSeed = 67;

template <class Case>
class PrefixCountTest : public testing::Test {};
using CountCases =
    testing::Types<test::CountCase<FingerprintSlot, std::uint64_t>, test::CountCase<FingerprintSlot, SequenceHash>,
                   test::CountCase<ExactSlot, SequenceHash>>;
TYPED_TEST_SUITE(PrefixCountTest, CountCases);

template <class Case>
std::vector<std::uint32_t> count_as_kernel(const Case& the_case, std::uint32_t warps) {
  std::vector<std::uint32_t> prefixes(the_case.requests(), ~0u);
  const kernels::PrefixCount<typename Case::Batch> count{the_case.batch(prefixes)};
  kernels::Warp warp;
  for (std::uint32_t index = 0; index < warps; ++index) count(warp, index, warps);
  return prefixes;
}
template <class Case>
std::vector<std::uint32_t> count_as_host(const Case& the_case) {
  std::vector<std::uint32_t> prefixes(the_case.requests(), ~0u);
  count_on_host(the_case.batch(prefixes), 0, the_case.requests(),
                [](const auto& input) { return Case::Slot::key_of(input); });
  return prefixes;
}

TYPED_TEST(PrefixCountTest, PrefixesAreFoundBySearchAndByScan) {
  for (const bool monotone : {true, false}) {
    const TypeParam the_case(monotone);
    EXPECT_EQ(count_as_kernel(the_case, 1), the_case.expected) << monotone;
    EXPECT_EQ(count_as_kernel(the_case, 50), the_case.expected) << monotone;
    EXPECT_EQ(count_as_host(the_case), the_case.expected) << monotone;
  }
}

TYPED_TEST(PrefixCountTest, BehindAHoleAScanSeesNothingWhereASearchWould) {
  TypeParam the_case(false);
  the_case.add(600, 10, 5000, 589);
  EXPECT_EQ(count_as_kernel(the_case, 3), the_case.expected);
  EXPECT_EQ(count_as_host(the_case), the_case.expected);

  the_case.planner.set_monotone(true);
  static_cast<void>(the_case.planner.commit());
  EXPECT_GT(count_as_kernel(the_case, 3).back(), 10u);
  EXPECT_GT(count_as_host(the_case).back(), 10u);
}

TYPED_TEST(PrefixCountTest, ALargerTableKeepsItsWord) {
  TypeParam the_case(true);
  const std::uint64_t units = the_case.planner.view().units;
  for (std::uint64_t number = 100'000; the_case.planner.view().units == units; ++number) {
    the_case.planner.add(TypeParam::Slot::key_of(test::hash(number)), BlockHint(0, 1, 1));
  }
  static_cast<void>(the_case.planner.commit());
  EXPECT_EQ(the_case.planner.view().header()->monotone, 1u);
}

/// Two tiers, the upper of which gives up blocks in any order.
class CountTest : public testing::TestWithParam<bool> {
 protected:
  BlockManager<G1> upper_ =
      test::manager<G1>({.blocks = 300, .tokens_per_block = 4, .eviction = LruEviction{}, .change_log = 4096});
  BlockManager<G2> lower_ = test::manager<G2>({.blocks = 300, .tokens_per_block = 4, .change_log = 4096});
  std::shared_ptr<EmulatedDevice> device_ = EmulatedDevice::create({.delay_seed = 9});
  DevicePrefixIndex index_{device_, {.index = {.exact = GetParam(), .counts = true}, .small_blocks = 64}};

  void SetUp() override {
    index_.add_tier(upper_);
    index_.add_tier(lower_);
  }
  void expect_counts_of_look_up(const std::vector<std::uint32_t>& offsets, const std::vector<SequenceHash>& hashes) {
    PrefixAnswers expected, on_host, on_device;
    index_.host_index().look_up(offsets, hashes, expected);
    index_.host_index().count(offsets, hashes, on_host);
    index_.count(offsets, hashes, on_device);
    ASSERT_EQ(on_host.prefixes, expected.prefixes) << "seed " << kCountSeed;
    ASSERT_EQ(on_device.prefixes, expected.prefixes) << "seed " << kCountSeed;
    ASSERT_EQ(on_device.epoch_before, expected.epoch_before);
    ASSERT_TRUE(on_host.hints.empty() && on_device.hints.empty());
  }
};

INSTANTIATE_TEST_SUITE_P(Slots, CountTest, testing::Bool(),
                         [](const auto& exact) { return exact.param ? "Exact" : "Fingerprints"; });

TEST_P(CountTest, AHoleIsSeenAndSoIsItsEnd) {
  const auto hashes = test::chain(1, 100);
  const std::vector<std::uint32_t> offsets{0, 100};
  const auto below = test::registered(lower_, std::span(hashes).subspan(40, 50));
  {
    const auto above = test::registered(upper_, std::span(hashes).first(40));
    index_.update();
    EXPECT_TRUE(index_.host_index().counts_by_search());
    expect_counts_of_look_up(offsets, hashes);
  }
  static_cast<void>(upper_.allocate(300));  // block 40 is a child without its parent now
  index_.update();
  EXPECT_FALSE(index_.host_index().counts_by_search());
  expect_counts_of_look_up(offsets, hashes);

  const auto again = test::registered(upper_, std::span(hashes).first(40));
  index_.update();
  EXPECT_TRUE(index_.host_index().counts_by_search());
  expect_counts_of_look_up(offsets, hashes);
}

TEST_P(CountTest, CountsAreThoseOfLookUpsWhateverIsEvicted) {
  std::mt19937_64 random(kCountSeed);
  int searched = 0, scanned = 0;
  for (int round = 0; round < 60; ++round) {
    if (round % 20 == 19) static_cast<void>(upper_.allocate(300)), static_cast<void>(lower_.allocate(300));
    for (int i = 0; i < 3; ++i) {
      const auto chain = test::chain(random() % 8, 1 + random() % 60);
      { const auto run = test::registered(lower_, chain); }
      const std::size_t first = round % 20 < 4 ? 0 : random() % chain.size();
      { const auto run = test::registered(upper_, std::span(chain).subspan(first)); }
    }
    index_.update();
    (index_.host_index().counts_by_search() ? searched : scanned) += 1;
    std::vector<std::uint32_t> offsets{0};
    std::vector<SequenceHash> hashes;
    for (int i = 0; i < 10; ++i) {
      const auto chain = test::chain(random() % 10, random() % 80);
      hashes.insert(hashes.end(), chain.begin(), chain.end());
      offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
    }
    expect_counts_of_look_up(offsets, hashes);
  }
  EXPECT_GT(searched, 0);
  EXPECT_GT(scanned, 0);
}

// What a manager told is lost, and it is read anew.
TEST_P(CountTest, AfterAnOverrunHolesAreCountedAnew) {
  const auto small =
      test::manager<G3>({.blocks = 40, .tokens_per_block = 4, .eviction = LruEviction{}, .change_log = 8});
  index_.add_tier(small);
  const auto hashes = test::chain(1, 30);
  const auto tail = test::registered(lower_, std::span(hashes).subspan(20));
  { const auto run = test::registered(small, std::span(hashes).first(20)); }
  EXPECT_GT(index_.update().resyncs, 0u);
  EXPECT_TRUE(index_.host_index().counts_by_search());
  { const auto run = test::registered(small, test::chain(2, 40)); }
  EXPECT_GT(index_.update().resyncs, 0u);
  EXPECT_FALSE(index_.host_index().counts_by_search());
  expect_counts_of_look_up({0, 30}, hashes);
}

TEST(Count, WithoutWatchingForHolesItScans) {
  const auto manager = test::manager<G1>({.blocks = 40, .tokens_per_block = 4, .change_log = 64});
  PrefixIndex index;
  index.add_tier(manager);
  const auto hashes = test::chain(1, 30);
  const auto run = test::registered(manager, std::span(hashes).first(20));
  index.update();
  EXPECT_FALSE(index.counts_by_search());
  PrefixAnswers answers;
  index.count(std::vector<std::uint32_t>{0, 30}, hashes, answers);
  EXPECT_EQ(answers.prefixes, std::vector<std::uint32_t>{20});
}

}  // namespace
}  // namespace kvbm
