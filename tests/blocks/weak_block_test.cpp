#include "kvbm/blocks/weak_block.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/eviction_cases.hpp"
#include "tests/support/managers.hpp"

// Weak blocks: logical.md 18.8, cases 96 to 104. Pins, cases 105 to 108, are in lifecycle_pin_test.cpp.

namespace kvbm {
namespace {

static_assert(std::is_copy_constructible_v<WeakBlock<G1>> && std::is_copy_assignable_v<WeakBlock<G1>>);
static_assert(std::is_nothrow_move_constructible_v<WeakBlock<G1>>);
static_assert(!std::is_default_constructible_v<WeakBlock<G1>>);
static_assert(!std::is_convertible_v<WeakBlock<G1>, WeakBlock<G2>>);

class WeakBlocks : public test::UnderEachEviction {
 protected:
  /// A weak block whose block has become idle.
  [[nodiscard]] static WeakBlock<G1> idle(const BlockManager<G1>& manager, const SequenceHash& hash) {
    return test::registered(manager, hash).downgrade();
  }
  /// Registers `count` blocks that nobody holds.
  static void register_others(const BlockManager<G1>& manager, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) (void)test::registered(manager, test::hash(1000 + i));
  }

  const SequenceHash hash_ = test::hash(1);
};

TEST_P(WeakBlocks, UpgradeToTheBlockThatIsHeld) {  // case 96
  const auto manager = this->manager(10);
  const auto block = test::registered(manager, hash_);
  const WeakBlock<G1> weak = block.downgrade();

  const std::optional<ImmutableBlock<G1>> upgraded = weak.upgrade();

  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->id(), block.id());
  EXPECT_EQ(upgraded->hash(), hash_);
  EXPECT_EQ(weak.hash(), hash_);
}

TEST_P(WeakBlocks, AreNoHolders) {
  const auto manager = this->manager(10);
  const auto block = test::registered(manager, hash_);

  const WeakBlock<G1> weak = block.downgrade();

  EXPECT_EQ(block.use_count(), 1u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 1);
}

TEST_P(WeakBlocks, UpgradeToABlockThatBecameIdle) {  // case 97
  const auto manager = this->manager(10);
  const WeakBlock<G1> weak = idle(manager, hash_);
  ASSERT_EQ(manager.metrics().inactive_pool_size, 1);

  const std::optional<ImmutableBlock<G1>> upgraded = weak.upgrade();

  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->hash(), hash_);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
}

TEST_P(WeakBlocks, UpgradeToNothingAfterEviction) {  // case 98
  const auto manager = this->manager(10);
  const WeakBlock<G1> weak = idle(manager, hash_);

  register_others(manager, 10);

  EXPECT_FALSE(weak.upgrade());
}

TEST_P(WeakBlocks, OfOneIdleBlockAllUpgradeToTheSame) {  // case 99
  const auto manager = this->manager(10);
  const WeakBlock<G1> first = idle(manager, hash_);
  const WeakBlock<G1> second = first;
  const WeakBlock<G1> third = first.upgrade()->downgrade();

  const auto a = first.upgrade(), b = second.upgrade(), c = third.upgrade();

  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(a->id(), b->id());
  EXPECT_EQ(a->id(), c->id());
  EXPECT_EQ(a->use_count(), 3u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
}

TEST_P(WeakBlocks, UpgradeWhileThePoolHasRoomForOthers) {  // case 100
  const auto manager = this->manager(20);
  const WeakBlock<G1> weak = idle(manager, hash_);

  register_others(manager, 10);

  ASSERT_TRUE(weak.upgrade());
  EXPECT_EQ(weak.upgrade()->hash(), hash_);
}

TEST_P(WeakBlocks, OfADuplicateUpgradeToItWhileItIsHeld) {
  const auto manager = this->manager(10);
  const auto primary = test::registered(manager, hash_);
  const auto duplicate = test::registered(manager, hash_);
  const WeakBlock<G1> weak = duplicate.downgrade();

  EXPECT_EQ(weak.upgrade()->id(), duplicate.id());
}

TEST_P(WeakBlocks, OfADuplicateThatIsGoneUpgradeToThePrimary) {  // case 101
  const auto manager = this->manager(10);
  const auto primary = test::registered(manager, hash_);
  const WeakBlock<G1> weak = test::registered(manager, hash_).downgrade();

  const std::optional<ImmutableBlock<G1>> upgraded = weak.upgrade();

  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->id(), primary.id());
}

