#include <gtest/gtest.h>

#include <concepts>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/eviction_cases.hpp"
#include "tests/support/managers.hpp"

// Prefix matches: logical.md 18.5, cases 75 to 87.

namespace kvbm {
namespace {

static_assert(std::same_as<decltype(std::declval<const BlockManager<G1>&>().match_blocks({})),
                           BlockRun<ImmutableBlock<G1>>>);  // case 86: a match is a run of immutable guards
static_assert(!BlockRun<ImmutableBlock<G1>>::kMutable && BlockRun<ImmutableBlock<G1>>::kImmutable);

class MatchBlocks : public test::UnderEachEviction {
 protected:
  /// Registers a chain and keeps guards only of the blocks marked 'A' (active); those marked 'I' become idle, those
  /// marked '-' are registered nowhere.
  void arrange(const BlockManager<G1>& manager, const std::vector<SequenceHash>& hashes, const std::string& states) {
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (states[i] == '-') continue;
      ImmutableBlock<G1> block = test::registered(manager, hashes[i]);
      if (states[i] == 'A') held_.push_back(std::move(block));
    }
  }

  std::vector<ImmutableBlock<G1>> held_;
};

/// Whether the run's hashes are the first of `hashes`.
testing::AssertionResult is_prefix(const BlockRun<ImmutableBlock<G1>>& run, const std::vector<SequenceHash>& hashes) {
  for (std::uint32_t i = 0; i < run.size(); ++i) {
    if (run.hash(i) != hashes[i]) return testing::AssertionFailure() << "another hash at " << i;
  }
  return testing::AssertionSuccess();
}

TEST_P(MatchBlocks, FindsNothingUnderAnUnknownHash) {  // case 75
  const auto manager = this->manager(10);

  const auto match = manager.match_blocks(test::chain(1, 1));

  EXPECT_TRUE(match.empty());
  EXPECT_EQ(manager.metrics().match_hashes_requested, 1u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 0u);
}

TEST_P(MatchBlocks, FindsAnIdleSequenceWholeAndInOrder) {  // case 76
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 4);
  arrange(manager, hashes, "IIII");

  const auto match = manager.match_blocks(hashes);

  EXPECT_EQ(match.size(), 4u);
  EXPECT_TRUE(is_prefix(match, hashes));
  EXPECT_EQ(manager.metrics().match_hashes_requested, 4u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 4u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
}

TEST_P(MatchBlocks, ReturnsTheLongestRegisteredPrefix) {  // case 77
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 3);
  arrange(manager, hashes, "II-");

  const auto match = manager.match_blocks(hashes);

  EXPECT_EQ(match.size(), 2u);
  EXPECT_EQ(manager.metrics().match_hashes_requested, 3u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 2u);
}

TEST_P(MatchBlocks, CrossesFromActiveToIdleAndBack) {  // case 78
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 6);
  arrange(manager, hashes, "AAIIAA");

  const auto match = manager.match_blocks(hashes);

  EXPECT_EQ(match.size(), 6u);
  EXPECT_TRUE(is_prefix(match, hashes));
}

TEST_P(MatchBlocks, ReachesAnActiveBlockBehindAnIdleOne) {  // case 79
  const auto manager = this->manager(10);
  const auto two = test::chain(1, 2);
  const auto three = test::chain(2, 3);
  arrange(manager, two, "IA");
  arrange(manager, three, "AIA");

  EXPECT_EQ(manager.match_blocks(two).size(), 2u);
  EXPECT_EQ(manager.match_blocks(three).size(), 3u);
}

TEST_P(MatchBlocks, StopsAtTheFirstMissThoughMoreIsRegisteredBehind) {  // case 80
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 4);
  arrange(manager, hashes, "AA-A");

  EXPECT_EQ(manager.match_blocks(hashes).size(), 2u);
}

TEST_P(MatchBlocks, LeavesIdleBlocksBehindTheMissIdle) {
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 4);
  arrange(manager, hashes, "II-I");

  const auto match = manager.match_blocks(hashes);

  EXPECT_EQ(match.size(), 2u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
}

TEST_P(MatchBlocks, OfNoHashesChangesNoCounter) {  // case 81
  const auto manager = this->manager(10);
  arrange(manager, test::chain(1, 1), "I");
  const PoolMetrics before = manager.metrics();

  const auto match = manager.match_blocks({});

  EXPECT_EQ(manager.metrics(), before);
}

TEST_P(MatchBlocks, CountsOneUseOfEachReturnedBlock) {  // case 82
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 6);
  arrange(manager, hashes, "AIAIA-");
  tracker_->reset();

  const auto match = manager.match_blocks(hashes);

  EXPECT_EQ(match.size(), 5u);
  EXPECT_EQ(tracker_->touches(), 5u);
}

