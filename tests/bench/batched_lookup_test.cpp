#include "bench/support/batched_lookup.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

#include "bench/support/policies.hpp"
#include "bench/support/replay.hpp"
#include "bench/support/trace_reader.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint64_t kSeed = 12;
constexpr std::size_t kLookupPageBytes = 64;

/// Requests that share prefixes, repeat and evict one another.
std::vector<std::vector<SequenceHash>> family_requests() {
  std::mt19937_64 random(kSeed);
  std::vector<std::vector<SequenceHash>> all;
  for (int i = 0; i < 300; ++i) {
    std::vector<std::uint64_t> ids;
    const std::uint64_t family = random() % 12;
    for (std::uint64_t k = random() % 12; k-- > 0;) ids.push_back(ids.empty() ? family : random() % 3);
    all.push_back(lineage_of(ids));
  }
  return all;
}

struct Played {
  ReplayCounts counts;
  std::uint64_t evictions;
  std::uint64_t hinted;

  friend bool operator==(const Played& a, const Played& b) {
    return a.counts.hit_blocks == b.counts.hit_blocks && a.counts.verified_pages == b.counts.verified_pages &&
           a.evictions == b.evictions;
  }
};

Played play(std::string_view policy, LookupKind kind, std::size_t batch) {
  ManagerOptions options = options_for(*find_policy(policy), 24);
  options.change_log = 64;
  const auto manager = test::manager(std::move(options));
  PagePool pages(24, kLookupPageBytes);
  Replay replay(manager, pages, ReleaseOrder::TailFirst);
  BatchedLookup lookup(kind, manager);
  const auto all = family_requests();
  for (std::size_t first = 0; first < all.size(); first += batch) {
    const auto part = std::span(all).subspan(first, std::min(batch, all.size() - first));
    lookup.look_up(part);
    for (std::size_t i = 0; i < part.size(); ++i) replay.serve(part[i], lookup.hints(i));
  }
  manager.check_invariants();
  EXPECT_EQ(replay.counts().corrupt_pages, 0u);
  return {replay.counts(), manager.metrics().evictions, lookup.costs().hinted_blocks};
}

class BatchedLookupTest : public testing::TestWithParam<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(Policies, BatchedLookupTest, testing::Values("lru", "multi-lru", "lineage"));

TEST_P(BatchedLookupTest, HitsAndEvictionsAreThoseOfTheSerialReplayForEveryBatch) {
  const Played serial = play(GetParam(), LookupKind::None, 1);
  ASSERT_GT(serial.counts.hit_blocks, 100u);
  ASSERT_GT(serial.evictions, 100u);

  for (const std::size_t batch : {1u, 2u, 7u, 64u, 1000u}) {
    const Played batched = play(GetParam(), LookupKind::Host, batch);
    EXPECT_EQ(batched, serial) << "batches of " << batch << ", seed " << kSeed;
  }
}

TEST_P(BatchedLookupTest, ABatchOfOneIsHintedAllItsHits) {
  const Played played = play(GetParam(), LookupKind::Host, 1);

  EXPECT_EQ(played.hinted, played.counts.hit_blocks);
}

TEST_P(BatchedLookupTest, ALookUpKnowsNothingOfItsOwnBatch) {
  EXPECT_EQ(play(GetParam(), LookupKind::Host, 1000).hinted, 0u);
}

}  // namespace
}  // namespace kvbm::bench
