// eviction.md 6, inclusive; physical.md 5.2

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

TieredWorld::Options inclusive(OffloadPolicy offload) { return {.mode = TierMode::Inclusive, .offload = offload}; }

TEST(InclusiveTiers, HitsAreCopiedUpAndStay) {
  TieredWorld world(inclusive(OffloadPolicy::WhenAsked));
  const auto hashes = chain(1, 3);
  {
    const auto held = world.compute(hashes);
    world.cache().offload(hashes);
    world.cache().settle();
  }
  static_cast<void>(world.compute(chain(2, 4)));
  ASSERT_EQ(world.matched(hashes), "222");

  const Onboarded onboarded = world.fetch(hashes);

  EXPECT_EQ(world.matched(hashes), "111");
  EXPECT_TRUE(world.in_g2(hashes[0]));
  EXPECT_EQ(world.cache().counts().onboarded_blocks, 3u);
  EXPECT_EQ(world.cache().counts().bytes_onboarded, 3 * 256u);
  EXPECT_EQ(world.corrupt(), 0u);
}

TEST(InclusiveTiers, HitsRefreshTheirPlacesInG2) {
  TieredWorld world(inclusive(OffloadPolicy::WriteBehind));
  for (std::uint64_t number = 1; number <= 2; ++number) {
    const auto held = world.compute(chain(number, 4));
    world.cache().settle();
  }
  static_cast<void>(world.fetch(chain(1, 4)));

  {
    const auto held = world.compute(chain(3, 4));
    world.cache().settle();  // chain 2 is the oldest in G2 by now
  }

  EXPECT_TRUE(world.in_g2(chain(1, 4)[3]));
  EXPECT_FALSE(world.in_g2(chain(2, 4)[3]));
}

TEST(InclusiveTiers, WriteBehindCopiesWhatIsRegistered) {
  TieredWorld world(inclusive(OffloadPolicy::WriteBehind));
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);
  EXPECT_FALSE(world.in_g2(hashes[0]));

  world.cache().settle();

  for (const SequenceHash& hash : hashes) EXPECT_TRUE(world.in_g2(hash));
  EXPECT_EQ(world.cache().counts().offloaded_blocks, 3u);
  EXPECT_EQ(world.cache().counts().bytes_offloaded, 3 * 256u);
}

TEST(InclusiveTiers, AdvanceWritesBehindWithoutWaiting) {
  TieredWorld world({.mode = TierMode::Inclusive, .offload = OffloadPolicy::WriteBehind, .gated = true});
  const SequenceHash only = hash(1);
  const auto held = world.compute({&only, 1});

  world.cache().advance();
  world.cache().advance();  // the gate is closed: it would never return if it waited

  EXPECT_FALSE(world.in_g2(only));
  world.open_gate();
  world.cache().settle();
  EXPECT_TRUE(world.in_g2(only));
}

TEST(InclusiveTiers, TheFirstBlockIsTheYoungestInG2) {
  TieredWorld world({.g1_blocks = 4,
                     .g2_blocks = 4,
                     .mode = TierMode::Inclusive,
                     .offload = OffloadPolicy::WriteBehind,
                     .offload_blocks_max = 1});
  {
    const auto held = world.compute(chain(1, 4));
    world.cache().settle();
  }
  {
    const auto held = world.compute(chain(2, 2));
    world.cache().settle();
  }

  EXPECT_TRUE(world.in_g2(chain(1, 4)[1]));
  EXPECT_FALSE(world.in_g2(chain(1, 4)[2]));
}

TEST(InclusiveTiers, VictimsVanish) {
  TieredWorld world(inclusive(OffloadPolicy::WhenAsked));
  static_cast<void>(world.compute(chain(1, 4)));

  static_cast<void>(world.compute(chain(2, 4)));
  world.cache().settle();

  EXPECT_EQ(world.matched(chain(1, 4)), "");
  EXPECT_EQ(world.arrived(), 0u);
  EXPECT_EQ(world.cache().counts().lost_blocks, 0u);
}

TEST(InclusiveTiers, OnEvictionOnlyWhatG2LacksIsCopied) {
  TieredWorld world(inclusive(OffloadPolicy::OnEviction));
  static_cast<void>(world.compute(chain(1, 4)));
  static_cast<void>(world.compute(chain(2, 4)));
  world.cache().settle();
  static_cast<void>(world.fetch(chain(1, 4)));  // sends chain 2 down
  world.cache().settle();
  EXPECT_EQ(world.cache().counts().offloaded_blocks, 8u);

  static_cast<void>(world.fetch(chain(2, 4)));  // chain 1 is in G2 already
  world.cache().settle();

  EXPECT_EQ(world.cache().counts().offloaded_blocks, 8u);
  EXPECT_EQ(world.cache().counts().lost_blocks, 0u);
  EXPECT_EQ(world.matched(chain(1, 4)), "2222");
}

TEST(WriteBehind, AQueuedBlockMayBeEvicted) {
  TieredWorld world(inclusive(OffloadPolicy::WriteBehind));
  static_cast<void>(world.compute(chain(1, 4)));

  const auto allocation = world.cache().allocate(4);  // nothing of what waits is held

  ASSERT_TRUE(allocation);
  world.cache().settle();
  EXPECT_EQ(world.cache().counts().skipped_blocks, 4u);
  EXPECT_EQ(world.cache().counts().offloaded_blocks, 0u);
}

TEST(WriteBehind, ABlockUnderWayIsHeldAndAnotherOneIsTheVictim) {
  TieredWorld world(
      {.g1_blocks = 8, .mode = TierMode::Inclusive, .offload = OffloadPolicy::WriteBehind, .gated = true});
  const auto hashes = chain(1, 2);
  static_cast<void>(world.compute(hashes));
  world.cache().advance();
  EXPECT_EQ(world.g1().available_blocks(), 6u);

  const auto others = world.cache().allocate(6);

  EXPECT_TRUE(others);
  EXPECT_TRUE(world.in_g1(hashes[0]));
  world.open_gate();
  world.cache().settle();
  EXPECT_TRUE(world.in_g2(hashes[0]));
}

TEST(WriteBehind, TheQueueForgetsTheOldest) {
  TieredWorld world({.mode = TierMode::Inclusive, .offload = OffloadPolicy::WhenAsked, .queue_max = 2});
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);

  world.cache().offload(hashes);  // queued last one first
  world.cache().settle();

  EXPECT_EQ(world.cache().counts().forgotten_blocks, 1u);
  EXPECT_TRUE(world.in_g2(hashes[0]));
  EXPECT_FALSE(world.in_g2(hashes[2]));
}

TEST(WriteBehind, WithoutRoomInG2BlocksAreSkipped) {
  TieredWorld world({.g2_blocks = 1, .mode = TierMode::Inclusive, .offload = OffloadPolicy::WhenAsked});
  const auto hashes = chain(1, 2);
  const auto held = world.compute(hashes);
  auto taken = world.g2().allocate(1);

  world.cache().offload(hashes);
  world.cache().settle();

  EXPECT_EQ(world.cache().counts().skipped_blocks, 2u);
  EXPECT_FALSE(world.in_g2(hashes[0]));
}

}  // namespace
}  // namespace kvbm::test
