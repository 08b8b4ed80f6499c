#include "bench/support/replay.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/support/policies.hpp"
#include "bench/support/trace_reader.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::bench {
namespace {

constexpr std::size_t kPageBytes = 64;

/// A small tier and a replay through it.
struct World {
  BlockManager<G1> manager;
  PagePool pages;
  Replay replay;

  World(std::string_view policy, std::uint32_t blocks, ReleaseOrder order)
      : manager(test::manager(options_for(*find_policy(policy), blocks))),
        pages(blocks, kPageBytes),
        replay(manager, pages, order) {}

  void serve(const std::vector<std::uint64_t>& ids) { replay.serve(lineage_of(ids)); }
  [[nodiscard]] const ReplayCounts& counts() const { return replay.counts(); }
  [[nodiscard]] std::uint64_t evicted() const { return manager.metrics().evictions; }
};

void serve_hand_example(World& world) {
  world.serve({1, 2, 3});
  world.serve({1, 4});
  world.serve({5, 6});
  world.serve({1, 2});
}

class HandExample : public testing::TestWithParam<std::string_view> {};

TEST_P(HandExample, TailFirstHitsTwoOfNine) {  // eviction.md 2, LRU tail first; lineage and fifo give the same
  World world(GetParam(), 4, ReleaseOrder::TailFirst);

  serve_hand_example(world);

  EXPECT_EQ(world.counts().requests, 4u);
  EXPECT_EQ(world.counts().input_blocks, 9u);
  EXPECT_EQ(world.counts().hit_blocks, 2u);
  EXPECT_EQ(world.counts().verified_pages, 2u);
  EXPECT_EQ(world.counts().corrupt_pages, 0u);
  EXPECT_EQ(world.evicted(), 3u);
  world.manager.check_invariants();
}

TEST_P(HandExample, TailFirstEvictsInTheOrderWorkedOut) {
  World world(GetParam(), 4, ReleaseOrder::TailFirst);

  serve_hand_example(world);

  // After [1,2,3], [1,4]: the idle blocks are 3, 2, 4, 1, first to go first; [5,6] takes 3 and 2, [1,2] takes 4.
  EXPECT_EQ(world.manager.match_blocks(lineage_of(std::vector<std::uint64_t>{1, 2, 3})).size(), 2u);
  EXPECT_EQ(world.manager.match_blocks(lineage_of(std::vector<std::uint64_t>{1, 4})).size(), 1u);
  EXPECT_EQ(world.manager.match_blocks(lineage_of(std::vector<std::uint64_t>{5, 6})).size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Replay, HandExample, testing::Values("lru", "lineage", "fifo"));

TEST(Replay, HandExampleHeadFirstHitsTwoOfNine) {  // eviction.md 2, LRU head first
  World world("lru", 4, ReleaseOrder::HeadFirst);

  serve_hand_example(world);

  EXPECT_EQ(world.counts().hit_blocks, 2u);
  EXPECT_EQ(world.counts().verified_pages, 2u);
  EXPECT_EQ(world.evicted(), 3u);
}

TEST(Replay, HeadFirstReleaseLosesTheFirstBlockOfAPrefix) {
  World tail("lru", 3, ReleaseOrder::TailFirst);
  World head("lru", 3, ReleaseOrder::HeadFirst);

  for (World* world : {&tail, &head}) {
    world->serve({1, 2, 3});
    world->serve({4});
    world->serve({1, 2});
  }

  EXPECT_EQ(tail.counts().hit_blocks, 2u);
  EXPECT_EQ(head.counts().hit_blocks, 0u);
}

TEST(Replay, OrphansAreTakenUpAndVerifiedButAreNoHits) {
  World world("lru", 4, ReleaseOrder::HeadFirst);
  world.serve({1, 2, 3});
  world.serve({5, 6});  // evicts 1; 2 and 3 stay behind

  world.serve({1, 2, 3});  // evicts 5

  EXPECT_EQ(world.counts().hit_blocks, 0u);
  EXPECT_EQ(world.counts().verified_pages, 2u);
  EXPECT_EQ(world.counts().corrupt_pages, 0u);
  EXPECT_EQ(world.evicted(), 2u);
  world.manager.check_invariants();
}

TEST(Replay, AddedAndTakenUpBlocksAreReleasedTogetherInTheirOrder) {
  World world("lru", 4, ReleaseOrder::HeadFirst);
  world.serve({1, 2, 3});
  world.serve({5, 6});
  world.serve({1, 2, 3});  // adds 1, takes up 2 and 3: idle are then 6, 1, 2, 3

  world.serve({7, 8});  // evicts 6 and 1
  world.serve({1, 2, 3});

  EXPECT_EQ(world.counts().hit_blocks, 0u);
  EXPECT_EQ(world.counts().verified_pages, 4u);
  EXPECT_EQ(world.evicted(), 5u);
}

TEST(Replay, TailFirstHoldsAcrossMatchedTakenUpAndAddedBlocks) {
  // Tail first, orphans come from ranks: 2 and 3 rank above 1 and 4 once they have been used three times.
  World world("multi-lru", 4, ReleaseOrder::TailFirst);
  const auto touch = [&](std::uint64_t first, std::uint64_t second) {
    const std::vector<SequenceHash> hashes = lineage_of(std::vector<std::uint64_t>{1, 2, 3, 4});
    for (int i = 0; i < 3; ++i) {
      world.manager.registry().touch(hashes[first]);
      world.manager.registry().touch(hashes[second]);
    }
  };
  touch(1, 2);
  world.serve({1, 2, 3, 4});  // idle: cold 4, 1; warm 3, 2
  world.serve({5, 6});        // evicts 4 and 1
  touch(0, 3);

  world.serve({1, 2, 3, 4});  // evicts 6 and 5, adds 1 and 4, all warm now: idle 4, 3, 2, 1
  world.serve({7, 8});        // evicts 4 and 3
  world.serve({1, 2});

  EXPECT_EQ(world.counts().verified_pages, 4u);
  EXPECT_EQ(world.counts().hit_blocks, 2u);
  EXPECT_EQ(world.counts().corrupt_pages, 0u);
  EXPECT_EQ(world.evicted(), 6u);
}

TEST(Replay, OfALongerRequestOnlyWhatFitsTakesPart) {  // eviction.md 1, rule 2
  World world("lineage", 2, ReleaseOrder::TailFirst);

  world.serve({1, 2, 3});
  world.serve({1, 2, 3});

  EXPECT_EQ(world.counts().input_blocks, 6u);
  EXPECT_EQ(world.counts().hit_blocks, 2u);
  EXPECT_EQ(world.evicted(), 0u);
}

TEST(Replay, ARequestWithoutBlocksIsCountedAndDoesNothing) {
  World world("lineage", 2, ReleaseOrder::HeadFirst);

  world.serve({});

  EXPECT_EQ(world.counts().requests, 1u);
  EXPECT_EQ(world.counts().input_blocks, 0u);
  EXPECT_EQ(world.manager.metrics().allocations, 0u);
}

TEST(Replay, OneWrongByteMakesAPageCorrupt) {
  World world("lru", 3, ReleaseOrder::TailFirst);
  world.serve({1, 2, 3});
  world.pages.page(1).back() ^= std::byte{1};

  world.serve({1, 2, 3});

  EXPECT_EQ(world.counts().verified_pages, 3u);
  EXPECT_EQ(world.counts().corrupt_pages, 1u);
}

TEST(Replay, OneWrongByteOfAnOrphanMakesAPageCorrupt) {
  World world("lru", 4, ReleaseOrder::HeadFirst);
  world.serve({1, 2, 3});
  world.serve({5, 6});
  for (BlockId id = 0; id < 4; ++id) world.pages.page(id).front() ^= std::byte{0x80};

  world.serve({1, 2, 3});

  EXPECT_EQ(world.counts().verified_pages, 2u);
  EXPECT_EQ(world.counts().corrupt_pages, 2u);
}

TEST(Replay, ARefilledPageIsWholeAgain) {
  World world("lru", 1, ReleaseOrder::TailFirst);
  world.serve({1});
  world.pages.page(0).front() ^= std::byte{1};

  world.serve({2});
  world.serve({2});

  EXPECT_EQ(world.counts().verified_pages, 1u);
  EXPECT_EQ(world.counts().corrupt_pages, 0u);
}

}  // namespace
}  // namespace kvbm::bench
