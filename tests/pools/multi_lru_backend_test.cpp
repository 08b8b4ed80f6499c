#include "src/host/pools/backends/multi_lru_backend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "kvbm/registry/frequency_sketch.hpp"
#include "tests/support/backend_bench.hpp"
#include "tests/support/exact_tracker.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::ExactTracker;
using test::hash;
using Ids = std::vector<BlockId>;

void touch(FrequencyTracker& tracker, const SequenceHash& hash, int times) {
  for (int i = 0; i < times; ++i) tracker.touch(hash);
}

class MultiLruBackendTest : public testing::Test {
 protected:
  [[nodiscard]] std::uint32_t level(BlockId id) { return bench_.table()[id].links.place; }
  /// hash(id) in slot `id` becomes idle with this count.
  void insert(BlockId id, std::uint32_t count) {
    tracker_->set(hash(id), count);
    bench_.insert(hash(id), id);
  }

  std::shared_ptr<ExactTracker> tracker_ = std::make_shared<ExactTracker>();
  test::BackendBench bench_{32, std::make_unique<MultiLruBackend>(MultiLruEviction{}.thresholds, tracker_)};
};

TEST(MultiLruBackend, SortsByTouchesOfARealSketch) {  // logical.md 18.16 case 189
  const auto sketch = make_frequency_tracker(FrequencyTrackingCapacity::Small);
  test::BackendBench bench(8, std::make_unique<MultiLruBackend>(std::array<std::uint8_t, 3>{2, 6, 15}, sketch));
  const std::vector hashes{hash(0), hash(1), hash(2), hash(3)};
  touch(*sketch, hashes[1], 2);
  touch(*sketch, hashes[2], 6);
  touch(*sketch, hashes[3], 16);

  for (BlockId id = 4; id-- > 0;) bench.insert(hashes[id], id);

  for (BlockId id = 0; id < 4; ++id) EXPECT_EQ(bench.table()[id].links.place, id);
  EXPECT_EQ(bench.find(hashes).size(), 4u);
}

TEST_F(MultiLruBackendTest, EvictsTheColdInOrderOfRelease) {  // case 190
  insert(0, 0);
  insert(1, 0);
  insert(2, 6);

  EXPECT_EQ(bench_.evict(2), (Ids{0, 1}));
  EXPECT_TRUE(bench_.has(hash(2)));
}

TEST_F(MultiLruBackendTest, OneLookUpFindsAcrossLevels) {  // case 191
  insert(0, 0);
  insert(1, 3);
  insert(2, 8);
  insert(3, 15);

  EXPECT_EQ(bench_.find(std::vector{hash(3), hash(0), hash(2), hash(1)}).size(), 4u);
  EXPECT_EQ(bench_.size(), 0u);
}

TEST_F(MultiLruBackendTest, FillsTheUpperLevelsAlone) {  // case 192, one threshold further
  insert(0, 3);
  insert(1, 8);
  insert(2, 15);
  insert(3, 15);

  EXPECT_EQ((std::array{level(0), level(1), level(2), level(3)}), (std::array{1u, 2u, 3u, 3u}));
  EXPECT_EQ(bench_.evict(4), (Ids{0, 1, 2, 3}));
}

TEST_F(MultiLruBackendTest, LevelsBeginAtTheirThresholds) {
  const std::array<std::uint32_t, 8> counts{0, 2, 3, 7, 8, 14, 15, 100};
  const std::array<std::uint32_t, 8> levels{0, 0, 1, 1, 2, 2, 3, 3};
  for (BlockId id = 0; id < 8; ++id) {
    insert(id, counts[id]);
    EXPECT_EQ(level(id), levels[id]) << counts[id];
  }
}

TEST_F(MultiLruBackendTest, TheRecordedOrder) {  // logical.md 13.4
  const std::array<std::uint32_t, 6> counts{0, 2, 3, 7, 8, 15};
  for (BlockId id = 6; id-- > 0;) insert(id, counts[id]);

  EXPECT_EQ(bench_.evict_all(), (Ids{1, 0, 3, 2, 4, 5}));
}

TEST_F(MultiLruBackendTest, TheLevelOfAnIdleBlockIsFrozen) {  // case 193
  insert(1, 3);
  insert(0, 0);
  touch(*tracker_, hash(0), 20);

  EXPECT_EQ(bench_.evict(1), Ids{0});
}

TEST_F(MultiLruBackendTest, AgingMovesNoIdleBlock) {
  insert(0, 8);
  tracker_->set(hash(0), 0);
  insert(1, 3);

  EXPECT_EQ(bench_.evict(1), Ids{1});
}

TEST_F(MultiLruBackendTest, ABlockReleasedAgainIsSortedAnew) {  // case 194
  insert(0, 0);
  insert(1, 3);
  ASSERT_TRUE(bench_.take(hash(0), 0));
  touch(*tracker_, hash(0), 8);
  bench_.insert(hash(0), 0);

  EXPECT_EQ(level(0), 2u);
  EXPECT_EQ(bench_.evict_all(), (Ids{1, 0}));
}

TEST_F(MultiLruBackendTest, TheLevelIsChosenForEachVictim) {  // logical.md 13.4
  insert(0, 3);
  insert(1, 0);

  EXPECT_EQ(bench_.evict(1), Ids{1});
  insert(2, 0);
  EXPECT_EQ(bench_.evict(2), (Ids{2, 0}));
}

TEST_F(MultiLruBackendTest, EachLevelHoldsAllBlocks) {
  for (const std::uint32_t count : {0u, 3u, 8u, 15u}) {
    for (BlockId id = 0; id < 32; ++id) insert(id, count);
    EXPECT_EQ(bench_.evict_all().size(), 32u);
  }
}

TEST_F(MultiLruBackendTest, ReadsCountsOnlyWhenABlockBecomesIdle) {
  auto tracker = std::make_shared<test::CountingTracker>();
  test::BackendBench bench(4, std::make_unique<MultiLruBackend>(MultiLruEviction{}.thresholds, tracker));

  for (BlockId id = 0; id < 3; ++id) bench.insert(hash(id), id);
  EXPECT_EQ(tracker->counts(), 3u);

  ASSERT_TRUE(bench.take(hash(0), 0));
  EXPECT_EQ(bench.evict(2).size(), 2u);
  EXPECT_EQ(tracker->counts(), 3u);
  EXPECT_EQ(tracker->touches(), 0u);  // the order counts no uses of its own
}

/// Options are checked before a backend is made (cases 9 to 13); what passes them by is a bug.
TEST(MultiLruBackendDeathTest, RefusesBadThresholds) {  // case 195
  using Thresholds = std::array<std::uint8_t, 3>;
  const auto tracker = std::make_shared<NoFrequencyTracker>();

  for (const Thresholds& bad : {Thresholds{6, 2, 10}, {2, 6, 20}, {0, 2, 3}, {3, 3, 8}, {3, 8, 8}}) {
    EXPECT_DEATH(MultiLruBackend(bad, tracker), "thresholds must ascend from 1 to 15");
  }
  EXPECT_DEATH(MultiLruBackend(MultiLruEviction{}.thresholds, nullptr), "needs a frequency tracker");
}

TEST(MultiLruBackend, TakesTheOutermostThresholds) {
  const auto tracker = std::make_shared<NoFrequencyTracker>();

  MultiLruBackend lowest({1, 2, 3}, tracker);
  MultiLruBackend highest({13, 14, 15}, tracker);

  EXPECT_EQ(lowest.size() + highest.size(), 0u);
}

}  // namespace
}  // namespace kvbm
