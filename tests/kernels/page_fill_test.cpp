#include "kernels/page_fill.cuh"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "tests/kernels/checksum_checks.hpp"

namespace kvbm::kernels {
namespace {

using test::HostWorld;
using test::TestPages;

class PageFill : public testing::Test {
 protected:
  TestPages filled_randomly(test::PageShape shape, std::uint64_t key) {
    TestPages pages(world_, shape);
    const std::vector<BlockId> all{0, 1, 2, 3};
    fill_pages({pages.view(), all.data(), 4, {0, shape.layers}, FillPattern::Random, key}).run_on_host();
    return pages;
  }
  static std::vector<std::byte> cell_of(const TestPages& pages, BlockId block, std::uint32_t layer,
                                        std::uint32_t outer) {
    const std::byte* cell = pages.view().cell(block, layer, outer);
    return {cell, cell + pages.shape().cell_bytes};
  }

  HostWorld world_;
};

TEST_F(PageFill, WritesConstantAndSequentialBytesAndNothingBeside) {
  test::check_fills_of_known_bytes(world_, fill_pages);
}

TEST_F(PageFill, RandomBytesAreTheSameInEveryKindOfLayout) {
  const TestPages contiguous = filled_randomly({.cell_bytes = 100}, 7);
  for (LayoutKind kind : test::kEveryKind) {
    TestPages pages = filled_randomly({.kind = kind, .cell_bytes = 100, .misalignment = 5}, 7);
    pages.for_each_cell([&](std::byte*, BlockId block, std::uint32_t layer, std::uint32_t outer) {
      EXPECT_EQ(cell_of(pages, block, layer, outer), cell_of(contiguous, block, layer, outer));
    });
  }
}

TEST_F(PageFill, RandomBytesDependOnKeyBlockLayerAndOuter) {
  std::set<std::vector<std::byte>> cells;
  for (std::uint64_t key = 0; key < 8; ++key) {
    TestPages pages = filled_randomly({.cell_bytes = 48}, key);
    pages.for_each_cell([&](std::byte*, BlockId block, std::uint32_t layer, std::uint32_t outer) {
      cells.insert(cell_of(pages, block, layer, outer));
    });
  }
  EXPECT_EQ(cells.size(), 8u * 4 * 3 * 2);
}

TEST_F(PageFill, LanesShareOutTheBytes) {
  const BlockId block = 0;
  for (FillPattern pattern : {FillPattern::Constant, FillPattern::Sequential, FillPattern::Random}) {
    const test::PageShape shape{.blocks = 1, .layers = 1, .outer = 1, .cell_bytes = 5003};
    TestPages whole(world_, shape);
    fill_pages({whole.view(), &block, 1, {0, 1}, pattern, 3}).run_on_host();
    for (std::uint32_t lanes : {2u, 7u, 32u}) {
      TestPages shared(world_, shape);
      const PagePart part = PageParts(shared.view(), &block, 1, {0, 1}).part(0);
      for (std::uint32_t lane = 0; lane < lanes; ++lane) FillPart{pattern, 3, 5003}(part, lane, lanes);
      shared.expect_equal(whole.snapshot());
    }
  }
}

TEST(PageFillDeathTest, LayersBeyondThePageAreABug) {
  const FillPages beyond{{.layers = 3, .outer = 1}, nullptr, 0, {2, 4}, FillPattern::Constant, 0};
  EXPECT_DEATH(static_cast<void>(fill_pages(beyond)), "layers lie within the page");
}

}  // namespace
}  // namespace kvbm::kernels
