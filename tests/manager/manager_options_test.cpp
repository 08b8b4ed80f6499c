#include "kvbm/manager/manager_options.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "kvbm/registry/frequency_sketch.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/managers.hpp"

// One struct of options takes the place of the specification's builder: what a setter refuses there, create() refuses
// here, with the same words.
namespace kvbm {
namespace {

using Code = InvalidOptions::Code;
using Thresholds = std::array<std::uint8_t, 3>;

BlockRegistry tracking_registry(FrequencyTrackingCapacity capacity = FrequencyTrackingCapacity::Small) {
  return BlockRegistry({.tracker = make_frequency_tracker(capacity)});
}

ManagerOptions valid() { return {.blocks = 100, .registry = BlockRegistry()}; }

ManagerOptions with_tokens_per_block(std::uint32_t tokens) {
  ManagerOptions options = valid();
  options.blocks = 2;
  options.tokens_per_block = tokens;
  return options;
}

ManagerOptions with_thresholds(Thresholds thresholds) {
  ManagerOptions options = valid();
  options.registry = tracking_registry();
  options.eviction = MultiLruEviction{thresholds};
  return options;
}

/// Why `options` are refused; nothing if they are not.
std::optional<InvalidOptions> refusal(ManagerOptions options) {
  auto made = BlockManager<G1>::create(std::move(options));
  if (made) return std::nullopt;
  return std::move(made).error();
}

void expect_refused(ManagerOptions options, Code code, const std::string& fragment) {
  const auto refused = refusal(std::move(options));
  ASSERT_TRUE(refused.has_value()) << "not refused, although: " << fragment;
  EXPECT_EQ(refused->code, code) << refused->text;
  EXPECT_NE(refused->text.find(fragment), std::string::npos) << refused->text;
}

/// The victim of one allocation among two idle blocks of a chain whose root became idle first.
template <class Tier>
SequenceHash first_victim(const BlockManager<Tier>& manager, const std::vector<SequenceHash>& chain) {
  test::make_idle(manager, chain);
  return std::move(manager.allocate_with_evictions(manager.available_blocks() - 1))->evicted.front();
}

// ---- what is accepted ----

TEST(ManagerOptions, BlocksAndRegistryAreEnough) {  // logical.md 18.1 case 1
  const auto manager = *BlockManager<G1>::create(valid());
  EXPECT_EQ(manager.metrics().reset_pool_size, 100);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);

  const auto run = manager.allocate(5);

  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->size(), 5u);
}

TEST(ManagerOptions, TheDefaultEvictionTakesLeavesFirst) {  // logical.md 18.1 case 1
  const auto manager = test::manager({.blocks = 2, .tokens_per_block = 4});
  const auto chain = test::chain(1, 2);

  EXPECT_EQ(first_victim(manager, chain), chain[1]);
}

TEST(ManagerOptions, LruEvictionIsAccepted) {  // logical.md 18.1 case 2
  ManagerOptions options = valid();
  options.eviction = LruEviction{};
  const auto manager = *BlockManager<G1>::create(std::move(options));

  EXPECT_EQ(test::allocated(manager, 10).size(), 10u);
}

TEST(ManagerOptions, MultiLruEvictionIsAcceptedWithATracker) {  // logical.md 18.1 case 3
  ManagerOptions options = valid();
  options.registry = tracking_registry(FrequencyTrackingCapacity::Small);
  options.eviction = MultiLruEviction{};
  const auto manager = *BlockManager<G1>::create(std::move(options));

  EXPECT_EQ(test::allocated(manager, 8).size(), 8u);
}

TEST(ManagerOptions, OtherThresholdsAreAccepted) {  // logical.md 18.1 case 4
  ManagerOptions options = with_thresholds({2, 6, 12});
  options.registry = tracking_registry(FrequencyTrackingCapacity::Medium);
  const auto manager = *BlockManager<G1>::create(std::move(options));

  EXPECT_EQ(test::allocated(manager, 4).size(), 4u);
}

TEST(ManagerOptions, ThresholdsMayReachBothBounds) {  // logical.md 18.1 cases 9, 11
  EXPECT_FALSE(refusal(with_thresholds({1, 2, 15})).has_value());
}

TEST(ManagerOptions, RejectIsKept) {  // logical.md 18.1 case 5
  ManagerOptions options = valid();
  options.duplication = DuplicationPolicy::Reject;
  options.eviction = LruEviction{};
  const auto manager = *BlockManager<G1>::create(std::move(options));

  EXPECT_EQ(manager.duplication_policy(), DuplicationPolicy::Reject);
}

TEST(ManagerOptions, EveryPowerOfTwoUpTo1024IsABlockSize) {  // logical.md 18.1 case 14
  for (std::uint32_t tokens = 1; tokens <= 1024; tokens *= 2) {
    const auto made = BlockManager<G1>::create(with_tokens_per_block(tokens));
    ASSERT_TRUE(made.has_value()) << tokens;
    EXPECT_EQ(made->tokens_per_block(), tokens);
  }
}

