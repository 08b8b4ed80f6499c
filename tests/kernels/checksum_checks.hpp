#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/page_checksum.hpp"
#include "kernels/page_fill.hpp"
#include "tests/kernels/test_pages.hpp"

namespace kvbm::test {

/// Cells of no multiple of 16 among them, and one larger than what a warp sums up at a time.
inline constexpr std::uint64_t kSummedCells[]{1, 15, 16, 17, 100, 8192, 8192 + 40};

template <class World>
std::vector<std::uint64_t> sums_of(World& world, const PageView& pages, std::uint32_t blocks, LayerRange layers) {
  std::vector<BlockId> ids(blocks);
  std::iota(ids.rbegin(), ids.rend(), BlockId{0});
  const auto* summed = copied_to(world, ids);
  auto* sums = copied_to(world, std::vector<std::uint64_t>(blocks, 0xDEDE'DEDE'DEDE'DEDEu));
  world.run(kernels::checksum_pages({pages, summed, blocks, layers, sums}));
  return {std::reverse_iterator(sums + blocks), std::reverse_iterator(sums)};
}

/// The sums of a world are those of page_checksum, for random pages of all kinds, sizes and alignments.
template <class World>
void check_sums_are_the_hosts(World& world) {
  for (LayoutKind kind : kEveryKind) {
    for (std::uint64_t cell_bytes : kSummedCells) {
      for (std::size_t misalignment : {0u, 8u, 5u}) {
        TestPages pages(world, {.kind = kind, .cell_bytes = cell_bytes, .misalignment = misalignment});
        pages.randomize(cell_bytes);
        const std::vector<std::uint64_t> sums = sums_of(world, pages.view(), 4, {0, 3});
        for (BlockId block = 0; block < 4; ++block) {
          ASSERT_EQ(sums[block], kernels::page_checksum(pages.view(), block, {0, 3})) << cell_bytes << " " << block;
        }
      }
    }
  }
}

/// The byte at a place of a page, by the definition of the pattern; Random has none but the host's own.
inline std::byte filled_byte(kernels::FillPattern pattern, std::uint64_t value, BlockId block, std::uint32_t layer,
                             std::uint64_t offset_in_layer) {
  if (pattern == kernels::FillPattern::Constant) return static_cast<std::byte>(value);
  return static_cast<std::byte>((block + layer + offset_in_layer) % 256);
}

using MakeFill = KernelCall (*)(const kernels::FillPages&) noexcept;

/// Both simple patterns over pages 1 and 3 of 4, layers 1 and 2 of 3; everything else stays poisoned.
template <class World>
void check_fills_of_known_bytes(World& world, MakeFill make_fill) {
  for (LayoutKind kind : kEveryKind) {
    for (std::uint64_t cell_bytes : kSummedCells) {
      for (kernels::FillPattern pattern : {kernels::FillPattern::Constant, kernels::FillPattern::Sequential}) {
        TestPages pages(world, {.kind = kind, .cell_bytes = cell_bytes, .misalignment = cell_bytes % 3});
        std::vector<std::byte> expected = pages.snapshot();
        pages.for_each_cell([&](std::byte* cell, BlockId block, std::uint32_t layer, std::uint32_t outer) {
          if (block % 2 == 0 || layer == 0) return;
          for (std::uint64_t i = 0; i < cell_bytes; ++i) {
            expected[pages.place(cell) + i] = filled_byte(pattern, 0x5A, block, layer, outer * cell_bytes + i);
          }
        });
        world.run(make_fill({pages.view(), copied_to(world, std::vector<BlockId>{3, 1}), 2, {1, 3}, pattern, 0x5A}));
        pages.expect_equal(expected);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

/// The random fill is that of the host.
template <class World>
void check_random_fill_is_the_hosts(World& world, MakeFill make_fill) {
  for (std::uint64_t cell_bytes : kSummedCells) {
    const PageShape shape{.cell_bytes = cell_bytes};
    TestPages pages(world, shape);
    TestPages expected(world, shape);
    const std::vector<BlockId> blocks{0, 2, 3};
    HostWorld().run(kernels::fill_pages({expected.view(), blocks.data(), 3, {0, 3}, kernels::FillPattern::Random, 9}));
    world.run(make_fill({pages.view(), copied_to(world, blocks), 3, {0, 3}, kernels::FillPattern::Random, 9}));
    pages.expect_equal(expected.snapshot());
  }
}

template <class World>
void check_sums_and_fills_of_nothing(World& world) {
  const PageView nowhere{.layers = 3, .outer = 2};
  const auto* block = copied_to(world, std::vector<BlockId>{0});
  auto* sum = copied_to(world, std::vector<std::uint64_t>{7});
  world.run(kernels::checksum_pages({nowhere, nullptr, 0, {0, 3}, nullptr}));
  EXPECT_EQ(*sum, 7u);
  world.run(kernels::checksum_pages({nowhere, block, 1, {1, 1}, sum}));
  EXPECT_EQ(*sum, 0u);
  world.run(kernels::fill_pages({nowhere, nullptr, 0, {0, 3}, kernels::FillPattern::Constant, 1}));
  world.run(kernels::fill_pages({nowhere, block, 1, {0, 3}, kernels::FillPattern::Constant, 1}));
}

}  // namespace kvbm::test
