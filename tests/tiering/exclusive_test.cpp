// eviction.md 6, exclusive

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/exact_tracker.hpp"
#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

/// Both tiers full: `world` of 4 + 8 has chain 3 in G1 and chains 1 and 2 in G2, 1 the older.
void fill_both(TieredWorld& world) {
  for (std::uint64_t number = 1; number <= 3; ++number) {
    static_cast<void>(world.compute(chain(number, 4)));
    world.cache().settle();
  }
}

TEST(ExclusiveTiers, VictimsOfG1MoveDown) {
  TieredWorld world;

  fill_both(world);

  EXPECT_EQ(world.matched(chain(1, 4)), "2222");
  EXPECT_EQ(world.matched(chain(2, 4)), "2222");
  EXPECT_EQ(world.matched(chain(3, 4)), "1111");
  EXPECT_EQ(world.arrived(), 8u);
  EXPECT_EQ(world.corrupt(), 0u);
}

TEST(ExclusiveTiers, WithBothFullAHitAndAVictimChangePlaces) {
  TieredWorld world;
  fill_both(world);

  const Onboarded onboarded = world.fetch(chain(1, 3));
  world.cache().settle();

  EXPECT_EQ(onboarded.prefix.size(), 3u);
  EXPECT_FALSE(onboarded.failure);
  EXPECT_EQ(world.matched(chain(1, 4)), "1112");
  EXPECT_EQ(world.matched(chain(3, 4)), "1222");  // its end went down, tail first
  EXPECT_EQ(world.matched(chain(2, 4)), "2222");  // nobody had to leave G2
  EXPECT_EQ(world.cache().counts().lost_blocks, 0u);
  EXPECT_EQ(world.corrupt(), 0u);
}

TEST(ExclusiveTiers, OneStagingPageIsEnoughForManyPairs) {
  TieredWorld world({.staging_blocks = 1});
  fill_both(world);
  ASSERT_EQ(world.cache().staging_blocks(), 1u);

  const Onboarded onboarded = world.fetch(chain(1, 4));
  world.cache().settle();

  EXPECT_EQ(onboarded.prefix.size(), 4u);
  EXPECT_EQ(world.matched(chain(1, 4)), "1111");
  EXPECT_EQ(world.matched(chain(3, 4)), "2222");
  EXPECT_EQ(world.cache().counts().lost_blocks, 0u);
  EXPECT_EQ(world.corrupt(), 0u);
}

TEST(ExclusiveTiers, ABlockIsNeverInBoth) {
  TieredWorld world;
  fill_both(world);

  const Onboarded onboarded = world.fetch(chain(1, 4));
  world.cache().settle();

  for (std::uint64_t number = 1; number <= 3; ++number) {
    for (const SequenceHash& hash : chain(number, 4)) EXPECT_NE(world.in_g1(hash), world.in_g2(hash));
  }
}

TEST(ExclusiveTiers, TheVictimThatCameLastIsTheYoungestInG2) {
  TieredWorld world;
  fill_both(world);
  static_cast<void>(world.compute(chain(4, 4)));  // sends chain 3 down: all of chain 1 leaves
  world.cache().settle();
  static_cast<void>(world.compute(chain(5, 2)));  // sends the end of 4 down: the end of 2 leaves
  world.cache().settle();

  EXPECT_EQ(world.matched(chain(1, 4)), "");
  EXPECT_EQ(world.matched(chain(2, 4)), "22");
  EXPECT_EQ(world.matched(chain(3, 4)), "2222");
}

TEST(ExclusiveTiers, WhatLiesInG2BehindAGapLeavesItAtOnce) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  const std::vector<SequenceHash> without{hashes[0], hashes[1], hashes[3]};
  static_cast<void>(world.compute(without));
  static_cast<void>(world.compute(chain(2, 4)));
  world.cache().settle();
  ASSERT_TRUE(world.in_g2(hashes[3]));

  const auto allocation = world.cache().allocate(std::span(hashes).last(2));

  EXPECT_FALSE(world.in_g2(hashes[3]));
  EXPECT_TRUE(world.in_g2(hashes[1]));
}

TEST(ExclusiveTiers, WhatIsComputedAnewLeavesG2) {
  TieredWorld world;
  fill_both(world);
  const auto hashes = chain(1, 2);

  auto allocation = world.cache().allocate(2);  // does not say for what
  auto blocks = std::move(*allocation).take();
  world.fill(blocks.ids(), hashes);
  const auto held = world.cache().register_blocks(std::move(std::move(blocks).stage(hashes, 4)).value());

  EXPECT_EQ(world.matched(hashes), "11");
  EXPECT_FALSE(world.in_g2(hashes[0]));
}

TEST(ExclusiveTiers, AVictimComputedAnewWhileItsPageWasUnderWayStaysOutOfG2) {
  TieredWorld world({.gated = true});
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));
  const auto allocation = world.cache().allocate(2);  // the end of the chain is on its way, and waits for the gate
  ASSERT_TRUE(allocation);
  const std::vector<SequenceHash> end(hashes.begin() + 2, hashes.end());
  auto blocks = std::move(*world.g1().allocate(2));
  world.fill(blocks.ids(), end);
  const auto held = world.g1().register_blocks(std::move(std::move(blocks).stage(end, 4)).value());

  world.open_gate();
  world.cache().settle();

  EXPECT_FALSE(world.in_g2(end[0]));
  EXPECT_FALSE(world.in_g2(end[1]));
}

TEST(ExclusiveTiers, MovingBetweenTiersIsNoUse) {
  const auto tracker = std::make_shared<ExactTracker>();
  TieredWorld world({.registry = BlockRegistry({.tracker = tracker})});
  const auto hashes = chain(1, 4);
  fill_both(world);  // computed: 1, and moved down
  EXPECT_EQ(tracker->count(hashes[0]), 1u);

  static_cast<void>(world.fetch(hashes));  // matched: 2, and moved up
  world.cache().settle();

  EXPECT_EQ(tracker->count(hashes[0]), 2u);
  EXPECT_EQ(tracker->count(chain(3, 4)[0]), 1u);
}

TEST(ExclusiveTiers, FrequencyDecidesInG2) {
  const auto tracker = std::make_shared<ExactTracker>();
  TieredWorld world({.eviction = MultiLruEviction{},
                     .registry = BlockRegistry({.tracker = tracker}),
                     .g2_blocks = 4,
                     .offload_blocks_max = 1});
  const SequenceHash hot = hash(1);
  static_cast<void>(world.compute({&hot, 1}));
  tracker->set(hot, 2);
  { const auto used = world.cache().match({&hot, 1}); }  // warm from now on
  for (std::uint64_t number = 2; number < 16; ++number) {
    static_cast<void>(world.compute(chain(number, 3)));
    world.cache().settle();
  }
  static_cast<void>(world.compute(chain(99, 4)));  // takes everything in G1
  world.cache().settle();
  static_cast<void>(world.compute(chain(100, 4)));
  world.cache().settle();

  EXPECT_TRUE(world.in_g2(hot));
}

}  // namespace
}  // namespace kvbm::test
