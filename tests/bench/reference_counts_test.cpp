// The counts that an independent simulator gives for the trace in the repository (eviction.md 4). Sizes are 0.5, 1, 2,
// 5, 10 and 30 % of the trace's distinct blocks.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/support/policies.hpp"
#include "bench/support/replay.hpp"
#include "tests/bench/recorded_trace.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::bench {
namespace {

constexpr std::array<std::uint32_t, 6> kSizes{913, 1827, 3655, 9139, 18279, 54837};
constexpr std::array<std::uint64_t, 6> kTailFirst{12691, 15136, 22865, 56479, 80466, 103205};

ReplayCounts replayed(std::string_view policy, std::uint32_t blocks, ReleaseOrder order) {
  const BlockManager<G1> manager = test::manager(options_for(*find_policy(policy), blocks));
  PagePool pages(blocks, PagePool::kFewestPageBytes);
  Replay replay(manager, pages, order);
  for (const std::vector<SequenceHash>& request : recorded_requests()) replay.serve(request);
  EXPECT_EQ(manager.available_blocks(), blocks);
  EXPECT_EQ(replay.counts().input_blocks, 288'500u);
  EXPECT_EQ(replay.counts().corrupt_pages, 0u);
  return replay.counts();
}

void expect_hits(std::string_view policy, ReleaseOrder order, const std::array<std::uint64_t, 6>& hits) {
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    EXPECT_EQ(replayed(policy, kSizes[i], order).hit_blocks, hits[i]) << policy << ", " << kSizes[i] << " blocks";
  }
}

TEST(ReferenceCounts, LruReleasedTailFirst) { expect_hits("lru", ReleaseOrder::TailFirst, kTailFirst); }

TEST(ReferenceCounts, LruReleasedHeadFirst) {
  expect_hits("lru", ReleaseOrder::HeadFirst, {12560, 15080, 22703, 56382, 80323, 103205});
}

TEST(ReferenceCounts, FifoIsLru) { expect_hits("fifo", ReleaseOrder::TailFirst, kTailFirst); }

TEST(ReferenceCounts, LineageReleasedTailFirst) { expect_hits("lineage", ReleaseOrder::TailFirst, kTailFirst); }

TEST(ReferenceCounts, LineageDoesNotCareAboutTheReleaseOrder) {
  expect_hits("lineage", ReleaseOrder::HeadFirst, kTailFirst);
}

TEST(ReferenceCounts, MultiLruWithinHalfAPercent) {  // its counts come from a sketch, the simulator's are exact
  constexpr std::array<double, 6> kHits{21031, 28155, 39949, 51239, 71007, 102874};
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    const ReplayCounts counts = replayed("multi-lru", kSizes[i], ReleaseOrder::TailFirst);
    EXPECT_NEAR(static_cast<double>(counts.hit_blocks), kHits[i], 0.005 * kHits[i]) << kSizes[i] << " blocks";
  }
}

}  // namespace
}  // namespace kvbm::bench
