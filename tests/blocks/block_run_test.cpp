#include "kvbm/blocks/block_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/managers.hpp"

// Runs as such: what is asked of a single guard and of registration holds for them too and is tested there.
namespace kvbm {
namespace {

using MutableRun = BlockRun<MutableBlock<G1>>;
using CompleteRun = BlockRun<CompleteBlock<G1>>;
using ImmutableRun = BlockRun<ImmutableBlock<G1>>;
using Ids = std::vector<BlockId>;

// Long runs outgrow the smallest array of ids, short ones do not.
constexpr std::uint32_t kLong = 50;

BlockManager<G1> manager_of(std::uint32_t blocks, EvictionOptions eviction = LruEviction{}) {
  return test::manager({.blocks = blocks, .tokens_per_block = 4, .eviction = std::move(eviction)});
}

std::vector<SequenceHash> hashes_of(const ImmutableRun& run) {
  std::vector<SequenceHash> hashes;
  for (std::uint32_t i = 0; i < run.size(); ++i) hashes.push_back(run.hash(i));
  return hashes;
}

/// The hashes of all idle blocks, next to be evicted first. Evicts them.
std::vector<SequenceHash> eviction_order(const BlockManager<G1>& manager) {
  return std::move(manager.allocate_with_evictions(manager.available_blocks()))->evicted;
}

std::vector<SequenceHash> reversed(std::vector<SequenceHash> hashes) {
  std::reverse(hashes.begin(), hashes.end());
  return hashes;
}

// ---- ids ----

TEST(BlockRun, IdsLieInARowAndInOrder) {
  const auto manager = manager_of(kLong);
  const MutableRun run = test::allocated(manager, kLong);

  const std::span<const BlockId> ids = run.ids();

  ASSERT_EQ(ids.size(), kLong);
  for (std::uint32_t i = 0; i < kLong; ++i) {
    EXPECT_EQ(ids[i], i);
    EXPECT_EQ(run.id(i), i);
  }
}

TEST(BlockRun, KeepsItsIdsThroughAllStates) {
  const auto manager = manager_of(5);
  const auto hashes = test::chain(1, 3);
  { const auto turned = test::allocated(manager, 4); }
  const Ids expected{4, 0, 1};

  MutableRun mutable_run = test::allocated(manager, 3);
  EXPECT_EQ(test::ids_of(mutable_run), expected);
  CompleteRun complete_run = std::move(std::move(mutable_run).stage(hashes, 4)).value();
  EXPECT_EQ(test::ids_of(complete_run), expected);
  const ImmutableRun registered = manager.register_blocks(std::move(complete_run));
  EXPECT_EQ(test::ids_of(registered), expected);
  EXPECT_EQ(hashes_of(registered), hashes);
}

// ---- stage and reset ----

TEST(BlockRun, StageGivesEachBlockTheHashAtItsPlace) {
  const auto manager = manager_of(10);
  const auto hashes = test::chain(1, 5);

  const auto complete = test::allocated(manager, 5).stage(hashes, 4);

  ASSERT_TRUE(complete.has_value());
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(complete->hash(i), hashes[i]);
  EXPECT_EQ(manager.metrics().stagings, 5u);
  EXPECT_EQ(manager.metrics().inflight_mutable, 0);
}

TEST(BlockRun, StageOfTooFewHashesGivesTheRunBack) {
  const auto manager = manager_of(10);
  MutableRun run = test::allocated(manager, 3);

  const auto refused = std::move(run).stage(test::chain(1, 2), 4);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.expected, 3u);
  EXPECT_EQ(refused.error().error.actual, 2u);
  EXPECT_EQ(test::ids_of(refused.error().block), (Ids{0, 1, 2}));
  EXPECT_EQ(manager.metrics().stagings, 0u);
  EXPECT_EQ(manager.metrics().inflight_mutable, 3);
}

TEST(BlockRun, StageOfTooManyHashesGivesTheRunBack) {
  const auto manager = manager_of(10);

  const auto refused = test::allocated(manager, 3).stage(test::chain(1, 4), 4);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.expected, 3u);
  EXPECT_EQ(refused.error().error.actual, 4u);
}

