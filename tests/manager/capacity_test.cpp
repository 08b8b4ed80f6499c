#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/eviction_cases.hpp"
#include "tests/support/managers.hpp"

// Where all blocks of a pool are after whole life cycles: logical.md 18.9, cases 109 to 118.

namespace kvbm {
namespace {

class Capacity : public test::UnderEachEviction {
 protected:
  /// Registers `count` roots, different for different `first`s that are far enough apart.
  [[nodiscard]] static BlockRun<ImmutableBlock<G1>> fill(const BlockManager<G1>& manager, std::uint32_t count,
                                                         std::uint64_t first = 0) {
    return test::registered(manager, roots(count, first));
  }
  [[nodiscard]] static std::vector<SequenceHash> roots(std::uint32_t count, std::uint64_t first) {
    std::vector<SequenceHash> hashes;
    for (std::uint32_t i = 0; i < count; ++i) hashes.push_back(test::hash(first + i));
    return hashes;
  }
  [[nodiscard]] static BlockRun<CompleteBlock<G1>> stage(const BlockManager<G1>& manager, std::uint32_t count) {
    auto run = std::move(*manager.allocate(count));
    return std::move(std::move(run).stage(roots(count, 0), manager.tokens_per_block())).value();
  }
};

/// Cases 114 and 115, which have a bite only where there are several lists.
class CapacityOfLevels : public Capacity {};

TEST_P(Capacity, HeldBlocksAreInNeitherPool) {  // case 109
  const auto manager = this->manager(32);

  const auto blocks = fill(manager, 32);

  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 0);
}

TEST_P(Capacity, RegisteredBlocksAllBecomeIdle) {  // case 109
  const auto manager = this->manager(32);

  (void)fill(manager, 32);

  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.inactive_pool_size, 32);
  EXPECT_EQ(metrics.reset_pool_size, 0);
  EXPECT_EQ(metrics.allocations, 32u);
  EXPECT_EQ(metrics.registrations, 32u);
  EXPECT_EQ(metrics.inflight_immutable, 0);
  EXPECT_EQ(metrics.inflight_mutable, 0);
  EXPECT_EQ(manager.available_blocks(), 32u);
  manager.check_invariants();
}

TEST_P(Capacity, IdleBlocksAreAllEvictedForAnAllocationOfEverything) {  // case 110
  const auto manager = this->manager(16);
  (void)fill(manager, 16);

  {
    const auto all = manager.allocate(16);
    ASSERT_TRUE(all);
    EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
    EXPECT_EQ(manager.metrics().reset_pool_size, 0);
  }

  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.reset_pool_size, 16);
  EXPECT_EQ(metrics.evictions, 16u);
  EXPECT_EQ(metrics.allocations, 32u);
}

TEST_P(Capacity, EmptyBlocksAreReset) {  // case 111
  const auto manager = this->manager(16);

  (void)manager.allocate(16);

  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.reset_pool_size, 16);
  EXPECT_EQ(metrics.inactive_pool_size, 0);
  EXPECT_EQ(metrics.registrations, 0u);
}

TEST_P(Capacity, StagedBlocksAreReset) {  // case 112
  const auto manager = this->manager(16);

  (void)stage(manager, 16);

  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.reset_pool_size, 16);
  EXPECT_EQ(metrics.inactive_pool_size, 0);
  EXPECT_EQ(metrics.registrations, 0u);
}

TEST_P(Capacity, IsSharedOutByTheStateBlocksAreDroppedIn) {  // case 113
  const auto manager = this->manager(24);

  {
    const auto empty = manager.allocate(8);
    const auto staged = stage(manager, 8);
    const auto blocks = fill(manager, 8);
  }

  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.reset_pool_size, 16);
  EXPECT_EQ(metrics.inactive_pool_size, 8);
  EXPECT_EQ(manager.available_blocks(), 24u);
  EXPECT_EQ(metrics.stagings, 16u);
  EXPECT_EQ(metrics.registrations, 8u);
}

TEST_P(CapacityOfLevels, OneLevelHoldsAllBlocks) {  // case 114
  const auto manager = this->manager(64);

  (void)fill(manager, 64);

  EXPECT_EQ(manager.metrics().inactive_pool_size, 64);
  manager.check_invariants();
}