TEST(ManagerOptions, ABlockHasSixteenTokensUnlessItIsSaid) {  // logical.md 18.1 case 17
  EXPECT_EQ(BlockManager<G1>::create(valid())->tokens_per_block(), 16u);
  EXPECT_EQ(BlockManager<G1>::create(with_tokens_per_block(32))->tokens_per_block(), 32u);
}

TEST(ManagerOptions, DuplicatesAreAllowedUnlessItIsSaid) {  // logical.md 18.1 case 18
  EXPECT_EQ(BlockManager<G1>::create(valid())->duplication_policy(), DuplicationPolicy::Allow);
}

// Selecting a backend is an assignment here; only the one that is there at create() is looked at. The first one of this
// test would be refused, having no tracker.
TEST(ManagerOptions, TheLastEvictionAssignedIsInForce) {  // logical.md 18.1 case 19
  ManagerOptions options = {.blocks = 2, .tokens_per_block = 4};
  options.eviction = MultiLruEviction{};
  options.eviction = LineageEviction{};
  options.eviction = LruEviction{};
  const auto manager = test::manager(std::move(options));
  const auto chain = test::chain(1, 2);

  EXPECT_EQ(first_victim(manager, chain), chain[0]);
}

// ---- what is refused ----

TEST(ManagerOptions, NoBlocksAtAllAreRefused) {  // logical.md 18.1 case 6
  ManagerOptions options = valid();
  options.blocks = 0;

  expect_refused(std::move(options), Code::BlocksZero, "block_count must be greater than 0");
}

TEST(ManagerOptions, TheNumberOfBlocksIsRequired) {  // logical.md 18.1 case 7
  ManagerOptions options = valid();
  options.blocks.reset();

  expect_refused(std::move(options), Code::BlocksMissing, "block_count is required");
}

TEST(ManagerOptions, TheRegistryIsRequired) {  // logical.md 18.1 case 8
  ManagerOptions options = valid();
  options.registry.reset();

  expect_refused(std::move(options), Code::RegistryMissing, "registry is required");
}

TEST(ManagerOptions, AMissingRegistryIsNamedBeforeMissingBlocks) {  // logical.md 18.1 case 8
  expect_refused(ManagerOptions{}, Code::RegistryMissing, "registry is required");
}

TEST(ManagerOptions, MoreBlocksThanAnIdCanNameAreRefused) {
  ManagerOptions options = valid();
  options.blocks = ManagerOptions::kMostBlocks + 1;

  expect_refused(std::move(options), Code::TooManyBlocks, "at most");
}

TEST(ManagerOptions, AThresholdBeyondWhatATrackerCountsIsRefused) {  // logical.md 18.1 case 9
  expect_refused(with_thresholds({2, 6, 20}), Code::ThresholdTooHigh, "must be <= 15");
}

TEST(ManagerOptions, ThresholdsThatFallAreRefused) {  // logical.md 18.1 case 10
  expect_refused(with_thresholds({6, 2, 10}), Code::ThresholdsNotAscending, "must be in ascending order");
}

TEST(ManagerOptions, AThresholdOfZeroIsRefused) {  // logical.md 18.1 case 11
  expect_refused(with_thresholds({0, 2, 3}), Code::ThresholdTooLow, "must be >= 1");
}

TEST(ManagerOptions, EqualThresholdsAreRefused) {  // logical.md 18.1 case 12
  expect_refused(with_thresholds({3, 3, 8}), Code::ThresholdsNotAscending, "must be in ascending order");
  expect_refused(with_thresholds({3, 8, 8}), Code::ThresholdsNotAscending, "must be in ascending order");
}

TEST(ManagerOptions, MultiLruWithoutATrackerIsRefused) {  // logical.md 18.1 case 13
  ManagerOptions options = valid();
  options.eviction = MultiLruEviction{};

  expect_refused(std::move(options), Code::TrackerMissing, "frequency tracking");
}

TEST(ManagerOptions, ABlockSizeThatIsNoPowerOfTwoIsRefused) {  // logical.md 18.1 case 15
  for (const std::uint32_t tokens : {15u, 7u}) {
    expect_refused(with_tokens_per_block(tokens), Code::TokensPerBlockNotPowerOfTwo, "must be a power of 2");
  }
}

TEST(ManagerOptions, ABlockSizeOutOfRangeIsRefused) {  // logical.md 18.1 case 16
  for (const std::uint32_t tokens : {2048u, 0u}) {
    expect_refused(with_tokens_per_block(tokens), Code::TokensPerBlockOutOfRange, "must be between 1 and 1024");
  }
}