TEST(BlockRun, StageOfTheWrongBlockSizeGivesTheRunBack) {
  const auto manager = manager_of(10);
  const auto hashes = test::chain(1, 3);

  auto refused = test::allocated(manager, 3).stage(hashes, 8);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.expected, 4u);
  EXPECT_EQ(refused.error().error.actual, 8u);
  EXPECT_EQ(manager.metrics().stagings, 0u);
  EXPECT_TRUE(std::move(refused.error().block).stage(hashes, 4).has_value());  // as good as before
}

TEST(BlockRun, ARefusalDroppedGivesItsBlocksBack) {
  const auto manager = manager_of(10);
  {
    const auto refused = test::allocated(manager, 3).stage({}, 4);
    EXPECT_EQ(manager.available_blocks(), 7u);
  }

  EXPECT_EQ(manager.available_blocks(), 10u);
}

TEST(BlockRun, ResetTakesAllNamesOff) {
  const auto manager = manager_of(10);
  CompleteRun complete = test::staged(manager, test::chain(1, 3));

  const MutableRun run = std::move(complete).reset();

  EXPECT_EQ(test::ids_of(run), (Ids{0, 1, 2}));
  EXPECT_EQ(manager.metrics().inflight_mutable, 3);
  EXPECT_EQ(manager.metrics().stagings, 3u);
  EXPECT_TRUE(complete.empty());  // NOLINT: moved from
  manager.check_invariants();
}

// ---- split_off and append ----

TEST(BlockRun, SplitOffKeepsTheFrontAndReturnsTheRest) {
  const auto manager = manager_of(kLong);
  MutableRun run = test::allocated(manager, kLong);

  const MutableRun rest = run.split_off(20);

  ASSERT_EQ(run.size(), 20u);
  ASSERT_EQ(rest.size(), kLong - 20);
  for (std::uint32_t i = 0; i < kLong; ++i) EXPECT_EQ(i < 20 ? run.id(i) : rest.id(i - 20), i);
  EXPECT_EQ(manager.metrics().inflight_mutable, kLong);
}

TEST(BlockRun, SplitOffAtTheStartReturnsAll) {
  const auto manager = manager_of(10);
  MutableRun run = test::allocated(manager, 3);

  const MutableRun rest = run.split_off(0);

  EXPECT_TRUE(run.empty());
  EXPECT_EQ(test::ids_of(rest), (Ids{0, 1, 2}));
}

TEST(BlockRun, SplitOffAtOrBehindTheEndReturnsNothing) {
  const auto manager = manager_of(10);
  MutableRun run = test::allocated(manager, 3);

  EXPECT_TRUE(run.split_off(3).empty());
  EXPECT_TRUE(run.split_off(100).empty());
  EXPECT_EQ(test::ids_of(run), (Ids{0, 1, 2}));
}

TEST(BlockRun, HalvesAreReleasedApart) {
  const auto manager = manager_of(10);
  ImmutableRun run = test::registered(manager, test::chain(1, 6));
  std::optional rest = run.split_off(2);
  EXPECT_EQ(manager.metrics().inflight_immutable, 6);

  rest.reset();

  EXPECT_EQ(manager.metrics().inactive_pool_size, 4);
  EXPECT_EQ(manager.metrics().inflight_immutable, 2);
  EXPECT_EQ(hashes_of(run), test::chain(1, 2));
  manager.check_invariants();
}

TEST(BlockRun, SplitOffKeepsTheState) {
  const auto manager = manager_of(10);
  const auto hashes = test::chain(1, 5);
  CompleteRun run = test::staged(manager, hashes);
  CompleteRun rest = run.split_off(3);

  const auto tail = manager.register_blocks(std::move(rest));
  const auto front = manager.register_blocks(std::move(run));

  EXPECT_EQ(tail.hash(0), hashes[3]);
  EXPECT_EQ(manager.match_blocks(hashes).size(), 5u);
}

