#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "src/host/pools/make_backend.hpp"
#include "tests/support/backend_bench.hpp"
#include "tests/support/every_backend.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::hash;
using Ids = std::vector<BlockId>;

std::unique_ptr<EvictionBackend> make(const test::NamedEviction& eviction) {
  return make_backend(eviction.options, std::make_shared<NoFrequencyTracker>());
}

/// What every eviction order must do, whatever it prefers. Blocks are roots unless a test is about chains, so that each
/// order gives them up as they came. Case numbers are those of logical.md, 18.14 and 18.15.
class BackendConformance : public testing::TestWithParam<test::NamedEviction> {
 protected:
  /// Makes idle: hash(i) in slot i.
  void insert(std::initializer_list<BlockId> ids) {
    for (const BlockId id : ids) bench_.insert(hash(id), id);
  }

  test::BackendBench bench_{64, make(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Every, BackendConformance, testing::ValuesIn(test::every_eviction()),
                         [](const auto& every) { return every.param.name; });

TEST_P(BackendConformance, AnInsertedBlockIsThere) {  // case 171
  insert({3});

  EXPECT_EQ(bench_.size(), 1u);
  EXPECT_TRUE(bench_.has(hash(3)));
  EXPECT_FALSE(bench_.has(hash(4)));
}

TEST_P(BackendConformance, FindTakesOutWhatItReturns) {  // case 172
  insert({1, 2});

  const auto found = bench_.find(std::vector{hash(1), hash(2)});

  EXPECT_EQ(found, (std::vector<test::BackendBench::Entry>{{hash(1), 1}, {hash(2), 2}}));
  EXPECT_EQ(bench_.size(), 0u);
}

TEST_P(BackendConformance, FindStopsAtTheFirstMiss) {  // case 173
  insert({1, 2});

  const auto found = bench_.find(std::vector{hash(1), hash(9), hash(2)});

  EXPECT_EQ(found, (std::vector<test::BackendBench::Entry>{{hash(1), 1}}));
  EXPECT_EQ(bench_.size(), 1u);
}

TEST_P(BackendConformance, ScanGoesOnBehindAMiss) {  // case 174
  insert({1, 2, 3});

  const auto found = bench_.scan(std::vector{hash(1), hash(9), hash(3)});

  EXPECT_EQ(found, (std::vector<test::BackendBench::Entry>{{hash(1), 1}, {hash(3), 3}}));
  EXPECT_EQ(bench_.size(), 1u);
}

TEST_P(BackendConformance, EvictsAsManyAsAskedFor) {  // case 175
  insert({1, 2});

  EXPECT_EQ(bench_.evict(1), Ids{1});
  EXPECT_EQ(bench_.size(), 1u);
  EXPECT_FALSE(bench_.has(hash(1)));
}

TEST_P(BackendConformance, EvictsNoMoreThanThereAre) {  // case 176
  insert({1, 2});

  EXPECT_EQ(bench_.evict(5), (Ids{1, 2}));
  EXPECT_EQ(bench_.size(), 0u);
}

TEST_P(BackendConformance, EvictsAll) {  // case 177
  insert({5, 4, 3, 2, 1});

  EXPECT_EQ(bench_.evict_all(), (Ids{5, 4, 3, 2, 1}));
  EXPECT_EQ(bench_.size(), 0u);
  EXPECT_EQ(bench_.evict_all(), Ids{});
}

TEST_P(BackendConformance, TakesJustTheRightPair) {  // case 178
  insert({1, 2});

  EXPECT_FALSE(bench_.take(hash(1), 2));
  EXPECT_TRUE(bench_.has(hash(1)));
  EXPECT_TRUE(bench_.take(hash(1), 1));
  EXPECT_FALSE(bench_.has(hash(1)));
  EXPECT_FALSE(bench_.take(hash(1), 1));
  EXPECT_EQ(bench_.size(), 1u);
}

TEST_P(BackendConformance, LookingForABlockLeavesTheOrderAlone) {  // case 179
  insert({1, 2, 3});

  EXPECT_TRUE(bench_.has(hash(1)));
  EXPECT_FALSE(bench_.find(hash(9)).has_value());

  EXPECT_EQ(bench_.evict_all(), (Ids{1, 2, 3}));
}

TEST_P(BackendConformance, GivesUpTheOldestFirst) {  // case 180
  insert({1, 2, 3});

  EXPECT_EQ(bench_.evict(1), Ids{1});
  EXPECT_EQ(bench_.evict(1), Ids{2});
  EXPECT_EQ(bench_.evict(1), Ids{3});
  EXPECT_EQ(bench_.evict(1), Ids{});
}

TEST_P(BackendConformance, ABlockTakenOutIsPassedOver) {  // case 181
  insert({1, 2, 3, 4});

  ASSERT_TRUE(bench_.take(hash(2), 2));

  EXPECT_EQ(bench_.evict_all(), (Ids{1, 3, 4}));
}

TEST_P(BackendConformance, AnEmptyOrderGivesNothing) {  // case 182
  EXPECT_EQ(bench_.size(), 0u);
  EXPECT_EQ(bench_.evict(1), Ids{});
  EXPECT_EQ(bench_.backend().evict({}), 0u);
}

TEST_P(BackendConformance, EvictingAndInsertingMayAlternate) {  // case 185
  insert({1, 2, 3});
  EXPECT_EQ(bench_.evict(1), Ids{1});
  insert({4});
  ASSERT_TRUE(bench_.take(hash(3), 3));
  insert({5});

  EXPECT_EQ(bench_.evict_all(), (Ids{2, 4, 5}));
}

/// Sequence numbers cannot be seen here; that they only rise shows in an order that holds over many rounds.
TEST_P(BackendConformance, KeepsTheOrderOfReleaseOverManyRounds) {  // case 186
  std::mt19937 random(186);
  std::deque<BlockId> expected, others(64);
  std::iota(others.begin(), others.end(), 0u);

  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0 && !others.empty()) {
      const BlockId id = others.front();
      others.pop_front();
      insert({id});
      expected.push_back(id);
    } else if (random() % 2 == 0 && !expected.empty()) {
      const auto place = expected.begin() + static_cast<std::ptrdiff_t>(random() % expected.size());
      others.push_back(*place);
      ASSERT_TRUE(bench_.take(hash(*place), *place));
      expected.erase(place);
    } else if (!expected.empty()) {
      others.push_back(expected.front());
      ASSERT_EQ(bench_.evict(1), Ids{expected.front()});
      expected.pop_front();
    }
    ASSERT_EQ(bench_.size(), expected.size());
  }
  EXPECT_EQ(bench_.evict_all(), Ids(expected.begin(), expected.end()));
}

