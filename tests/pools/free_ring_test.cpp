#include "src/host/pools/free_ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace kvbm {
namespace {

using Ids = std::vector<BlockId>;

Ids contents(const FreeRing& ring) {
  Ids ids;
  for (std::uint32_t i = 0; i < ring.size(); ++i) ids.push_back(ring.at(i));
  return ids;
}

Ids pop(FreeRing& ring, std::size_t count) {
  Ids ids(count);
  ring.pop(ids);
  return ids;
}

TEST(FreeRing, BeginsWithAllIdsInOrder) { EXPECT_EQ(contents(FreeRing(4)), (Ids{0, 1, 2, 3})); }

TEST(FreeRing, IsFirstInFirstOut) {
  FreeRing ring(4);
  EXPECT_EQ(ring.pop(), 0u);
  EXPECT_EQ(pop(ring, 2), (Ids{1, 2}));

  ring.push(2);
  ring.push(Ids{0, 1});

  EXPECT_EQ(contents(ring), (Ids{3, 2, 0, 1}));
}

TEST(FreeRing, MovesManyAcrossTheEnd) {
  FreeRing ring(5);
  static_cast<void>(pop(ring, 5));
  ring.push(Ids{4, 3});
  static_cast<void>(pop(ring, 2));
  ring.push(Ids{3, 2, 1, 0, 4});  // begins at the third place and goes on at the first

  EXPECT_EQ(contents(ring), (Ids{3, 2, 1, 0, 4}));
  EXPECT_EQ(pop(ring, 5), (Ids{3, 2, 1, 0, 4}));
  EXPECT_EQ(ring.size(), 0u);
}

TEST(FreeRing, TakesBackWhatWasPoppedLast) {
  for (std::uint32_t turn = 0; turn < 5; ++turn) {
    FreeRing ring(5);
    for (std::uint32_t i = 0; i < turn; ++i) ring.push(ring.pop());
    const Ids before = contents(ring);
    for (std::size_t count = 0; count <= 5; ++count) {
      const Ids taken = pop(ring, count);
      ring.unpop(taken);
      EXPECT_EQ(contents(ring), before) << turn << ' ' << count;
    }
  }
}

TEST(FreeRing, MovesNothing) {
  FreeRing ring(3);
  ring.pop(std::span<BlockId>{});
  ring.push(Ids{});
  ring.unpop(Ids{});

  EXPECT_EQ(contents(ring), (Ids{0, 1, 2}));
}

TEST(FreeRing, OneIdGoesInAndOut) {
  FreeRing ring(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ring.pop(), 0u);
    EXPECT_EQ(ring.size(), 0u);
    ring.push(0);
    EXPECT_EQ(pop(ring, 1), Ids{0});
    ring.unpop(Ids{0});
  }
}

TEST(FreeRing, AgreesWithAQueue) {
  std::mt19937 random(11);
  FreeRing ring(37);
  std::deque<BlockId> expected;
  Ids out;
  for (BlockId id = 0; id < 37; ++id) expected.push_back(id);

  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      std::shuffle(out.begin(), out.end(), random);
      const std::size_t left = random() % (out.size() + 1);
      const Ids moved(out.begin() + static_cast<std::ptrdiff_t>(left), out.end());
      out.resize(left);
      ring.push(moved);
      expected.insert(expected.end(), moved.begin(), moved.end());
    } else {
      const auto end = expected.begin() + static_cast<std::ptrdiff_t>(random() % (expected.size() + 1));
      const Ids moved(expected.begin(), end);
      expected.erase(expected.begin(), end);
      ASSERT_EQ(pop(ring, moved.size()), moved);
      out.insert(out.end(), moved.begin(), moved.end());
    }
    ASSERT_EQ(contents(ring), Ids(expected.begin(), expected.end()));
  }
}

}  // namespace
}  // namespace kvbm
