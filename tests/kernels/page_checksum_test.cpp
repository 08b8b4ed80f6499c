#include "kernels/page_checksum.cuh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "tests/kernels/checksum_checks.hpp"

namespace kvbm::kernels {
namespace {

using test::HostWorld;
using test::TestPages;

class PageChecksum : public testing::Test {
 protected:
  TestPages random_pages(test::PageShape shape) {
    TestPages pages(world_, shape);
    pages.randomize(1);
    return pages;
  }
  static std::uint64_t sum(const TestPages& pages, BlockId block = 0) {
    return page_checksum(pages.view(), block, {0, pages.shape().layers});
  }

  HostWorld world_;
};

TEST_F(PageChecksum, OfAListOfPagesIsThatOfEachPage) { test::check_sums_are_the_hosts(world_); }

TEST_F(PageChecksum, IsTheSameInEveryKindOfLayout) {
  for (std::uint64_t cell_bytes : test::kSummedCells) {
    const std::uint64_t contiguous = sum(random_pages({.cell_bytes = cell_bytes}), 2);
    for (LayoutKind kind : test::kEveryKind) {
      EXPECT_EQ(sum(random_pages({.kind = kind, .cell_bytes = cell_bytes, .misalignment = 3}), 2), contiguous);
    }
  }
}

TEST_F(PageChecksum, ChangesWithEveryByte) {
  for (std::uint64_t cell_bytes : {1u, 17u, 64u, 100u}) {
    TestPages pages = random_pages({.blocks = 1, .layers = 2, .cell_bytes = cell_bytes});
    const std::uint64_t right = sum(pages);
    pages.for_each_cell([&](std::byte* cell, BlockId, std::uint32_t, std::uint32_t) {
      for (std::uint64_t i = 0; i < cell_bytes; ++i) {
        for (std::byte flip : {std::byte{1}, std::byte{0x80}, std::byte{0xFF}}) {
          cell[i] ^= flip;
          EXPECT_NE(sum(pages), right) << "byte " << i;
          cell[i] ^= flip;
        }
      }
    });
    EXPECT_EQ(sum(pages), right);
  }
}

TEST_F(PageChecksum, ChangesIfTwoWordsChangePlaces) {
  TestPages pages = random_pages({.blocks = 1, .layers = 2, .cell_bytes = 64});
  const std::uint64_t right = sum(pages);
  std::byte* words = pages.view().base;
  for (std::size_t i = 0; i < 32; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      std::swap_ranges(words + 8 * i, words + 8 * i + 8, words + 8 * j);
      EXPECT_NE(sum(pages), right) << i << " " << j;
      std::swap_ranges(words + 8 * i, words + 8 * i + 8, words + 8 * j);
    }
  }
}

// Words as far apart as the parts in which cells are summed up.
TEST_F(PageChecksum, ChangesIfPartsOfACellChangePlaces) {
  TestPages pages = random_pages({.blocks = 1, .layers = 1, .outer = 1, .cell_bytes = 2 * PageParts::kPartBytes});
  const std::uint64_t right = sum(pages);
  std::byte* half = pages.view().base + PageParts::kPartBytes;

  std::swap_ranges(pages.view().base, half, half);

  EXPECT_NE(sum(pages), right);
}

// -0.0 for 0.0 in words that differ in their signs only: sums of products would not tell.
TEST_F(PageChecksum, ChangesIfSignsChangePlaces) {
  TestPages pages(world_, {.blocks = 1, .layers = 1, .outer = 1, .cell_bytes = 32});
  std::fill_n(pages.view().base, 32, std::byte{0});
  pages.view().base[3] = pages.view().base[7] = std::byte{0x80};
  const std::uint64_t right = sum(pages);
  std::swap_ranges(pages.view().base, pages.view().base + 8, pages.view().base + 16);

  EXPECT_NE(sum(pages), right);
}

TEST_F(PageChecksum, OfDisjointLayersAddsUpToTheWhole) {
  const TestPages pages = random_pages({.layers = 5, .cell_bytes = 100});

  std::uint64_t parts = 0;
  for (LayerRange layers : {LayerRange{3, 5}, {0, 1}, {2, 2}, {1, 3}}) parts += page_checksum(pages.view(), 1, layers);

  EXPECT_EQ(parts, sum(pages, 1));
}

TEST_F(PageChecksum, OfPagesOfOneByteRepeatedDiffer) {
  std::set<std::uint64_t> sums;
  TestPages pages(world_, {.blocks = 1, .layers = 1, .outer = 1, .cell_bytes = 4096});
  for (int byte = 0; byte < 256; ++byte) {
    std::fill_n(pages.view().base, 4096, static_cast<std::byte>(byte));
    sums.insert(sum(pages));
  }
  EXPECT_EQ(sums.size(), 256u);
}

TEST_F(PageChecksum, LanesShareOutTheSum) {
  const TestPages pages = random_pages({.blocks = 1, .layers = 1, .outer = 1, .cell_bytes = 5000});
  const BlockId block = 0;
  const PagePart part = PageParts(pages.view(), &block, 1, {0, 1}).part(0);
  for (std::uint32_t lanes : {1u, 2u, 7u, 32u, 1000u}) {
    std::uint64_t total = 0;
    for (std::uint32_t lane = 0; lane < lanes; ++lane) total += SumPart{}(part, lane, lanes);
    EXPECT_EQ(total, sum(pages)) << lanes << " lanes";
  }
}

TEST_F(PageChecksum, OfNothingIsZero) { test::check_sums_and_fills_of_nothing(world_); }

// The sum is kept beside a page that another build may read: it does not change silently.
TEST_F(PageChecksum, StaysTheSameFromBuildToBuild) {
  TestPages pages(world_, {.blocks = 1, .layers = 2, .outer = 2, .cell_bytes = 40});
  std::uint8_t next = 0;
  pages.for_each_cell([&](std::byte* cell, BlockId, std::uint32_t, std::uint32_t) {
    for (int i = 0; i < 40; ++i) cell[i] = std::byte{next++};
  });

  EXPECT_EQ(sum(pages), 5149699670135516009u);
}

TEST(PageChecksumDeathTest, LayersBeyondThePageAreABug) {
  EXPECT_DEATH(static_cast<void>(page_checksum({.layers = 3, .outer = 1}, 0, {2, 4})), "layers lie within the page");
}

}  // namespace
}  // namespace kvbm::kernels