TEST_P(BackendConformance, ABlockReleasedAgainIsTheYoungest) {
  insert({1, 2, 3});

  ASSERT_TRUE(bench_.find(hash(1)).has_value());
  insert({1});

  EXPECT_EQ(bench_.evict_all(), (Ids{2, 3, 1}));
}

TEST_P(BackendConformance, ASpanIsTheSameAsItsBlocksOneByOne) {
  const Ids ids{7, 3, 5, 1, 6};
  for (const BlockId id : ids) bench_.hold(hash(id), id);

  bench_.release(ids);
  bench_.use(Ids{3, 6});
  bench_.release(Ids{6, 3});

  EXPECT_EQ(bench_.evict_all(), (Ids{7, 5, 1, 6, 3}));
}

TEST_P(BackendConformance, HoldsEveryBlockOfTheStoreAtOnce) {
  for (int round = 0; round < 3; ++round) {
    Ids ids(64);
    std::iota(ids.begin(), ids.end(), 0u);
    std::rotate(ids.begin(), ids.begin() + 20 * round, ids.end());

    for (const BlockId id : ids) bench_.insert(hash(1000u * static_cast<unsigned>(round) + id), id);

    EXPECT_EQ(bench_.size(), 64u);
    EXPECT_EQ(bench_.evict_all(), ids);
  }
}

