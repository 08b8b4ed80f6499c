// physical.md 6.10, matching

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

const TieredWorld::Options kInclusive{.mode = TierMode::Inclusive, .offload = OffloadPolicy::WhenAsked};

TEST(TieredMatch, OfNothingIsEmpty) {
  TieredWorld world;

  EXPECT_EQ(world.matched({}), "");
  EXPECT_EQ(world.matched(chain(1, 3)), "");
}

TEST(TieredMatch, FindsAllInG1) {
  TieredWorld world;
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);

  EXPECT_EQ(world.matched(hashes), "111");
}

TEST(TieredMatch, GoesOnInG2WhereG1Ends) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));
  static_cast<void>(world.compute(chain(2, 2)));  // the two at the end have to go
  world.cache().settle();

  EXPECT_EQ(world.matched(hashes), "1122");
  EXPECT_EQ(world.cache().counts().offloaded_blocks, 2u);
}

TEST(TieredMatch, MayAlternate) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  auto run = world.compute(hashes);
  const auto first = run.block(0), third = run.block(2);
  { const auto dropped = std::move(run); }
  static_cast<void>(world.compute(chain(2, 2)));  // takes the other two
  world.cache().settle();

  EXPECT_EQ(world.matched(hashes), "1212");
}

TEST(TieredMatch, EndsAtTheFirstHole) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  const std::vector<SequenceHash> without{hashes[0], hashes[1], hashes[3]};
  const auto held = world.compute(without);

  EXPECT_EQ(world.matched(hashes), "11");
  EXPECT_EQ(world.matched(std::span(hashes).last(2)), "");
}

TEST(TieredMatch, CountsABlockOfBothTiersForG1) {
  TieredWorld world(kInclusive);
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);
  world.cache().offload(hashes);
  world.cache().settle();

  const TieredMatch match = world.cache().match(hashes);

  EXPECT_TRUE(world.in_g2(hashes[0]));
  EXPECT_EQ(match.g1_blocks(), 3u);
  EXPECT_EQ(match.g2_blocks(), 0u);
}

TEST(TieredMatch, HoldsWhatItFoundInBothTiers) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));
  static_cast<void>(world.compute(chain(2, 2)));
  world.cache().settle();

  {
    const TieredMatch match = world.cache().match(hashes);
    EXPECT_EQ(world.g1().available_blocks(), 2u);
    EXPECT_EQ(world.g2().available_blocks(), 6u);
  }

  world.expect_sound(hashes);
}

TEST(TieredMatch, CountsEachUseOnce) {
  const auto tracker = std::make_shared<CountingTracker>();
  TieredWorld world({.registry = BlockRegistry({.tracker = tracker})});
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));
  static_cast<void>(world.compute(chain(2, 2)));
  world.cache().settle();
  tracker->reset();

  EXPECT_EQ(world.matched(hashes), "1122");

  EXPECT_EQ(tracker->touches(), 4u);
}

}  // namespace
}  // namespace kvbm::test
