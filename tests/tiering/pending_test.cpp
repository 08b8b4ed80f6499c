// physical.md 5.2, duplicate suppression: a hash on its way to G2 is not sent there a second time

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

/// Evicts the only idle block of three, with the others taken; returns the block that was evicted, not to be written.
std::optional<TieredAllocation> evict_one(TieredWorld& world) {
  const auto others = world.g1().allocate(world.g1().available_blocks() - 1);
  return world.cache().allocate(1);
}

class Pending : public testing::TestWithParam<TierMode> {
 protected:
  [[nodiscard]] static TieredWorld::Options gated() { return {.g1_blocks = 3, .mode = GetParam(), .gated = true}; }
};

TEST_P(Pending, AHashOnItsWayIsNotSentAgain) {
  TieredWorld world(gated());
  const auto hashes = chain(1, 1);
  static_cast<void>(world.compute(hashes));
  const auto first = evict_one(world);
  EXPECT_FALSE(first->ready().done());
  static_cast<void>(world.compute(hashes));  // anew

  const auto second = evict_one(world);

  EXPECT_TRUE(second->ready().done());  // the gate is closed still
  world.open_gate();
  world.cache().settle();
  EXPECT_TRUE(world.in_g2(hashes[0]));
  EXPECT_EQ(world.cache().counts().offloaded_blocks, 1u);
  EXPECT_EQ(world.arrived(), 1u);
}

TEST_P(Pending, AHashIsSentAgainAfterItsCopyFailed) {
  TieredWorld world({.g1_blocks = 3, .mode = GetParam(), .mechanism = Mechanism::CopyKernel});
  const auto hashes = chain(1, 1);
  static_cast<void>(world.compute(hashes));
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 1});
  static_cast<void>(evict_one(world));
  world.cache().settle();
  EXPECT_FALSE(world.in_g2(hashes[0]));
  static_cast<void>(world.compute(hashes));

  static_cast<void>(evict_one(world));
  world.cache().settle();

  EXPECT_TRUE(world.in_g2(hashes[0]));
}

TEST_P(Pending, AVictimInStagingMemoryIsOnItsWayToo) {
  TieredWorld world({.g1_blocks = 2, .g2_blocks = 4, .mode = GetParam(), .gated = true});
  const auto hashes = chain(1, 1), wanted = chain(2, 1);
  static_cast<void>(world.compute(hashes));
  world.put_in_g2(wanted);
  Onboarding onboarding = [&] {
    const auto other = world.g1().allocate(1);
    return world.cache().onboard(world.cache().match(wanted));  // takes the place of the other chain
  }();
  static_cast<void>(world.compute(hashes));  // anew, in the other block

  const auto second = world.cache().allocate(1);

  ASSERT_TRUE(second);
  EXPECT_TRUE(second->ready().done());  // the gate is closed still
  world.open_gate();
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 1u);
  world.cache().settle();
  EXPECT_TRUE(world.in_g2(hashes[0]));
  EXPECT_EQ(world.cache().counts().offloaded_blocks, 1u);
}

INSTANTIATE_TEST_SUITE_P(Modes, Pending, testing::Values(TierMode::Exclusive, TierMode::Inclusive),
                         [](const auto& mode) {
                           return mode.param == TierMode::Exclusive ? "Exclusive" : "Inclusive";
                         });

TEST(TieredAllocation, IsTakenWithoutWaitingOnlyWhenItIsReady) {
  TieredWorld world({.gated = true});
  static_cast<void>(world.compute(chain(1, 4)));
  auto allocation = world.cache().allocate(4);

  EXPECT_FALSE(allocation->try_take());
  EXPECT_EQ(allocation->ids().size(), 4u);

  world.open_gate();
  static_cast<void>(allocation->ready().wait());
  const auto blocks = allocation->try_take();
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->size(), 4u);
}

}  // namespace
}  // namespace kvbm::test
