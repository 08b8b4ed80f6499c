#include "bench/support/page_pool.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <new>

#include "tests/support/managers.hpp"

namespace kvbm::bench {
namespace {

TEST(PagePool, EveryByteOfAPageCounts) {
  PagePool pages(3, 80);
  for (BlockId id = 0; id < 3; ++id) pages.fill(id, test::hash(id));

  for (std::byte& byte : pages.page(1)) {
    byte ^= std::byte{0x10};
    EXPECT_FALSE(pages.holds(1, test::hash(1)));
    byte ^= std::byte{0x10};
  }

  for (BlockId id = 0; id < 3; ++id) EXPECT_TRUE(pages.holds(id, test::hash(id)));
}

TEST(PagePool, BothHalvesOfTheHashShapeTheContent) {
  PagePool pages(1, PagePool::kFewestPageBytes);
  pages.fill(0, SequenceHash::from_bits(5, 6));

  EXPECT_TRUE(pages.holds(0, SequenceHash::from_bits(5, 6)));
  EXPECT_FALSE(pages.holds(0, SequenceHash::from_bits(5, 7)));
  EXPECT_FALSE(pages.holds(0, SequenceHash::from_bits(4, 6)));
  EXPECT_FALSE(pages.holds(0, SequenceHash::from_bits(6, 5)));
}

TEST(PagePool, AnEmptyPageHoldsNothing) {
  PagePool pages(1, PagePool::kFewestPageBytes);

  EXPECT_FALSE(pages.holds(0, test::hash(0)));
  EXPECT_FALSE(pages.holds(0, SequenceHash()));
}

TEST(PagePool, RefusesWhatCannotBeAddressed) {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max() / 16 * 16;
  EXPECT_THROW(PagePool(1, kMost), std::bad_alloc);
  EXPECT_THROW(PagePool(1u << 30, kMost / 2 / 16 * 16), std::bad_alloc);
}

TEST(PagePoolDeathTest, PagesAreWholeWords) {
  EXPECT_DEATH(PagePool(1, 72), "multiple of 16");
  EXPECT_DEATH(PagePool(1, 48), "from 64 up");
}

}  // namespace
}  // namespace kvbm::bench