TEST_P(MatchBlocks, ThatFindsNothingCountsNoUse) {  // case 83
  const auto manager = this->manager(10);
  arrange(manager, test::chain(1, 3), "AII");
  tracker_->reset();

  const auto match = manager.match_blocks(test::chain(2, 3));

  EXPECT_TRUE(match.empty());
  EXPECT_EQ(tracker_->touches(), 0u);
}

TEST_P(MatchBlocks, CountsOneUseOfAnIdleBlockAndOneOfAnActiveOne) {  // case 84
  const auto manager = this->manager(10);
  const auto idle = test::chain(1, 1);
  const auto active = test::chain(2, 1);
  arrange(manager, idle, "I");
  arrange(manager, active, "A");

  tracker_->reset();
  const auto first = manager.match_blocks(idle);
  EXPECT_EQ(tracker_->touches(), 1u);

  tracker_->reset();
  const auto second = manager.match_blocks(active);
  EXPECT_EQ(tracker_->touches(), 1u);
}

TEST_P(MatchBlocks, OfOneIdleHashTwiceHoldsTheBlockTwice) {  // case 85
  const auto manager = this->manager(10);
  const SequenceHash hash = test::hash(1);
  arrange(manager, {hash}, "I");
  const std::vector<SequenceHash> twice{hash, hash};

  const std::vector<ImmutableBlock<G1>> blocks = manager.match_blocks(twice).into_blocks();

  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].id(), blocks[1].id());
  EXPECT_EQ(blocks[0].use_count(), 2u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
}

TEST_P(MatchBlocks, OfOneHashTwiceKeepsTheBlockUntilBothElementsAreGone) {  // case 85
  const auto manager = this->manager(10);
  const SequenceHash hash = test::hash(1);
  arrange(manager, {hash}, "I");
  const std::vector<SequenceHash> twice{hash, hash};
  std::vector<ImmutableBlock<G1>> blocks = manager.match_blocks(twice).into_blocks();

  blocks.pop_back();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  blocks.pop_back();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
}

TEST_P(MatchBlocks, YieldsGuardsThatCanBeDowngraded) {  // case 86
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 1);
  arrange(manager, hashes, "I");
  const auto match = manager.match_blocks(hashes);

  const WeakBlock<G1> weak = match.block(0).downgrade();

  EXPECT_EQ(weak.hash(), hashes[0]);
  EXPECT_EQ(weak.upgrade()->id(), match.id(0));
}

TEST_P(MatchBlocks, OfNoHashesIsEmpty) {  // case 87
  const auto manager = this->manager(10);
  arrange(manager, test::chain(1, 2), "AI");

  const auto match = manager.match_blocks({});

  EXPECT_TRUE(match.empty());
  EXPECT_EQ(match.size(), 0u);
  EXPECT_TRUE(match.ids().empty());
}

TEST_P(MatchBlocks, GoesBackToTheInactivePoolWhenDropped) {
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 4);
  arrange(manager, hashes, "IIII");

  {
    const auto match = manager.match_blocks(hashes);
    EXPECT_EQ(manager.metrics().inflight_immutable, 4);
  }

  EXPECT_EQ(manager.metrics().inflight_immutable, 0);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 4);
  EXPECT_EQ(manager.match_blocks(hashes).size(), 4u);
}

TEST_P(MatchBlocks, NeverReturnsADuplicate) {
  const auto manager = this->manager(10);
  const auto hashes = test::chain(1, 1);
  const auto primary = test::registered(manager, hashes[0]);
  const auto duplicate = test::registered(manager, hashes[0]);

  EXPECT_EQ(manager.match_blocks(hashes).id(0), primary.id());
  EXPECT_NE(primary.id(), duplicate.id());
}

// The single form answers for one hash what the run does.

TEST_P(MatchBlocks, OneBlockIsFoundActiveOrIdleAndCountedOnce) {
  const auto manager = this->manager(10);
  arrange(manager, {test::hash(1)}, "A");
  arrange(manager, {test::hash(2)}, "I");
  tracker_->reset();

  const std::optional<ImmutableBlock<G1>> active = manager.match_block(test::hash(1));
  const std::optional<ImmutableBlock<G1>> idle = manager.match_block(test::hash(2));

  ASSERT_TRUE(active && idle);
  EXPECT_EQ(active->hash(), test::hash(1));
  EXPECT_EQ(idle->hash(), test::hash(2));
  EXPECT_EQ(tracker_->touches(), 2u);
  EXPECT_EQ(manager.metrics().match_hashes_requested, 2u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 2u);
}

TEST_P(MatchBlocks, OneBlockThatIsUnknownIsRequestedButNeitherReturnedNorCounted) {
  const auto manager = this->manager(10);

  EXPECT_FALSE(manager.match_block(test::hash(1)));

  EXPECT_EQ(manager.metrics().match_hashes_requested, 1u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 0u);
  EXPECT_EQ(tracker_->touches(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, MatchBlocks, testing::ValuesIn(test::eviction_cases()), test::eviction_name);

}  // namespace
}  // namespace kvbm
