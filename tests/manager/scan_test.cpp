#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/eviction_cases.hpp"
#include "tests/support/managers.hpp"

// Scans, which find whatever is there of a set of hashes: logical.md 18.7, cases 91 to 95. Their result is a run of the
// different hits, in order of first occurrence, where the reference has a map.

namespace kvbm {
namespace {

using Hashes = std::vector<SequenceHash>;

class ScanMatches : public test::UnderEachEviction {
 protected:
  /// Roots, all registered and idle.
  [[nodiscard]] static Hashes idle(const BlockManager<G1>& manager, std::size_t count) {
    Hashes hashes;
    for (std::size_t i = 0; i < count; ++i) {
      hashes.push_back(test::hash(i));
      (void)test::registered(manager, hashes.back());
    }
    return hashes;
  }
  const SequenceHash missing_ = test::hash(1000);
};

TEST_P(ScanMatches, ReturnsARepeatedHashOnceAndLeavesMissesOut) {  // case 91
  const auto manager = this->manager(10);
  const auto active = test::registered(manager, test::hash(1));

  const auto found = manager.scan_matches(Hashes{test::hash(1), test::hash(1), missing_}, true);

  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.id(0), active.id());
  EXPECT_EQ(found.hash(0), test::hash(1));
}

TEST_P(ScanMatches, CountsOccurrencesAskedForAndDifferentBlocksFound) {  // case 91
  const auto manager = this->manager(10);
  const auto active = test::registered(manager, test::hash(1));

  const auto found = manager.scan_matches(Hashes{test::hash(1), test::hash(1), missing_}, true);

  EXPECT_EQ(manager.metrics().scan_hashes_requested, 3u);
  EXPECT_EQ(manager.metrics().scan_blocks_returned, 1u);
  EXPECT_EQ(manager.metrics().match_hashes_requested, 0u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 0u);
}

TEST_P(ScanMatches, HoldsIdleBlocksUntilItsResultIsDropped) {  // case 92
  const auto manager = this->manager(10);
  const Hashes hashes = idle(manager, 3);

  {
    const auto found = manager.scan_matches(Hashes{hashes[0], missing_, hashes[2]}, false);
    EXPECT_EQ(found.size(), 2u);
    EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  }

  EXPECT_EQ(manager.metrics().inactive_pool_size, 3);
  manager.check_invariants();
}

TEST_P(ScanMatches, CountsAUseOnlyIfAskedTo) {  // case 93
  const auto manager = this->manager(10);
  const Hashes hashes = idle(manager, 1);

  tracker_->reset();
  (void)manager.scan_matches(hashes, true);
  EXPECT_EQ(tracker_->touches(), 1u);

  tracker_->reset();
  (void)manager.scan_matches(hashes, false);
  EXPECT_EQ(tracker_->touches(), 0u);
}

TEST_P(ScanMatches, CountsEachOccurrenceOfAHashThatOnlyTheRegistryKnows) {  // case 94
  const auto manager = this->manager(10);
  const Registration known = registry_.register_hash(test::hash(1));
  tracker_->reset();

  const auto found = manager.scan_matches(Hashes{test::hash(1), test::hash(1)}, true);

  EXPECT_TRUE(found.empty());
  EXPECT_EQ(tracker_->touches(), 2u);
}

TEST_P(ScanMatches, OfARepeatedActiveHashAddsOneHolder) {  // case 95
  const auto manager = this->manager(10);
  const auto active = test::registered(manager, test::hash(1));

  const auto found = manager.scan_matches(Hashes{test::hash(1), test::hash(1)}, true);

  EXPECT_EQ(manager.metrics().inflight_immutable, 2);
  EXPECT_EQ(active.use_count(), 2u);
}

TEST_P(ScanMatches, CountsUsesOfHashesThatOnlyAnotherTierHolds) {
  const auto manager = this->manager(10);
  const auto lower = this->manager<G2>(10);
  const auto there = test::registered(lower, test::hash(1));
  tracker_->reset();

  const auto found = manager.scan_matches(Hashes{test::hash(1), missing_}, true);

  EXPECT_TRUE(found.empty());
  EXPECT_EQ(tracker_->touches(), 1u);
}

TEST_P(ScanMatches, CountsEachOccurrenceOfMoreHashesThanFitOneBatch) {
  const auto manager = this->manager(200);
  Hashes hashes = idle(manager, 150);
  hashes.push_back(missing_);
  hashes.push_back(hashes[0]);
  tracker_->reset();

  const auto found = manager.scan_matches(hashes, true);

  EXPECT_EQ(found.size(), 150u);
  EXPECT_EQ(tracker_->touches(), 151u);
}

TEST_P(ScanMatches, ReturnsHitsInOrderOfFirstOccurrence) {
  const auto manager = this->manager(10);
  const Hashes hashes = idle(manager, 4);

  const auto found = manager.scan_matches(Hashes{hashes[2], missing_, hashes[0], hashes[2], hashes[3]}, false);

  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found.hash(0), hashes[2]);
  EXPECT_EQ(found.hash(1), hashes[0]);
  EXPECT_EQ(found.hash(2), hashes[3]);
}

TEST_P(ScanMatches, FindsAHashAgainInTheNextScan) {
  const auto manager = this->manager(10);
  const Hashes hashes = idle(manager, 2);

  const auto first = manager.scan_matches(hashes, false);
  const auto second = manager.scan_matches(hashes, false);

  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ(second.size(), 2u);
}

TEST_P(ScanMatches, OfNoHashesIsEmptyAndChangesNoCounter) {
  const auto manager = this->manager(10);
  (void)idle(manager, 1);
  const PoolMetrics before = manager.metrics();

  const auto found = manager.scan_matches({}, true);

  EXPECT_TRUE(found.empty());
  EXPECT_EQ(manager.metrics(), before);
}

INSTANTIATE_TEST_SUITE_P(Backends, ScanMatches, testing::ValuesIn(test::eviction_cases()), test::eviction_name);

}  // namespace
}  // namespace kvbm