TEST_P(CapacityOfLevels, BlocksOfAllLevelsAreEvictedForAnAllocationOfEverything) {  // case 115
  const auto manager = this->manager(32);
  constexpr std::uint32_t kExtraTouches[] = {0, 3, 8, 15};
  {
    const auto blocks = fill(manager, 32);
    for (std::uint32_t i = 0; i < blocks.size(); ++i) {
      for (std::uint32_t touch = 0; touch < kExtraTouches[i / 8]; ++touch) registry_.touch(blocks.hash(i));
    }
  }
  ASSERT_EQ(manager.metrics().inactive_pool_size, 32);

  const auto all = manager.allocate(32);

  ASSERT_TRUE(all);
  EXPECT_EQ(manager.metrics().evictions, 32u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
}

TEST_P(Capacity, IsTheSameInTheNextCycle) {  // case 116
  const auto manager = this->manager(16);

  (void)fill(manager, 16, 0);
  (void)manager.allocate(16);
  (void)fill(manager, 16, 1000);

  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.allocations, 48u);
  EXPECT_EQ(metrics.registrations, 32u);
  EXPECT_EQ(metrics.evictions, 16u);
  EXPECT_EQ(metrics.inactive_pool_size, 16);
}

TEST_P(Capacity, IsWholeAfterThreadsUsedIt) {  // case 117
  const auto manager = this->manager(20);
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 5; ++thread) {
    threads.emplace_back([&manager, thread] {
      for (std::uint64_t round = 0; round < 3; ++round) {
        std::vector<MutableBlock<G1>> pair = std::move(manager.allocate(2)).value().into_blocks();
        const auto block = manager.register_block(test::stage(std::move(pair[0]), test::hash(thread * 3 + round)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(manager.total_blocks(), 20u);
  EXPECT_EQ(manager.available_blocks(), 20u);
  EXPECT_EQ(manager.metrics().allocations, 30u);
  EXPECT_EQ(manager.metrics().registrations, 15u);
  manager.check_invariants();
}

TEST_P(Capacity, IsWholeAfterAMixedLife) {  // case 118
  const auto manager = this->manager(10);
  {
    std::vector<MutableBlock<G1>> blocks = std::move(*manager.allocate(5)).into_blocks();
    std::vector<ImmutableBlock<G1>> registered;
    for (std::uint64_t i = 0; i < 3; ++i) {
      registered.push_back(manager.register_block(test::stage(std::move(blocks.back()), test::hash(i))));
      blocks.pop_back();
    }
    blocks.clear();  // two were never filled
    const auto match = manager.match_block(test::hash(1));
    ASSERT_TRUE(match);
    EXPECT_EQ(manager.available_blocks(), 7u);
  }

  EXPECT_EQ(manager.available_blocks(), manager.total_blocks());
  EXPECT_EQ(manager.metrics().inactive_pool_size, 3);
  manager.check_invariants();
}

INSTANTIATE_TEST_SUITE_P(Backends, Capacity, testing::ValuesIn(test::eviction_cases()), test::eviction_name);
INSTANTIATE_TEST_SUITE_P(Backends, CapacityOfLevels, testing::ValuesIn(test::eviction_cases()), test::eviction_name);

TEST(BlockManager, InThePlaceOfAnotherLeavesThatOnesBlocksToTheirHolders) {
  const BlockRegistry registry;
  auto manager = test::manager<G1>({.blocks = 4, .tokens_per_block = 4, .registry = registry});
  std::optional<ImmutableBlock<G1>> block = test::registered(manager, test::hash(1));

  manager = test::manager<G1>({.blocks = 7, .tokens_per_block = 4, .registry = registry});

  EXPECT_EQ(manager.total_blocks(), 7u);
  EXPECT_FALSE(manager.match_block(test::hash(1)));
  EXPECT_EQ(block->hash(), test::hash(1));
  EXPECT_TRUE(registry.is_registered(test::hash(1)));
  block.reset();
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
}

}  // namespace
}  // namespace kvbm