TEST(BlockRun, AppendTakesOverTheTail) {
  const auto manager = manager_of(10);
  MutableRun run = test::allocated(manager, 2);
  MutableRun tail = test::allocated(manager, 3);

  run.append(std::move(tail));

  EXPECT_EQ(test::ids_of(run), (Ids{0, 1, 2, 3, 4}));
  EXPECT_TRUE(tail.empty());  // NOLINT: documented
  EXPECT_EQ(manager.metrics().inflight_mutable, 5);
}

TEST(BlockRun, RunsThatGrowSideBySideStayApart) {
  const auto manager = manager_of(2 * kLong);
  MutableRun even = test::allocated(manager, 1);
  MutableRun odd = test::allocated(manager, 1);
  for (std::uint32_t i = 1; i < kLong; ++i) {
    even.append(test::allocated(manager, 1));
    odd.append(test::allocated(manager, 1));
  }

  ASSERT_EQ(even.size(), kLong);
  ASSERT_EQ(odd.size(), kLong);
  for (std::uint32_t i = 0; i < kLong; ++i) {
    EXPECT_EQ(even.id(i), 2 * i);
    EXPECT_EQ(odd.id(i), 2 * i + 1);
  }
}

TEST(BlockRun, AppendUndoesSplitOff) {
  const auto manager = manager_of(10);
  const auto hashes = test::chain(1, 6);
  ImmutableRun run = test::registered(manager, hashes);

  run.append(run.split_off(2));

  EXPECT_EQ(hashes_of(run), hashes);
  EXPECT_EQ(manager.metrics().inflight_immutable, 6);
  manager.check_invariants();
}

TEST(BlockRun, AppendOfNothingChangesNothing) {
  const auto manager = manager_of(10);
  MutableRun run = test::allocated(manager, 2);

  run.append(test::allocated(manager, 0));

  EXPECT_EQ(test::ids_of(run), (Ids{0, 1}));
}

TEST(BlockRun, AppendToNothingMovesTheTail) {
  const auto manager = manager_of(10);
  MutableRun run = test::allocated(manager, 0);
  MutableRun tail = test::allocated(manager, 2);

  run.append(std::move(tail));

  EXPECT_EQ(test::ids_of(run), (Ids{0, 1}));
  EXPECT_TRUE(tail.empty());  // NOLINT: documented
  EXPECT_EQ(manager.metrics().inflight_mutable, 2);
}

TEST(BlockRunDeathTest, RunsOfTwoManagersDoNotJoin) {
  const auto one = manager_of(10);
  const auto other = manager_of(10);
  MutableRun run = test::allocated(one, 2);

  EXPECT_DEATH(run.append(test::allocated(other, 2)), "runs of two managers or states do not join");
}

// ---- share, block ----

TEST(BlockRun, ShareIsOneMoreHolderOfEachBlock) {
  const auto manager = manager_of(kLong);
  const auto hashes = test::chain(1, kLong);
  std::optional run = test::registered(manager, hashes);

  std::optional shared = run->share();
  EXPECT_EQ(test::ids_of(*shared), test::ids_of(*run));
  EXPECT_EQ(manager.metrics().inflight_immutable, 2 * kLong);
  EXPECT_EQ(run->block(0).use_count(), 3u);  // two runs and the block just asked for

  run.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(hashes_of(*shared), hashes);

  shared.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, kLong);
  manager.check_invariants();
}

TEST(BlockRun, ABlockOutlivesItsRun) {
  const auto manager = manager_of(10);
  const auto hashes = test::chain(1, 3);
  std::optional run = test::registered(manager, hashes);
  const ImmutableBlock<G1> second = run->block(1);
  EXPECT_EQ(second.hash(), hashes[1]);

  run.reset();

  EXPECT_EQ(manager.metrics().inactive_pool_size, 2);
  EXPECT_EQ(second.use_count(), 1u);
  manager.check_invariants();
}

// ---- into_blocks and of ----