TEST_P(BackendConformance, ServesAStoreOfOneBlock) {
  test::BackendBench bench(1, make(GetParam()));

  for (std::uint64_t number = 0; number < 5; ++number) {
    bench.insert(hash(number), 0);
    EXPECT_EQ(bench.evict(2), Ids{0});
  }
}

TEST_P(BackendConformance, VictimsMayBePutBack) {
  insert({1, 2, 3});
  Ids victims(2);

  ASSERT_EQ(bench_.backend().evict(victims), 2u);
  bench_.backend().insert(victims);

  EXPECT_EQ(bench_.size(), 3u);
  EXPECT_EQ(bench_.evict_all(), (Ids{3, 1, 2}));
}

TEST_P(BackendConformance, GivesUpEveryBlockOfAForestJustOnce) {
  for (std::uint64_t tree = 0; tree < 8; ++tree) {
    bench_.insert(test::chain(tree, 8), static_cast<BlockId>(8 * tree));
  }

  std::set<BlockId> seen;
  while (bench_.size() != 0) {
    for (const BlockId id : bench_.evict(5)) EXPECT_TRUE(seen.insert(id).second) << id;
  }
  EXPECT_EQ(seen.size(), 64u);
  EXPECT_TRUE(bench_.untouched());
}

TEST_P(BackendConformance, ConcurrentAllocationsNeverRollBack) {  // case 39
  constexpr std::uint32_t kBlocks = 64;
  constexpr int kThreads = 8;
  const auto manager = test::manager(
      {.blocks = kBlocks,
       .tokens_per_block = 4,
       .registry = BlockRegistry({.tracker = std::make_shared<NoFrequencyTracker>(), .on_registered = {}}),
       .eviction = GetParam().options});
  std::barrier start(kThreads);
  std::vector<std::thread> threads;

  for (std::uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      start.arrive_and_wait();
      for (std::uint64_t round = 0; round < 200; ++round) {
        auto blocks = manager.allocate(kBlocks / 4);
        if (!blocks) continue;
        const auto hashes = test::chain(1000 * thread + round, kBlocks / 4);
        auto staged = std::move(*blocks).stage(hashes, 4);
        const auto kept = manager.register_blocks(std::move(staged).value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(manager.metrics().allocate_atomic_rollback_total, 0u);
  EXPECT_EQ(manager.available_blocks(), kBlocks);
  manager.check_invariants();
}

/// kvbm's own orders catch a store that loses track. A user's order may trust it.
using BackendContractDeathTest = BackendConformance;

INSTANTIATE_TEST_SUITE_P(Own, BackendContractDeathTest, testing::ValuesIn(test::own_evictions()),
                         [](const auto& every) { return every.param.name; });

TEST_P(BackendContractDeathTest, ABlockIsIdleOnce) {  // cases 183 and 213, same slot
  insert({1, 2});

  EXPECT_DEATH(bench_.insert(hash(1), 1), "block already exists");
}

/// An order has as many places as the store has slots, so one insertion too many is a slot inserted twice.
TEST_P(BackendContractDeathTest, AFullOrderTakesNoMore) {  // case 188
  test::BackendBench bench(3, make(GetParam()));
  for (BlockId id = 0; id < 3; ++id) bench.insert(hash(id), id);

  for (BlockId id = 0; id < 3; ++id) EXPECT_DEATH(bench.insert(hash(id), id), "block already exists");
}

/// The store never takes out what is not idle, so the order need not go on from it.
TEST_P(BackendContractDeathTest, ABlockThatIsNotIdleCannotBeTakenOut) {  // case 184
  insert({1});
  bench_.hold(hash(2), 2);

  EXPECT_DEATH(bench_.use(Ids{2}), "block is not in the eviction order");
  EXPECT_EQ(bench_.evict_all(), Ids{1});
}

}  // namespace
}  // namespace kvbm
