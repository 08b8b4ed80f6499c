#include "src/host/lookup/lineage_holes.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kHolesSeed = 61;

TEST(LineageHoles, AreBlocksWhoseParentsAreGone) {
  const auto chain = test::chain(1, 4);
  LineageHoles holes;
  for (const SequenceHash& hash : chain) holes.add(hash);
  EXPECT_EQ(holes.holes(), 0u);

  holes.remove(chain[1]);
  EXPECT_EQ(holes.holes(), 1u);
  holes.remove(chain[0]);
  EXPECT_EQ(holes.holes(), 1u);
  holes.remove(chain[2]);
  EXPECT_EQ(holes.holes(), 1u);
  holes.remove(chain[3]);
  EXPECT_EQ(holes.holes(), 0u);
}

TEST(LineageHoles, AnyTiersParentWillDo) {
  const auto chain = test::chain(1, 2);
  LineageHoles holes;
  holes.add(chain[1]);
  holes.add(chain[1]);
  EXPECT_EQ(holes.holes(), 2u);
  holes.add(chain[0]);
  holes.add(chain[0]);
  EXPECT_EQ(holes.holes(), 0u);
  holes.remove(chain[0]);
  EXPECT_EQ(holes.holes(), 0u);
  holes.remove(chain[0]);
  EXPECT_EQ(holes.holes(), 2u);
}

// Chains that cross the positions where a hash's packing changes.
TEST(LineageHoles, AreThoseOfTheNaiveCount) {
  std::mt19937_64 random(kHolesSeed);
  std::vector<std::vector<SequenceHash>> chains;
  for (std::uint64_t number = 0; number < 3; ++number) chains.push_back(test::chain(number, 300));
  std::map<std::pair<std::uint64_t, std::uint64_t>, int> there;  // by chain and position
  LineageHoles holes;
  for (int step = 0; step < 30'000; ++step) {
    const std::uint64_t chain = random() % 3, position = random() % 2 == 0 ? random() % 20 : 240 + random() % 40;
    int& count = there[{chain, position}];
    if (count == 0 || random() % 2 == 0) {
      holes.add(chains[chain][position]);
      ++count;
    } else {
      holes.remove(chains[chain][position]);
      --count;
    }
    if (step % 50 != 0) continue;
    std::uint64_t expected = 0;
    for (const auto& [place, blocks] : there) {
      if (place.second == 0) continue;
      const auto parent = there.find({place.first, place.second - 1});
      if (parent == there.end() || parent->second == 0) expected += static_cast<std::uint64_t>(blocks);
    }
    ASSERT_EQ(holes.holes(), expected) << "seed " << kHolesSeed << ", step " << step;
  }
}

TEST(LineageHoles, MoreHashesThanThereWasRoomForAreKept) {
  LineageHoles holes;
  for (std::uint64_t number = 0; number < 2000; ++number) {
    for (const SequenceHash& hash : test::chain(number, 3)) holes.add(hash);
  }
  EXPECT_EQ(holes.holes(), 0u);
  for (std::uint64_t number = 0; number < 2000; ++number) holes.remove(test::chain(number, 2)[1]);
  EXPECT_EQ(holes.holes(), 2000u);
}

}  // namespace
}  // namespace kvbm
