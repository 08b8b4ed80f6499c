#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "src/host/pools/block_store.hpp"
#include "src/host/pools/make_backend.hpp"
#include "tests/support/eviction_cases.hpp"
#include "tests/support/managers.hpp"

// Blocks that are reset rather than kept when their last holder goes: logical.md 18.11, cases 131 to 144.

namespace kvbm {
namespace {

class ResetOnRelease : public test::UnderEachEviction {
 protected:
  /// A manager that keeps released blocks unless a block says otherwise.
  [[nodiscard]] BlockManager<G1> keeping(std::uint32_t blocks) { return manager(blocks); }
  /// A manager that resets them unless a block says otherwise.
  [[nodiscard]] BlockManager<G1> resetting(std::uint32_t blocks) {
    return manager(blocks, {.tokens_per_block = 4, .reset_on_release = true});
  }
  [[nodiscard]] bool is_idle(const BlockManager<G1>& manager) const {
    return manager.metrics().inactive_pool_size == 1 && registry_.is_registered(hash_);
  }

  const SequenceHash hash_ = test::hash(1);
};

TEST_P(ResetOnRelease, OfASetBlockLeavesNothingBehind) {  // case 131
  const auto manager = keeping(4);
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, hash_));
  block->set_evict_on_reset(true);

  block.reset();

  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  EXPECT_EQ(manager.metrics().inflight_immutable, 0);
  EXPECT_FALSE(registry_.is_registered(hash_));
  EXPECT_FALSE(manager.match_block(hash_));
  manager.check_invariants();
}

TEST_P(ResetOnRelease, WaitsForTheLastHolder) {  // case 132
  const auto manager = keeping(4);
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, hash_));
  std::optional<ImmutableBlock<G1>> copy(*block);
  block->set_evict_on_reset(true);

  block.reset();
  EXPECT_EQ(manager.match_block(hash_)->id(), copy->id());
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);

  copy.reset();
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
}

TEST_P(ResetOnRelease, IsWhatTheLastSetterOfAnyCopySaid) {  // case 133
  const auto manager = keeping(4);
  {
    auto block = test::registered(manager, hash_);
    ImmutableBlock<G1> copy = block;
    block.set_evict_on_reset(true);
    copy.set_evict_on_reset(false);
  }

  EXPECT_TRUE(is_idle(manager));
}

TEST_P(ResetOnRelease, IsNotInheritedByTheNextTenant) {  // case 134
  const auto manager = keeping(1);
  test::registered(manager, test::hash(2)).set_evict_on_reset(true);
  ASSERT_EQ(manager.metrics().reset_pool_size, 1);

  (void)test::registered(manager, hash_);

  EXPECT_TRUE(is_idle(manager));
}

TEST_P(ResetOnRelease, ByDefaultNeedsNoCall) {  // case 135
  const auto manager = resetting(4);

  (void)test::registered(manager, hash_);

  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  EXPECT_FALSE(registry_.is_registered(hash_));
}

TEST_P(ResetOnRelease, ByDefaultCanBeDeclined) {  // case 136
  const auto manager = resetting(4);

  test::registered(manager, hash_).set_evict_on_reset(false);

  EXPECT_TRUE(is_idle(manager));
}

TEST_P(ResetOnRelease, DeclinedStaysSoAfterAMatch) {  // case 136
  const auto manager = resetting(4);
  test::registered(manager, hash_).set_evict_on_reset(false);

  (void)manager.match_block(hash_);

  EXPECT_TRUE(is_idle(manager));
}

TEST_P(ResetOnRelease, DeclinedStaysSoAfterTwoMatches) {  // case 137
  const auto manager = resetting(4);
  test::registered(manager, hash_).set_evict_on_reset(false);

  ASSERT_TRUE(manager.match_block(hash_));
  ASSERT_TRUE(manager.match_block(hash_));

  EXPECT_TRUE(is_idle(manager));
}

TEST_P(ResetOnRelease, DeclinedCanBeAskedForAfterAMatch) {  // case 138
  const auto manager = resetting(4);
  test::registered(manager, hash_).set_evict_on_reset(false);

  manager.match_block(hash_)->set_evict_on_reset(true);

  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  EXPECT_FALSE(registry_.is_registered(hash_));
}

TEST_P(ResetOnRelease, ConcernsEachBlockOfABatchOnItsOwn) {  // case 139
  const auto manager = keeping(4);
  const auto hashes = test::chain(1, 3);
  {
    const auto run = test::registered(manager, hashes);
    run.block(0).set_evict_on_reset(true);
    run.block(2).set_evict_on_reset(true);
  }

  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_FALSE(registry_.is_registered(hashes[0]));
  EXPECT_TRUE(registry_.is_registered(hashes[1]));
  EXPECT_FALSE(registry_.is_registered(hashes[2]));
  manager.check_invariants();
}

TEST_P(ResetOnRelease, DeclinedIsForgottenWithEviction) {  // case 140
  const auto manager = resetting(1);
  test::registered(manager, test::hash(2)).set_evict_on_reset(false);
  ASSERT_EQ(manager.metrics().inactive_pool_size, 1);

  (void)test::registered(manager, hash_);  // evicts

  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 1);
}

