#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/managers.hpp"

// Beyond 2^17 blocks the store fetches ahead of its loops. Lengths around its windows, of 8 and 16 blocks, and beyond.

namespace kvbm {
namespace {

constexpr std::uint32_t kLargePoolBlocks = (1u << 17) + 1;
constexpr std::size_t kLengths[]{1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 70};

BlockManager<G1> large_manager() { return test::manager<G1>({.blocks = kLargePoolBlocks, .tokens_per_block = 4}); }

TEST(LargePool, FindsPrefixesOfEveryLength) {
  const auto hashes = test::chain(1, 70);
  for (const std::size_t length : kLengths) {
    const auto manager = large_manager();
    const auto held = test::registered(manager, std::span(hashes).first(length));
    for (const std::size_t asked : kLengths) {
      const auto found = manager.match_blocks(std::span(hashes).first(asked));
      EXPECT_EQ(found.size(), std::min(asked, length));
      for (std::uint32_t i = 0; i < found.size(); ++i) ASSERT_EQ(found.hash(i), hashes[i]);
    }
    EXPECT_EQ(manager.match_blocks(hashes).size(), length);
  }
}

TEST(LargePool, FindsWhatIsScatteredAmongMisses) {
  const auto manager = large_manager();
  const auto held = test::registered(manager, test::chain(1, 70));
  for (const std::size_t length : kLengths) {
    std::vector<SequenceHash> asked;
    std::size_t there = 0;
    for (std::size_t i = 0; i < length; ++i) {
      const bool is_there = i % 3 != 1;
      asked.push_back(test::chain(is_there ? 1 : 2, i + 1).back());
      there += is_there ? 1 : 0;
    }
    EXPECT_EQ(manager.match_scattered(asked).found(), there);
    EXPECT_EQ(manager.scan_matches(asked, false).size(), there);
  }
}

TEST(LargePool, EvictsAndFindsRunsAgainInTheirOrder) {
  const auto manager = large_manager();
  const auto rest = manager.allocate(kLargePoolBlocks - 140).value();
  const auto first = test::chain(1, 70), second = test::chain(2, 70), third = test::chain(3, 40);
  { const auto run = test::registered(manager, first); }
  { const auto run = test::registered(manager, second); }
  EXPECT_EQ(manager.match_blocks(first).size(), 70u);  // now the youngest

  { const auto run = test::registered(manager, third); }

  EXPECT_EQ(manager.match_blocks(first).size(), 70u);
  EXPECT_EQ(manager.match_blocks(second).size(), 30u);  // its last blocks went first
  EXPECT_EQ(manager.match_blocks(third).size(), 40u);
  manager.check_invariants();
}

}  // namespace
}  // namespace kvbm
