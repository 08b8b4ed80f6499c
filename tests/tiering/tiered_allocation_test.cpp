#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

TEST(TieredAllocation, IsAllOrNothing) {
  TieredWorld world;
  const auto held = world.compute(chain(1, 2));

  EXPECT_FALSE(world.cache().allocate(3));

  EXPECT_EQ(world.g1().available_blocks(), 2u);
}

TEST(TieredAllocation, WithoutVictimsIsReadyAtOnce) {
  TieredWorld world({.gated = true});

  auto allocation = world.cache().allocate(4);

  ASSERT_TRUE(allocation);
  EXPECT_TRUE(allocation->ready().done());
  EXPECT_EQ(allocation->ids().size(), 4u);
}

TEST(TieredAllocation, IsReadyWhenItsVictimsPagesHaveBeenRead) {
  TieredWorld world({.gated = true});
  static_cast<void>(world.compute(chain(1, 4)));

  auto allocation = world.cache().allocate(4);  // does not wait for the gate

  ASSERT_TRUE(allocation);
  EXPECT_FALSE(allocation->ready().done());
  world.open_gate();
  EXPECT_EQ(std::move(*allocation).take().size(), 4u);
  world.cache().settle();
  EXPECT_EQ(world.matched(chain(1, 4)), "2222");
}

TEST(TieredAllocation, OfMoreThanABatchKeepsTheOrderOfVictims) {
  TieredWorld world({.offload_blocks_max = 1});
  static_cast<void>(world.compute(chain(1, 4)));

  const auto allocation = world.cache().allocate(4);
  world.cache().settle();

  EXPECT_EQ(world.matched(chain(1, 4)), "2222");
  static_cast<void>(world.g2().allocate(6));  // four were never used
  EXPECT_EQ(world.matched(chain(1, 4)), "22");
}

TEST(TieredAllocation, DroppedEarlyItsPagesStayUntilTheyHaveBeenRead) {
  TieredWorld world({.gated = true});
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));

  { const auto dropped = world.cache().allocate(4); }
  EXPECT_FALSE(world.cache().allocate(1));  // nobody may write to them yet

  world.open_gate();
  world.cache().settle();
  world.expect_sound(hashes);
  EXPECT_EQ(world.matched(hashes), "2222");
}

TEST(TieredAllocation, WithoutRoomInG2VictimsAreLostAndAllocationSucceeds) {
  TieredWorld world;
  static_cast<void>(world.compute(chain(1, 4)));
  const auto taken = world.g2().allocate(8);

  EXPECT_TRUE(world.cache().allocate(4));

  EXPECT_EQ(world.cache().counts().lost_blocks, 4u);
}

TEST(TieredAllocation, OfMoreVictimsThanG2HasTheLastOnesStay) {
  TieredWorld world({.g1_blocks = 4, .g2_blocks = 2});
  static_cast<void>(world.compute(chain(1, 4)));

  const auto allocation = world.cache().allocate(4);
  world.cache().settle();

  EXPECT_EQ(world.matched(chain(1, 4)), "22");
}

TEST(TieredAllocation, AVictimWhoseCopyFailsIsLostAndReportedOnce) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 1});

  {
    auto allocation = world.cache().allocate(4);
    EXPECT_EQ(std::move(*allocation).take().size(), 4u);
  }
  world.cache().settle();

  EXPECT_EQ(world.cache().counts().lost_blocks, 4u);
  const std::vector<TieringFailure> failures = world.cache().take_failures();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].operation, TieringFailure::Operation::Offload);
  EXPECT_EQ(failures[0].blocks, 4u);
  EXPECT_EQ(failures[0].first_hash, hashes[3]);
  EXPECT_NE(failures[0].text.find("offload to G2, block "), std::string::npos) << failures[0].text;
  EXPECT_TRUE(world.cache().take_failures().empty());
  EXPECT_EQ(world.matched(hashes), "");
  world.expect_sound(hashes);
}

TEST(TieredAllocation, OutlivesTheCache) {
  TieredWorld world;
  static_cast<void>(world.compute(chain(1, 4)));
  std::optional<TieredAllocation> allocation = world.cache().allocate(4);

  world.drop_cache();
  world.drop_engine();

  EXPECT_EQ(std::move(*allocation).take().size(), 4u);
  allocation.reset();
  EXPECT_EQ(world.registry().registered_count(), 0u);
}

TEST(TieredCache, AtItsEndPagesUnderWayGoHomeUnregistered) {
  TieredWorld world({.gated = true});
  static_cast<void>(world.compute(chain(1, 4)));
  { const auto dropped = world.cache().allocate(4); }

  world.drop_cache();
  world.open_gate();
  world.drop_engine();  // waits for its copies

  EXPECT_EQ(world.arrived(), 0u);
  EXPECT_EQ(world.registry().registered_count(), 0u);
}

TEST(TieredCache, TheHookRunsOnceForABlockThatGoesDownAndUp) {
  int calls = 0;
  TieredWorld world({.registry = BlockRegistry({.on_registered = [&](const Registration&) { ++calls; }})});
  static_cast<void>(world.compute(chain(1, 4)));
  static_cast<void>(world.compute(chain(2, 4)));
  world.cache().settle();
  EXPECT_EQ(calls, 8);

  static_cast<void>(world.fetch(chain(1, 4)));
  world.cache().settle();

  EXPECT_EQ(calls, 8);
}

}  // namespace
}  // namespace kvbm::test