TEST(BlockRun, IntoBlocksGivesAGuardForEachBlock) {
  const auto manager = manager_of(kLong);
  const auto hashes = test::chain(1, kLong);
  ImmutableRun run = test::registered(manager, hashes);

  const std::vector<ImmutableBlock<G1>> blocks = std::move(run).into_blocks();

  ASSERT_EQ(blocks.size(), kLong);
  for (std::uint32_t i = 0; i < kLong; ++i) {
    EXPECT_EQ(blocks[i].id(), i);
    EXPECT_EQ(blocks[i].hash(), hashes[i]);
    EXPECT_EQ(blocks[i].use_count(), 1u);
  }
  EXPECT_TRUE(run.empty());  // NOLINT: moved from
  EXPECT_EQ(manager.metrics().inflight_immutable, kLong);
}

TEST(BlockRun, IntoBlocksKeepsTheStateOfUnregisteredBlocks) {
  const auto manager = manager_of(10);
  std::vector<MutableBlock<G1>> unnamed = test::allocated(manager, 2).into_blocks();
  const std::vector<CompleteBlock<G1>> named = test::staged(manager, test::chain(1, 3)).into_blocks();

  EXPECT_EQ(manager.metrics().inflight_mutable, 2);
  EXPECT_EQ(named[2].hash(), test::chain(1, 3)[2]);
  EXPECT_TRUE(std::move(unnamed[0]).stage(test::hash(9), 4).has_value());
  manager.check_invariants();
}

TEST(BlockRun, IntoBlocksCountsARepeatedBlockTwice) {
  const auto manager = manager_of(10);
  test::make_idle(manager, test::roots(1, 1));
  const std::vector twice{test::hash(1), test::hash(1)};

  std::vector<ImmutableBlock<G1>> blocks = manager.match_blocks(twice).into_blocks();
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].use_count(), 2u);

  blocks.pop_back();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  blocks.pop_back();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  manager.check_invariants();
}

TEST(BlockRun, IntoBlocksLeavesOtherRunsHolding) {
  const auto manager = manager_of(10);
  ImmutableRun run = test::registered(manager, test::chain(1, 3));
  const ImmutableRun shared = run.share();

  test::drop_in_order(std::move(run).into_blocks());

  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
  manager.check_invariants();
}

TEST(BlockRun, OfJoinsGuardsInTheirOrder) {
  const auto manager = manager_of(10);
  std::vector<MutableBlock<G1>> blocks = test::allocated(manager, 3).into_blocks();
  std::swap(blocks[0], blocks[2]);

  const MutableRun run = MutableRun::of(std::move(blocks));

  EXPECT_EQ(test::ids_of(run), (Ids{2, 1, 0}));
  EXPECT_EQ(manager.metrics().inflight_mutable, 3);
}

TEST(BlockRun, OfJoinsGuardsOfEachState) {
  const auto manager = manager_of(10);
  const auto hashes = test::chain(1, 3);

  CompleteRun complete = CompleteRun::of(test::staged(manager, hashes).into_blocks());
  EXPECT_EQ(complete.hash(2), hashes[2]);
  ImmutableRun run = ImmutableRun::of(manager.register_blocks(std::move(complete)).into_blocks());
  EXPECT_EQ(hashes_of(run), hashes);
  EXPECT_EQ(run.block(0).use_count(), 2u);

  { const ImmutableRun dropped = std::move(run); }
  EXPECT_EQ(manager.metrics().inactive_pool_size, 3);
  manager.check_invariants();
}

TEST(BlockRunDeathTest, OfGuardsOfTwoManagersAborts) {
  const auto one = manager_of(10);
  const auto other = manager_of(10);
  std::vector<MutableBlock<G1>> blocks;
  blocks.push_back(test::allocated_block(one));
  blocks.push_back(test::allocated_block(other));

  EXPECT_DEATH((void)MutableRun::of(std::move(blocks)), "a block of another manager joins a run");
}

// ---- the order of release ----

TEST(BlockRun, ARegisteredRunIsReleasedTailFirst) {  // logical.md 8.3, 14 W2
  const auto manager = manager_of(kLong, LruEviction{});
  const auto hashes = test::chain(1, kLong);
  { const auto run = test::registered(manager, hashes); }

  EXPECT_EQ(eviction_order(manager), reversed(hashes));
}

