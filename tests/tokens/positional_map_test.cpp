#include "kvbm/tokens/positional_map.hpp"

#include <gtest/gtest.h>

#include <barrier>
#include <memory>
#include <thread>
#include <vector>

#include "kvbm/tokens/positional_sequence_hash.hpp"

namespace kvbm {
namespace {

TEST(PositionalMap, KeepsValuesOfTwoPositions) {  // tokens.md 13 case 31
  PositionalMap<int> map;
  const SequenceHash zero = SequenceHash::root(7);
  const SequenceHash five(9, 1, 5);

  EXPECT_TRUE(map.empty());
  EXPECT_FALSE(map.prefix(zero).put(10));
  EXPECT_FALSE(map.prefix(five).put(20));

  EXPECT_EQ(map.size(), 2u);
  EXPECT_FALSE(map.empty());
  EXPECT_EQ(*map.prefix(zero).find(), 10);
  EXPECT_EQ(*map.prefix(five).find(), 20);
  EXPECT_EQ(map.keys_at(5), std::vector{five});
}

TEST(PositionalMap, KnowsNothingOfAPositionNeverUsed) {  // tokens.md 13 case 31
  PositionalMap<int> map;
  map.prefix(SequenceHash::root(7)).put(10);

  EXPECT_FALSE(map.keys_at(1));
  EXPECT_EQ(map.prefix(SequenceHash(1, 2, 1)).find(), nullptr);
  EXPECT_FALSE(map.keys_at(1));  // looking made nothing
  EXPECT_EQ(map.size(), 1u);
}

TEST(PositionalMap, EightThreadsAtOnePositionMakeEightEntries) {  // tokens.md 13 case 31
  PositionalMap<std::uint64_t> map;
  std::barrier gate(8);
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        gate.arrive_and_wait();
        map.prefix(SequenceHash(i, 1, 3)).put(i);
      });
    }
  }

  EXPECT_EQ(map.size(), 8u);
  EXPECT_EQ(map.keys_at(3)->size(), 8u);
  for (std::uint64_t i = 0; i < 8; ++i) EXPECT_EQ(*map.prefix(SequenceHash(i, 1, 3)).find(), i);
}

TEST(PositionalMap, ASlotKeepsOtherThreadsAwayFromItsKey) {  // tokens.md 10
  PositionalMap<int> map;
  const SequenceHash key = SequenceHash::root(1);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          auto slot = map.prefix(key);
          int* const value = slot.find();
          slot.put(value == nullptr ? 1 : *value + 1);
        }
      });
    }
  }

  EXPECT_EQ(*map.prefix(key).find(), 4000);
}

TEST(PositionalMap, HandsFormerValuesOut) {
  PositionalMap<std::unique_ptr<int>> map;
  auto slot = map.prefix(SequenceHash::root(1));

  EXPECT_FALSE(slot.take());
  EXPECT_FALSE(slot.put(std::make_unique<int>(1)));
  EXPECT_EQ(**slot.put(std::make_unique<int>(2)), 1);
  EXPECT_EQ(**slot.take(), 2);
  EXPECT_EQ(slot.find(), nullptr);
}

TEST(PositionalMap, TakesThePositionalSequenceHashAsKeyToo) {  // tokens.md 10
  PositionalMap<int, PositionalSequenceHash> map;
  map.prefix(PositionalSequenceHash(1, 300, 2)).put(4);

  EXPECT_EQ(map.keys_at(300)->size(), 1u);
}

}  // namespace
}  // namespace kvbm
