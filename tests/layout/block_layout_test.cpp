#include "kvbm/layout/block_layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/host_memory.hpp"

namespace kvbm {
namespace {

using test::host_layout;
using test::kEveryLayoutKind;

constexpr LayoutConfig kConfig{.blocks = 3, .layers = 4, .outer = 2, .tokens = 5, .inner = 7};

static_assert(std::is_trivially_copyable_v<PageView> && !std::is_polymorphic_v<BlockLayout>);

std::vector<std::byte*> every_cell(const BlockLayout& layout) {
  std::vector<std::byte*> cells;
  for (BlockId block = 0; block < layout.config().blocks; ++block) {
    for (std::uint32_t layer = 0; layer < layout.config().layers; ++layer) {
      for (std::uint32_t outer = 0; outer < layout.config().outer; ++outer) {
        cells.push_back(layout.cell(block, layer, outer).value());
      }
    }
  }
  return cells;
}

// Whether the cells, sorted, lie end to end from the start to the end of each region.
void expect_cells_fill_the_regions(const BlockLayout& layout) {
  std::vector<std::byte*> cells = every_cell(layout);
  std::sort(cells.begin(), cells.end(), std::less<>());
  std::vector<Region> regions;
  for (const Memory& memory : layout.regions()) regions.push_back(memory.region());
  std::sort(regions.begin(), regions.end(), [](auto& left, auto& right) { return left.address < right.address; });
  auto cell = cells.begin();
  for (const Region& region : regions) {
    for (std::byte* at = region.address; at < region.address + region.bytes; at += layout.config().cell_bytes()) {
      ASSERT_NE(cell, cells.end());
      ASSERT_EQ(*cell++, at);
    }
  }
  ASSERT_EQ(cell, cells.end());
}

TEST(BlockLayout, CellsAreDisjointAndFillTheRegions) {
  for (LayoutKind kind : kEveryLayoutKind) {
    for (std::uint32_t width : {1u, 2u, 4u, 8u}) {
      LayoutConfig config = kConfig;
      config.element_bytes = width;
      expect_cells_fill_the_regions(*host_layout(config, kind));
    }
  }
}

TEST(BlockLayout, CellsFillTheRegionsWhereADimensionIsOne) {
  for (std::uint32_t LayoutConfig::*one :
       {&LayoutConfig::blocks, &LayoutConfig::layers, &LayoutConfig::outer, &LayoutConfig::tokens}) {
    for (LayoutKind kind : kEveryLayoutKind) {
      LayoutConfig config = kConfig;
      config.*one = 1;
      expect_cells_fill_the_regions(*host_layout(config, kind));
    }
  }
}

TEST(BlockLayout, FullyContiguousRunsFromBlocksToCells) {
  const auto layout = host_layout(kConfig, LayoutKind::FullyContiguous);
  std::byte* base = layout->regions()[0].address();
  const std::size_t cell = kConfig.cell_bytes();

  EXPECT_EQ(layout->cell(0, 0, 0).value(), base);
  EXPECT_EQ(layout->cell(1, 2, 1).value(), base + cell * (1 * 8 + 2 * 2 + 1));
  EXPECT_EQ(layout->cell(2, 3, 1).value(), base + cell * (3 * 8 - 1));
  EXPECT_TRUE(layout->block_is_contiguous());
}

TEST(BlockLayout, BlockFirstKeepsKeysAndValuesTogether) {
  const auto layout = host_layout(kConfig, LayoutKind::LayerSeparateBlockFirst);
  const std::size_t cell = kConfig.cell_bytes();

  for (std::uint32_t layer = 0; layer < kConfig.layers; ++layer) {
    EXPECT_EQ(layout->cell(2, layer, 0).value(), layout->regions()[layer].address() + 4 * cell);
    EXPECT_EQ(layout->cell(2, layer, 1).value(), layout->cell(2, layer, 0).value() + cell);
  }
  EXPECT_TRUE(layout->outer_is_contiguous());
  EXPECT_FALSE(layout->block_is_contiguous());
}

TEST(BlockLayout, OuterFirstKeepsKeysAndValuesABlockCountApart) {
  const auto layout = host_layout(kConfig, LayoutKind::LayerSeparateOuterFirst);
  const std::size_t cell = kConfig.cell_bytes();

  for (std::uint32_t layer = 0; layer < kConfig.layers; ++layer) {
    EXPECT_EQ(layout->cell(2, layer, 0).value(), layout->regions()[layer].address() + 2 * cell);
    EXPECT_EQ(layout->cell(2, layer, 1).value(), layout->cell(2, layer, 0).value() + kConfig.blocks * cell);
  }
  EXPECT_FALSE(layout->outer_is_contiguous());
}

TEST(BlockLayout, IndicesOutOfRangeAreNamedWithTheirLimit) {
  for (LayoutKind kind : kEveryLayoutKind) {
    const auto layout = host_layout(kConfig, kind);
    for (std::uint32_t far : {0u, 1u, 0x7FFF'0000u}) {
      const auto block = layout->cell(3 + far, 0, 0);
      const auto layer = layout->cell(0, 4 + far, 0);
      const auto outer = layout->cell(0, 0, 2 + far);
      ASSERT_FALSE(block || layer || outer);
      EXPECT_EQ(block.error().code, LayoutError::Code::IndexOutOfRange);
      EXPECT_EQ(block.error().text, "block " + std::to_string(3 + far) + " is out of range, limit 3");
      EXPECT_EQ(layer.error().text, "layer " + std::to_string(4 + far) + " is out of range, limit 4");
      EXPECT_EQ(outer.error().text, "outer " + std::to_string(2 + far) + " is out of range, limit 2");
    }
  }
}

TEST(BlockLayout, ViewsGiveTheSameAddressesAsTheLayout) {
  for (LayoutKind kind : kEveryLayoutKind) {
    const auto layout = host_layout(kConfig, kind);
    for (const PageView& view : {layout->host_view(), layout->device_view()}) {
      EXPECT_EQ(view.layers, kConfig.layers);
      EXPECT_EQ(view.outer, kConfig.outer);
      EXPECT_EQ(view.cell_bytes, kConfig.cell_bytes());
      EXPECT_EQ(view.cell(2, 3, 1), layout->cell(2, 3, 1).value());
      EXPECT_EQ(view.cell(1, 0, 0), layout->cell(1, 0, 0).value());
    }
  }
}

TEST(BlockLayout, KeepsItsMemory) {
  const auto owner = std::make_shared<std::vector<std::byte>>(kConfig.blocks * kConfig.block_bytes());
  std::vector<Memory> regions{Memory({owner->data(), owner->size()}, owner)};
  auto layout = BlockLayout::create(kConfig, LayoutKind::FullyContiguous, std::move(regions), nullptr).value();

  EXPECT_EQ(owner.use_count(), 2);
  layout.reset();
  EXPECT_EQ(owner.use_count(), 1);
}

}  // namespace
}  // namespace kvbm