TEST(BlockRun, AMatchedRunIsReleasedTailFirst) {  // logical.md 8.3, 14 W2
  const auto manager = manager_of(10, LruEviction{});
  const auto hashes = test::chain(1, 10);
  test::make_idle(manager, hashes);
  { const auto run = manager.match_blocks(hashes); }

  EXPECT_EQ(eviction_order(manager), reversed(hashes));
}

TEST(SparseRun, IsReleasedTailFirst) {  // logical.md 8.3, 14 W2
  const auto manager = manager_of(3, LruEviction{});
  const auto hashes = test::roots(1, 3);
  test::make_idle(manager, hashes);
  { const auto run = manager.match_scattered(std::vector{hashes[0], test::hash(99), hashes[1], hashes[2]}); }

  EXPECT_EQ(eviction_order(manager), reversed(hashes));
}

TEST(BlockRun, AFlaggedBlockInTheMiddleDoesNotDisturbTheOrder) {  // logical.md 8.3, 5.4
  const auto manager = manager_of(5, LruEviction{});
  const auto hashes = test::chain(1, 5);
  {
    const auto run = test::registered(manager, hashes);
    run.block(2).set_evict_on_reset(true);
  }

  EXPECT_EQ(eviction_order(manager), (std::vector{hashes[4], hashes[3], hashes[1], hashes[0]}));
}

TEST(BlockRun, DuplicatesOfARunAreResetTailFirst) {  // logical.md 8.3
  const auto manager = manager_of(6);
  const auto hashes = test::chain(1, 3);
  const auto primaries = test::registered(manager, hashes);
  { const auto duplicates = test::registered(manager, hashes); }

  EXPECT_EQ(test::allocation_order(manager), (Ids{5, 4, 3}));
}

TEST(BlockRun, AMutableRunIsReleasedInIndexOrder) {  // logical.md 8.3
  const auto manager = manager_of(5);
  { const auto run = test::allocated(manager, 3); }

  EXPECT_EQ(test::allocation_order(manager), (Ids{3, 4, 0, 1, 2}));
}

TEST(BlockRun, ACompleteRunIsReleasedInIndexOrder) {  // logical.md 8.3
  const auto manager = manager_of(5);
  { const auto run = test::staged(manager, test::chain(1, 3)); }

  EXPECT_EQ(test::allocation_order(manager), (Ids{3, 4, 0, 1, 2}));
  manager.check_invariants();
}

TEST(BlockRun, SingleGuardsAreReleasedAsTheyAreDropped) {  // logical.md 8.3
  const auto manager = manager_of(5, LruEviction{});
  const auto hashes = test::chain(1, 5);
  test::drop_in_order(test::registered(manager, hashes).into_blocks());

  EXPECT_EQ(eviction_order(manager), hashes);
}

// ---- moved-from and empty runs ----

TEST(BlockRun, MovedFromOwnsNothing) {
  const auto manager = manager_of(10);
  std::optional run = test::registered(manager, test::chain(1, 3));

  const ImmutableRun moved = std::move(*run);
  EXPECT_EQ(run->size(), 0u);
  EXPECT_TRUE(run->ids().empty());
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
  run.reset();

  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
}

TEST(BlockRun, AssignmentReleasesWhatWasThere) {
  const auto manager = manager_of(10);
  ImmutableRun run = test::registered(manager, test::chain(1, 3));

  run = test::registered(manager, test::chain(2, 2));

  EXPECT_EQ(hashes_of(run), test::chain(2, 2));
  EXPECT_EQ(manager.metrics().inactive_pool_size, 3);
  EXPECT_EQ(manager.metrics().inflight_immutable, 2);
}

TEST(BlockRun, AMovedFromRunCanBeFilledAgain) {
  const auto manager = manager_of(10);
  MutableRun run = test::allocated(manager, 3);
  const MutableRun moved = std::move(run);

  run = test::allocated(manager, 2);  // NOLINT: moved from
  run.append(test::allocated(manager, 1));

  EXPECT_EQ(test::ids_of(run), (Ids{3, 4, 5}));
}