TEST(ManagerOptions, CustomEvictionWithoutABackendIsRefused) {
  ManagerOptions without_function = valid();
  without_function.eviction = CustomEviction{};
  ManagerOptions without_result = valid();
  without_result.eviction = CustomEviction{[] { return std::unique_ptr<EvictionBackend>(); }};

  expect_refused(std::move(without_function), Code::BackendMissing, "custom eviction");
  expect_refused(std::move(without_result), Code::BackendMissing, "custom eviction");
}

TEST(ManagerOptions, MistakesAreNamedInAFixedOrder) {  // logical.md 10
  ManagerOptions options;
  options.tokens_per_block = 7;
  options.eviction = MultiLruEviction{{9, 9, 20}};
  expect_refused(options, Code::RegistryMissing, "registry");

  options.registry = BlockRegistry();
  expect_refused(options, Code::BlocksMissing, "block_count");
  options.blocks = 0;
  expect_refused(options, Code::BlocksZero, "block_count");
  options.blocks = 4;
  expect_refused(options, Code::TokensPerBlockNotPowerOfTwo, "block_size");
  options.tokens_per_block = 8;
  expect_refused(options, Code::ThresholdsNotAscending, "ascending");
  options.eviction = MultiLruEviction{{8, 9, 20}};
  expect_refused(options, Code::ThresholdTooHigh, "15");
  options.eviction = MultiLruEviction{{8, 9, 15}};
  expect_refused(options, Code::TrackerMissing, "frequency tracking");
  options.registry = tracking_registry();
  EXPECT_FALSE(refusal(options).has_value());
}

// ---- what goes with it ----

TEST(ManagerOptions, AManagerShowsItsMetricsUnderItsTiersName) {  // logical.md 18.1 case 20
  MetricsAggregator aggregator;
  ManagerOptions options = valid();
  options.metrics = aggregator;
  const auto manager = *BlockManager<G2>::create(std::move(options));

  const std::vector<MetricFamily> families = aggregator.collect();

  ASSERT_EQ(families.size(), 19u);
  for (const MetricFamily& family : families) {
    ASSERT_EQ(family.metrics.size(), 1u) << family.name;
    EXPECT_EQ(family.metrics[0].labels, (std::vector<MetricLabel>{{"pool", "G2"}})) << family.name;
  }
}

TEST(ManagerOptions, ALabelTakesThePlaceOfTheTiersName) {  // logical.md 14 W14
  MetricsAggregator aggregator;
  ManagerOptions options = valid();
  options.metrics = aggregator;
  options.label = "replica 3";
  const auto manager = *BlockManager<G2>::create(std::move(options));

  EXPECT_EQ(aggregator.collect()[0].metrics[0].labels[0], (MetricLabel{"pool", "replica 3"}));
}

// logical.md 18.1 case 21
static_assert(size(FrequencyTrackingCapacity::Small) == std::size_t{1} << 18);
static_assert(size(FrequencyTrackingCapacity::Medium) == std::size_t{1} << 21);
static_assert(size(FrequencyTrackingCapacity::Large) == std::size_t{1} << 24);

// Too many keys for a small sketch, which then overestimates other keys than a medium one does.
TEST(FrequencyTrackingCapacity, IsMediumUnlessItIsSaid) {  // logical.md 18.1 case 21
  const auto by_default = make_frequency_tracker();
  const auto medium = make_frequency_tracker(FrequencyTrackingCapacity::Medium);
  const auto small = make_frequency_tracker(FrequencyTrackingCapacity::Small);
  const auto keys = test::roots(0, 60'000);
  for (const auto& tracker : {by_default, medium, small}) tracker->touch(keys);

  std::size_t unlike_medium = 0, unlike_small = 0;
  for (const SequenceHash& key : keys) {
    unlike_medium += by_default->count(key) != medium->count(key) ? 1 : 0;
    unlike_small += by_default->count(key) != small->count(key) ? 1 : 0;
  }

  EXPECT_EQ(unlike_medium, 0u);
  EXPECT_GT(unlike_small, 0u);
}

TEST(ManagerId, IsNeverNullAndNeverTheSameTwice) {  // logical.md 18.1 case 22
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 3; ++i) ids.insert(test::manager<G1>().id().value);
  ids.insert(test::manager<G2>().id().value);

  EXPECT_EQ(ids.size(), 4u);
  EXPECT_FALSE(ids.contains(0));
}

TEST(ManagerId, StaysWithTheManager) {  // logical.md 18.1 case 22
  auto manager = test::manager();
  const ManagerId id = manager.id();
  auto run = test::registered(manager, test::chain(1, 3));
  EXPECT_EQ(manager.id(), id);

  const auto moved = std::move(manager);

  EXPECT_EQ(moved.id(), id);
  EXPECT_EQ(run.block(0).pin().manager_id(), id);
}

}  // namespace
}  // namespace kvbm
