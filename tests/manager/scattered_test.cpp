#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/eviction_cases.hpp"
#include "tests/support/managers.hpp"

// Matches of hashes that need not follow each other: logical.md 18.6, cases 88 to 90.

namespace kvbm {
namespace {

class MatchScattered : public test::UnderEachEviction {
 protected:
  const SequenceHash active_ = test::hash(1);
  const SequenceHash missing_ = test::hash(2);
  const SequenceHash idle_ = test::hash(3);
  const SequenceHash later_ = test::hash(4);
};

TEST_P(MatchScattered, AnswersEachPlaceOnItsOwn) {  // case 88
  const auto manager = this->manager(10);
  const auto active = test::registered(manager, active_);
  (void)test::registered(manager, idle_);
  const auto later = test::registered(manager, later_);
  const std::vector<SequenceHash> hashes{active_, missing_, idle_, idle_, later_};

  const SparseRun<G1> match = manager.match_scattered(hashes);

  ASSERT_EQ(match.size(), 5u);
  EXPECT_EQ(match.ids()[0], active.id());
  EXPECT_FALSE(match.has(1));
  EXPECT_EQ(match.ids()[1], kNoBlock);
  EXPECT_EQ(match.ids()[2], match.ids()[3]);
  EXPECT_EQ(match.ids()[4], later.id());
  EXPECT_EQ(match.found(), 4u);
}

TEST_P(MatchScattered, CountsOccurrencesAsMatchesAndNothingAsScans) {  // case 88
  const auto manager = this->manager(10);
  const auto active = test::registered(manager, active_);
  (void)test::registered(manager, idle_);
  const auto later = test::registered(manager, later_);
  const std::vector<SequenceHash> hashes{active_, missing_, idle_, idle_, later_};

  const SparseRun<G1> match = manager.match_scattered(hashes);

  EXPECT_EQ(manager.metrics().match_hashes_requested, 5u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 4u);
  EXPECT_EQ(manager.metrics().scan_hashes_requested, 0u);
  EXPECT_EQ(manager.metrics().scan_blocks_returned, 0u);
}

TEST_P(MatchScattered, OfNoHashesIsEmptyAndChangesNoCounter) {  // case 89
  const auto manager = this->manager(10);
  (void)test::registered(manager, idle_);
  const PoolMetrics before = manager.metrics();

  const SparseRun<G1> match = manager.match_scattered({});

  EXPECT_EQ(match.size(), 0u);
  EXPECT_EQ(match.found(), 0u);
  EXPECT_EQ(manager.metrics(), before);
}

TEST_P(MatchScattered, CountsOneUseOfEachHit) {  // case 90
  const auto manager = this->manager(10);
  const auto active = test::registered(manager, active_);
  (void)test::registered(manager, idle_);
  const std::vector<SequenceHash> hashes{active_, missing_, idle_, idle_};
  tracker_->reset();

  const SparseRun<G1> match = manager.match_scattered(hashes);

  EXPECT_EQ(match.found(), 3u);
  EXPECT_EQ(tracker_->touches(), 3u);
}

TEST_P(MatchScattered, HoldsARepeatedBlockOnceForEachPlace) {
  const auto manager = this->manager(10);
  (void)test::registered(manager, idle_);
  const std::vector<SequenceHash> hashes{idle_, idle_, idle_};

  const SparseRun<G1> match = manager.match_scattered(hashes);

  EXPECT_EQ(match.block(0)->use_count(), 4u);  // the three places, and the guard that asks
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
}

TEST_P(MatchScattered, GivesNoGuardAtAMiss) {
  const auto manager = this->manager(10);
  const auto active = test::registered(manager, active_);
  const std::vector<SequenceHash> hashes{missing_, active_};

  const SparseRun<G1> match = manager.match_scattered(hashes);

  EXPECT_FALSE(match.block(0));
  EXPECT_EQ(match.block(1)->id(), active.id());
}

TEST_P(MatchScattered, PutsIdleBlocksBackWhenDropped) {
  const auto manager = this->manager(10);
  (void)test::registered(manager, idle_);
  (void)test::registered(manager, later_);
  const std::vector<SequenceHash> hashes{idle_, missing_, later_};

  std::optional<SparseRun<G1>> match(manager.match_scattered(hashes));
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  match.reset();

  EXPECT_EQ(manager.metrics().inactive_pool_size, 2);
  EXPECT_EQ(manager.metrics().inflight_immutable, 0);
  manager.check_invariants();
}

TEST_P(MatchScattered, OfOnlyMissesHoldsNothing) {
  const auto manager = this->manager(10);
  const std::vector<SequenceHash> hashes{missing_, later_};

  const SparseRun<G1> match = manager.match_scattered(hashes);

  EXPECT_EQ(match.size(), 2u);
  EXPECT_EQ(match.found(), 0u);
  EXPECT_EQ(tracker_->touches(), 0u);
  EXPECT_EQ(manager.available_blocks(), 10u);
}

TEST_P(MatchScattered, OutlivesTheManager) {
  std::optional<BlockManager<G1>> manager(this->manager(10));
  const auto active = test::registered(*manager, active_);
  const std::vector<SequenceHash> hashes{missing_, active_};
  const SparseRun<G1> match = manager->match_scattered(hashes);

  manager.reset();

  EXPECT_EQ(match.block(1)->hash(), active_);
}

INSTANTIATE_TEST_SUITE_P(Backends, MatchScattered, testing::ValuesIn(test::eviction_cases()), test::eviction_name);

}  // namespace
}  // namespace kvbm