TEST(BlockRun, AMovedFromRunDoesNothing) {
  const auto manager = manager_of(10);
  ImmutableRun run = test::registered(manager, test::chain(1, 3));
  const ImmutableRun moved = std::move(run);

  EXPECT_TRUE(run.share().empty());  // NOLINT: moved from
  EXPECT_TRUE(run.split_off(1).empty());
  EXPECT_TRUE(std::move(run).into_blocks().empty());
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
}

TEST(BlockRun, AnEmptyRunPassesThroughAllStates) {
  const auto manager = manager_of(10);
  const PoolMetrics before = manager.metrics();

  auto complete = test::allocated(manager, 0).stage({}, 4);
  ASSERT_TRUE(complete.has_value());
  auto again = std::move(*complete).reset().stage({}, 4);
  ASSERT_TRUE(again.has_value());
  const ImmutableRun run = manager.register_blocks(std::move(*again));

  EXPECT_TRUE(run.empty());
  EXPECT_TRUE(run.ids().empty());
  EXPECT_TRUE(run.share().empty());
  EXPECT_EQ(manager.metrics(), before);
}

TEST(BlockRun, AnEmptyRunRefusesHashes) {
  const auto manager = manager_of(10);

  const auto refused = test::allocated(manager, 0).stage(test::chain(1, 1), 4);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.expected, 0u);
  EXPECT_EQ(refused.error().error.actual, 1u);
}

TEST(BlockRun, OfNothingIsEmpty) {
  EXPECT_TRUE(MutableRun::of({}).empty());
  EXPECT_TRUE(CompleteRun::of({}).empty());
  EXPECT_TRUE(ImmutableRun::of({}).empty());
}

// ---- runs that outlive the manager ----

TEST(BlockRun, UnregisteredRunsOutliveTheManager) {  // logical.md 8.3
  std::optional manager = manager_of(kLong);
  MutableRun run = test::allocated(*manager, kLong);
  manager.reset();

  MutableRun rest = run.split_off(20);
  auto complete = std::move(rest).stage(test::chain(1, kLong - 20), 4);
  ASSERT_TRUE(complete.has_value());
  run.append(std::move(*complete).reset());

  ASSERT_EQ(run.size(), kLong);
  for (std::uint32_t i = 0; i < kLong; ++i) EXPECT_EQ(run.id(i), i);
}

TEST(BlockRun, RegisteredRunsOutliveTheManager) {  // logical.md 8.3
  const auto hashes = test::chain(1, 5);
  const BlockRegistry registry;
  std::optional manager = test::manager({.tokens_per_block = 4, .registry = registry});
  std::optional run = test::registered(*manager, hashes);
  manager.reset();

  std::optional shared = run->share();
  std::optional rest = run->split_off(2);
  run.reset();
  rest.reset();
  EXPECT_EQ(hashes_of(*shared), hashes);
  EXPECT_TRUE(registry.is_registered(hashes[4]));

  std::vector<ImmutableBlock<G1>> blocks = std::move(*shared).into_blocks();
  shared.reset();
  EXPECT_TRUE(registry.is_registered(hashes[4]));
  blocks.clear();
  EXPECT_FALSE(registry.is_registered(hashes[4]));  // the store went with its last guard
}

TEST(BlockRun, TheLastRunTakesTheStoreWithIt) {  // logical.md 8.3
  const auto hashes = test::chain(1, 5);
  const BlockRegistry registry;
  std::optional manager = test::manager({.tokens_per_block = 4, .registry = registry});
  std::optional run = test::registered(*manager, hashes);
  std::optional other = test::allocated(*manager, 1);
  manager.reset();

  run.reset();
  EXPECT_TRUE(registry.is_registered(hashes[0]));  // idle, in a store that `other` keeps
  other.reset();

  EXPECT_FALSE(registry.is_registered(hashes[0]));
}

TEST(SparseRun, OfMissesOutlivesTheManager) {  // logical.md 8.3
  std::optional manager = manager_of(5);
  std::optional run = manager->match_scattered(test::roots(1, 3));
  manager.reset();

  EXPECT_EQ(test::ids_of(*run), (Ids{kNoBlock, kNoBlock, kNoBlock}));
}

}  // namespace
}  // namespace kvbm