TEST_P(WeakBlocks, OfADuplicateUpgradeToAPrimaryThatIsIdle) {  // case 101
  const auto manager = this->manager(10);
  std::optional<ImmutableBlock<G1>> primary(test::registered(manager, hash_));
  const BlockId id = primary->id();
  const WeakBlock<G1> weak = test::registered(manager, hash_).downgrade();
  primary.reset();

  EXPECT_EQ(weak.upgrade()->id(), id);
}

TEST_P(WeakBlocks, KeepTheRegistrationOfAnEvictedBlock) {  // case 102
  const auto manager = this->manager(1);
  std::optional<WeakBlock<G1>> weak(idle(manager, hash_));

  const auto evicting = manager.allocate_block();

  EXPECT_TRUE(registry_.is_registered(hash_));
  EXPECT_FALSE(registry_.check_presence<G1>(std::vector{hash_})[0].second);
  EXPECT_FALSE(weak->upgrade());
  weak.reset();
  EXPECT_FALSE(registry_.is_registered(hash_));
}

TEST_P(WeakBlocks, ThatBecameIdleUpgradeWithoutCountingAUse) {  // case 103
  const auto manager = this->manager(10);
  const WeakBlock<G1> weak = idle(manager, hash_);
  tracker_->reset();

  ASSERT_TRUE(weak.upgrade());

  EXPECT_EQ(tracker_->touches(), 0u);
}

TEST_P(WeakBlocks, UpgradeWithoutCountingAMatch) {
  const auto manager = this->manager(10);
  const WeakBlock<G1> weak = idle(manager, hash_);
  const PoolMetrics before = manager.metrics();

  ASSERT_TRUE(weak.upgrade());

  EXPECT_EQ(manager.metrics(), before);
}

TEST_P(WeakBlocks, FollowTheirHashToAnotherSlot) {  // case 104
  const auto manager = this->manager(2);
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, hash_));
  const BlockId old = block->id();
  const WeakBlock<G1> weak = block->downgrade();
  block.reset();
  std::vector<MutableBlock<G1>> fresh = std::move(*manager.allocate(2)).into_blocks();  // evicts the block
  const auto elsewhere = fresh[0].id() != old ? 0u : 1u;
  const auto again = manager.register_block(test::stage(std::move(fresh[elsewhere]), hash_));

  const std::optional<ImmutableBlock<G1>> upgraded = weak.upgrade();

  ASSERT_TRUE(upgraded);
  EXPECT_NE(upgraded->id(), old);
  EXPECT_EQ(upgraded->id(), again.id());
}

TEST_P(WeakBlocks, DoNotUpgradeToAnotherHashInTheirOldSlot) {
  const auto manager = this->manager(1);
  const WeakBlock<G1> weak = idle(manager, hash_);

  const auto tenant = test::registered(manager, test::hash(2));

  EXPECT_FALSE(weak.upgrade());
  EXPECT_EQ(tenant.use_count(), 1u);
}

TEST_P(WeakBlocks, UpgradeToTheirHashRegisteredAgainInTheirOldSlot) {
  const auto manager = this->manager(1);
  const WeakBlock<G1> weak = idle(manager, hash_);
  (void)test::registered(manager, test::hash(2));
  const auto again = test::registered(manager, hash_);

  const std::optional<ImmutableBlock<G1>> upgraded = weak.upgrade();

  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->hash(), hash_);
  EXPECT_EQ(again.use_count(), 2u);
}

TEST_P(WeakBlocks, UpgradeAfterTheManagerIsGone) {
  std::optional<BlockManager<G1>> manager(this->manager(10));
  const WeakBlock<G1> weak = idle(*manager, hash_);

  manager.reset();

  ASSERT_TRUE(weak.upgrade());
  EXPECT_EQ(weak.upgrade()->hash(), hash_);
}

TEST_P(WeakBlocks, ThatWereMovedFromMayBeDroppedAndAssignedTo) {
  const auto manager = this->manager(10);
  WeakBlock<G1> weak = idle(manager, hash_);
  WeakBlock<G1> other = idle(manager, test::hash(2));
  WeakBlock<G1> taken(std::move(weak));

  weak = other;  // NOLINT(bugprone-use-after-move): that is the claim
  other = std::move(taken);

  EXPECT_EQ(weak.upgrade()->hash(), test::hash(2));
  EXPECT_EQ(other.upgrade()->hash(), hash_);
}

INSTANTIATE_TEST_SUITE_P(Backends, WeakBlocks, testing::ValuesIn(test::eviction_cases()), test::eviction_name);

}  // namespace
}  // namespace kvbm
