#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/copy_cells.hpp"
#include "tests/kernels/test_pages.hpp"

namespace kvbm::test {

using MakeCopy = KernelCall (*)(const kernels::CopyCells&) noexcept;

struct CopyCase {
  PageShape source;
  PageShape target;
  std::vector<BlockPair> blocks;
  LayerRange layers{0, 1};
  bool fold_outer = false;  ///< K and V as one fragment
  std::uint32_t grid_max = 0;
};

/// Runs the copy and compares every byte of the target, and of the source, with what a loop over cells makes of it.
template <class World>
void expect_copied(World& world, const CopyCase& c, MakeCopy make_copy) {
  TestPages source(world, c.source);
  TestPages target(world, c.target);
  source.randomize(1);
  target.randomize(2);
  std::vector<std::byte> expected = target.snapshot();
  const std::vector<std::byte> source_before = source.snapshot();
  for (BlockPair pair : c.blocks) {
    for (std::uint32_t layer = c.layers.begin; layer < c.layers.end; ++layer) {
      for (std::uint32_t outer = 0; outer < c.source.outer; ++outer) {
        std::memcpy(&expected[target.place(target.view().cell(pair.target, layer, outer))],
                    source.view().cell(pair.source, layer, outer), c.source.cell_bytes);
      }
    }
  }

  world.run(make_copy({source.view(), target.view(), copied_to(world, c.blocks),
                       static_cast<std::uint32_t>(c.blocks.size()), c.layers, c.fold_outer ? 1 : c.source.outer,
                       c.source.cell_bytes * (c.fold_outer ? c.source.outer : 1), c.grid_max}));

  target.expect_equal(expected, "target");
  source.expect_equal(source_before, "source");
}

inline CopyCase copy_case(PageShape source, PageShape target) {
  target.cell_bytes = source.cell_bytes;
  return {source, target, {{0, 3}, {2, 1}, {2, 0}}, {0, source.layers}};
}

template <class World>
void check_copy_between_all_kinds(World& world, MakeCopy make_copy, const std::vector<std::uint64_t>& cells) {
  for (LayoutKind from : kEveryKind) {
    for (LayoutKind to : kEveryKind) {
      for (std::uint64_t cell_bytes : cells) {
        SCOPED_TRACE(cell_bytes);
        expect_copied(world, copy_case({.kind = from, .cell_bytes = cell_bytes}, {.kind = to}), make_copy);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

template <class World>
void check_copy_of_some_layers(World& world, MakeCopy make_copy) {
  for (LayerRange layers : {LayerRange{0, 1}, {1, 2}, {2, 3}, {1, 3}, {2, 2}}) {
    for (LayoutKind from : kEveryKind) {
      CopyCase c = copy_case({.kind = from, .cell_bytes = 48}, {.kind = LayoutKind::LayerSeparateOuterFirst});
      c.layers = layers;
      expect_copied(world, c, make_copy);
      c = copy_case({.kind = from, .cell_bytes = 48}, {});
      c.layers = layers;
      expect_copied(world, c, make_copy);
    }
  }
}

template <class World>
void check_copy_of_folded_fragments(World& world, MakeCopy make_copy) {
  CopyCase c = copy_case({.kind = LayoutKind::LayerSeparateBlockFirst, .cell_bytes = 4096 + 16}, {});
  c.fold_outer = true;
  expect_copied(world, c, make_copy);
}

/// Each misalignment of the source, with the target aligned, alike and otherwise.
template <class World>
void check_copy_at_every_misalignment(World& world, MakeCopy make_copy) {
  for (std::size_t source = 0; source < 16; ++source) {
    for (std::size_t target : {std::size_t{0}, source, (source + 4) % 16, (source * 7 + 1) % 16}) {
      SCOPED_TRACE(testing::Message() << "misaligned by " << source << " and " << target);
      for (std::uint64_t cell_bytes : {1u, 37u, 256u, 8192u + 3u}) {
        expect_copied(world,
                      copy_case({.layers = 1, .outer = 1, .cell_bytes = cell_bytes, .misalignment = source},
                                {.layers = 1, .outer = 1, .misalignment = target}),
                      make_copy);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

/// Pairs in no order, more than a grid has warps.
template <class World>
void check_copy_of_many_pairs(World& world, MakeCopy make_copy, std::uint32_t pairs, std::uint32_t grid_max) {
  const PageShape shape{.blocks = pairs, .layers = 1, .outer = 1, .cell_bytes = 64};
  std::vector<BlockPair> blocks;
  for (std::uint32_t i = 0; i < pairs; ++i) blocks.push_back({pairs - 1 - i, i});
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937_64(7));
  CopyCase c{shape, shape, blocks, {0, 1}};
  c.grid_max = grid_max;
  expect_copied(world, c, make_copy);
}

template <class World>
void check_copy_of_nothing(World& world, MakeCopy make_copy) {
  const PageView nowhere{.layers = 3, .outer = 2};
  const BlockPair pair{0, 0};
  BlockPair* pairs = copied_to(world, std::vector<BlockPair>{pair});
  world.run(make_copy({nowhere, nowhere, nullptr, 0, {0, 3}, 2, 64, 0}));
  world.run(make_copy({nowhere, nowhere, pairs, 1, {1, 1}, 2, 64, 0}));
  world.run(make_copy({nowhere, nowhere, pairs, 1, {0, 3}, 2, 0, 0}));
  world.run(make_copy({nowhere, nowhere, pairs, 1, {0, 3}, 0, 64, 0}));
}

}  // namespace kvbm::test