TEST_P(ResetOnRelease, SetOnADuplicateDoesNotConcernThePrimary) {  // case 141
  const auto manager = keeping(4);
  std::optional<ImmutableBlock<G1>> primary(test::registered(manager, hash_));

  test::registered(manager, hash_).set_evict_on_reset(true);
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
  EXPECT_EQ(primary->use_count(), 1u);

  primary.reset();
  EXPECT_TRUE(is_idle(manager));
}

TEST_P(ResetOnRelease, SetOnADuplicateIsNotInheritedByTheNextTenant) {  // case 141
  const auto manager = keeping(2);
  const auto primary = test::registered(manager, hash_);
  test::registered(manager, hash_).set_evict_on_reset(true);

  (void)test::registered(manager, test::hash(2));  // in the duplicate's slot

  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
}

TEST_P(ResetOnRelease, IsTheFateOfEveryDuplicate) {  // case 142
  const auto manager = keeping(4);
  const auto primary = test::registered(manager, hash_);
  std::optional<ImmutableBlock<G1>> duplicate(test::registered(manager, hash_));
  const PoolMetrics before = manager.metrics();

  duplicate.reset();

  EXPECT_EQ(manager.metrics().reset_pool_size, before.reset_pool_size + 1);
  EXPECT_EQ(manager.metrics().inactive_pool_size, before.inactive_pool_size);
}

TEST_P(ResetOnRelease, MovesTheGaugesAtEachStep) {  // case 143
  const auto manager = keeping(4);
  const auto expect_gauges = [&](std::int64_t immutable, std::int64_t reset) {
    EXPECT_EQ(manager.metrics().inflight_immutable, immutable);
    EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
    EXPECT_EQ(manager.metrics().reset_pool_size, reset);
  };

  std::optional<MutableBlock<G1>> filling = manager.allocate_block();
  expect_gauges(0, 3);
  std::optional<ImmutableBlock<G1>> block(manager.register_block(test::stage(std::move(*filling), hash_)));
  expect_gauges(1, 3);
  block->set_evict_on_reset(true);
  expect_gauges(1, 3);
  block.reset();
  expect_gauges(0, 4);
}

// Case 144: a guard that could set the flag exists only while the block is registered, so a staged block has none to
// lose, unless the store itself is told.
TEST_P(ResetOnRelease, OfAStagedBlockIsForgottenWhenItIsStagedAnew) {  // case 144
  auto* store = new BlockStore({.blocks = 1,
                                .tokens_per_block = 4,
                                .tier = tier_key<G1>(),
                                .duplication = DuplicationPolicy::Allow,
                                .reset_on_release = false,
                                .backend = make_backend(GetParam().eviction, tracker_),
                                .registry = registry_.state()});
  {
    RunHold run = std::move(*store->allocate(1));
    run.stage(std::vector{test::hash(2)});
    store->set_reset_on_release(run.ids()[0], true);
    run.unstage();
    run.stage(std::vector{hash_});
    const RunHold registered = store->register_run(std::move(run));
  }

  EXPECT_EQ(store->metrics().inactive_pool_size, 1);
  store->close();
}

TEST_P(ResetOnRelease, SetThroughARunConcernsTheRunToo) {
  const auto manager = keeping(4);
  {
    const auto run = test::registered(manager, test::chain(1, 1));
    run.block(0).set_evict_on_reset(true);
  }

  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
}

TEST_P(ResetOnRelease, WaitsForPinsToo) {
  const auto manager = keeping(4);
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, hash_));
  block->set_evict_on_reset(true);
  std::optional<LifecyclePin> pin(block->pin());

  block.reset();
  EXPECT_TRUE(registry_.is_registered(hash_));

  pin.reset();
  EXPECT_FALSE(registry_.is_registered(hash_));
}

TEST_P(ResetOnRelease, OfAPrimaryWaitsForItsDuplicates) {
  const auto manager = keeping(4);
  std::optional<ImmutableBlock<G1>> primary(test::registered(manager, hash_));
  std::optional<ImmutableBlock<G1>> duplicate(test::registered(manager, hash_));
  primary->set_evict_on_reset(true);

  primary.reset();
  EXPECT_TRUE(manager.match_block(hash_));

  duplicate.reset();
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  manager.check_invariants();
}

TEST_P(ResetOnRelease, OfAParentLeavesItsIdleChildrenInOrder) {
  const auto manager = keeping(4);
  const auto hashes = test::chain(1, 3);
  {
    const auto run = test::registered(manager, hashes);
    run.block(0).set_evict_on_reset(true);  // reset after its children became idle
  }
  EXPECT_EQ(manager.metrics().inactive_pool_size, 2);

  const auto all = manager.allocate_with_evictions(4);

  ASSERT_TRUE(all);
  EXPECT_EQ(all->evicted, (std::vector{hashes[2], hashes[1]}));
  manager.check_invariants();
}

INSTANTIATE_TEST_SUITE_P(Backends, ResetOnRelease, testing::ValuesIn(test::eviction_cases()), test::eviction_name);

}  // namespace
}  // namespace kvbm
