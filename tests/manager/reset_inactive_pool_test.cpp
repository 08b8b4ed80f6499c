#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/eviction_cases.hpp"
#include "tests/support/managers.hpp"

// Giving up all idle blocks at once: logical.md 18.12, cases 145 to 149. What the reference reports as a count mismatch
// is ResetOutcome::all_free() here, beside the number of blocks drained.

namespace kvbm {
namespace {

class ResetInactivePool : public test::UnderEachEviction {};

TEST_P(ResetInactivePool, ResetsAllBlocksIfNoneIsHeld) {  // case 145
  const auto manager = this->manager(8);
  (void)test::registered(manager, test::chain(1, 8));

  const ResetOutcome outcome = manager.reset_inactive_pool();

  EXPECT_TRUE(outcome.all_free());
  EXPECT_EQ(outcome.drained, 8u);
  EXPECT_EQ(outcome.free, 8u);
  EXPECT_EQ(outcome.total, 8u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 8);
  EXPECT_EQ(manager.available_blocks(), 8u);
  manager.check_invariants();
}

TEST_P(ResetInactivePool, EndsThePresenceOfAllItsHashes) {  // case 145
  const auto manager = this->manager(8);
  const auto hashes = test::chain(1, 8);
  (void)test::registered(manager, hashes);

  (void)manager.reset_inactive_pool();

  for (const auto& [hash, present] : registry_.check_presence<G1>(hashes)) EXPECT_FALSE(present) << hash.text();
  EXPECT_EQ(registry_.registered_count(), 0u);
  EXPECT_TRUE(manager.match_blocks(hashes).empty());
}

TEST_P(ResetInactivePool, DrainsTheIdleBlocksThoughOneIsHeld) {  // case 146
  const auto manager = this->manager(8);
  const auto hashes = test::chain(1, 8);
  (void)test::registered(manager, hashes);
  const auto held = manager.match_block(hashes[0]);

  const ResetOutcome outcome = manager.reset_inactive_pool();

  EXPECT_FALSE(outcome.all_free());
  EXPECT_EQ(outcome.total, 8u);
  EXPECT_EQ(outcome.free, 7u);
  EXPECT_EQ(outcome.drained, 7u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.match_blocks(hashes).size(), 1u);
}

TEST_P(ResetInactivePool, ReportsAStagedBlockAsNotFree) {  // case 147
  const auto manager = this->manager(4);
  (void)test::registered(manager, test::hash(1));
  const auto staged = test::stage(std::move(*manager.allocate_block()), test::hash(2));

  const ResetOutcome outcome = manager.reset_inactive_pool();

  EXPECT_FALSE(outcome.all_free());
  EXPECT_EQ(outcome.free, 3u);
  EXPECT_EQ(outcome.drained, 1u);
}

TEST_P(ResetInactivePool, ReportsABlockBeingFilledAsNotFree) {  // case 147
  const auto manager = this->manager(4);
  const auto filling = manager.allocate_block();

  const ResetOutcome outcome = manager.reset_inactive_pool();

  EXPECT_FALSE(outcome.all_free());
  EXPECT_EQ(outcome.free, 3u);
  EXPECT_EQ(outcome.drained, 0u);
}

TEST_P(ResetInactivePool, OfAFreshPoolSucceeds) {  // case 148
  const auto manager = this->manager(4);

  const ResetOutcome outcome = manager.reset_inactive_pool();

  EXPECT_TRUE(outcome.all_free());
  EXPECT_EQ(outcome.drained, 0u);
}

TEST_P(ResetInactivePool, CountsNeitherEvictionsNorAllocations) {  // case 149
  const auto manager = this->manager(8);
  (void)test::registered(manager, test::chain(1, 8));
  const PoolMetrics before = manager.metrics();

  (void)manager.reset_inactive_pool();

  EXPECT_EQ(manager.metrics().evictions, before.evictions);
  EXPECT_EQ(manager.metrics().allocations, before.allocations);
  EXPECT_EQ(manager.metrics().allocations_from_reset, before.allocations_from_reset);
}

TEST_P(ResetInactivePool, PutsBlocksBehindThoseFreeAlreadyInTheOrderOfEviction) {
  const auto manager = this->manager(4);
  const auto hashes = test::chain(1, 3);
  (void)test::registered(manager, hashes);  // ids 0, 1, 2, released last block first; every order evicts 2, 1, 0

  (void)manager.reset_inactive_pool();

  const auto all = manager.allocate(4);
  EXPECT_EQ(std::vector(all->ids().begin(), all->ids().end()), (std::vector<BlockId>{3, 2, 1, 0}));
}

TEST_P(ResetInactivePool, LeavesNoTraceInTheNextTenancy) {
  const auto manager = this->manager(4);
  const auto hashes = test::chain(1, 4);
  (void)test::registered(manager, hashes);
  (void)manager.reset_inactive_pool();

  (void)test::registered(manager, hashes);

  EXPECT_EQ(manager.match_blocks(hashes).size(), 4u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 4);
  manager.check_invariants();
}

INSTANTIATE_TEST_SUITE_P(Backends, ResetInactivePool, testing::ValuesIn(test::eviction_cases()), test::eviction_name);

}  // namespace
}  // namespace kvbm
