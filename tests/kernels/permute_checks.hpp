#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/permute_cells.hpp"
#include "kvbm/layout/layout_config.hpp"
#include "tests/kernels/test_pages.hpp"

namespace kvbm::test {

/// Pages of [layers, outer, tokens, heads] rows of row_bytes in the order of each side.
struct PermuteCase {
  KernelCall (*make)(const kernels::PermuteCells&) noexcept = &kernels::permute_cells;
  InnerOrder source_order = InnerOrder::Nhd;
  InnerOrder target_order = InnerOrder::Hnd;
  LayoutKind source_kind = LayoutKind::FullyContiguous;
  LayoutKind target_kind = LayoutKind::FullyContiguous;
  std::uint32_t blocks = 3;
  std::uint32_t layers = 2;
  std::uint32_t outer = 2;
  std::uint32_t tokens = 4;
  std::uint32_t heads = 3;
  std::uint32_t row_bytes = 10;
  LayerRange range{0, 2};
  std::size_t misalignment = 0;
  std::uint32_t grid_max = 0;
};

/// The address of a row, by the definition of its order.
inline std::byte* row_of(const PermuteCase& c, InnerOrder order, const PageView& view, BlockId block,
                         std::uint32_t layer, std::uint32_t outer, std::uint32_t token, std::uint32_t head) {
  const std::uint64_t row = c.row_bytes;
  if (order == InnerOrder::Nhd) return view.cell(block, layer, outer) + (token * c.heads + head) * row;
  if (order == InnerOrder::Hnd) return view.cell(block, layer, outer) + (head * c.tokens + token) * row;
  const std::uint64_t index = ((head * c.layers + layer) * c.outer + outer) * c.tokens + token;
  return view.base + block * view.block_stride + index * row;
}

template <class World>
void expect_permuted(World& world, const PermuteCase& c) {
  const PageShape shape{.blocks = c.blocks,
                        .layers = c.layers,
                        .outer = c.outer,
                        .cell_bytes = std::uint64_t{c.tokens} * c.heads * c.row_bytes,
                        .misalignment = c.misalignment};
  PageShape source_shape = shape, target_shape = shape;
  source_shape.kind = c.source_kind;
  target_shape.kind = c.target_kind;
  TestPages source(world, source_shape);
  TestPages target(world, target_shape);
  source.randomize(3);
  std::vector<std::byte> expected = target.snapshot();
  const std::vector<std::byte> source_before = source.snapshot();
  std::vector<BlockPair> blocks;
  for (BlockId block = 0; block < c.blocks; ++block) {
    if (block % 3 != 1) blocks.push_back({block, c.blocks - 1 - block});
  }
  for (BlockPair pair : blocks) {
    for (std::uint32_t layer = c.range.begin; layer < c.range.end; ++layer) {
      for (std::uint32_t outer = 0; outer < c.outer; ++outer) {
        for (std::uint32_t token = 0; token < c.tokens; ++token) {
          for (std::uint32_t head = 0; head < c.heads; ++head) {
            std::byte* to = row_of(c, c.target_order, target.view(), pair.target, layer, outer, token, head);
            std::memcpy(&expected[target.place(to)],
                        row_of(c, c.source_order, source.view(), pair.source, layer, outer, token, head), c.row_bytes);
          }
        }
      }
    }
  }

  world.run(c.make({source.view(), target.view(), c.source_order, c.target_order, copied_to(world, blocks),
                    static_cast<std::uint32_t>(blocks.size()), c.range, c.layers, c.outer, c.tokens, c.heads,
                    c.row_bytes, c.grid_max}));

  target.expect_equal(expected, "target");
  source.expect_equal(source_before, "source");
}

inline constexpr InnerOrder kRowOrders[]{InnerOrder::Nhd, InnerOrder::Hnd, InnerOrder::UniversalTp};

/// Calls function(case) with `c` in each pair of orders.
template <class Function>
void for_each_order_pair(PermuteCase c, const Function& function) {
  for (InnerOrder source : kRowOrders) {
    for (InnerOrder target : kRowOrders) {
      SCOPED_TRACE(testing::Message() << to_text(source) << " to " << to_text(target));
      c.source_order = source;
      c.target_order = target;
      function(c);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

/// head_dim 5 and elements of 1, 2, 4 and 8 bytes.
template <class World>
void check_permute_of_every_width(World& world) {
  for (std::uint32_t width : {1u, 2u, 4u, 8u}) {
    for_each_order_pair({.row_bytes = 5 * width}, [&](const PermuteCase& c) { expect_permuted(world, c); });
  }
}

template <class World>
void check_permute_of_unusual_shapes(World& world) {
  for (const PermuteCase& shape :
       {PermuteCase{.outer = 1}, PermuteCase{.tokens = 1}, PermuteCase{.heads = 1}, PermuteCase{.layers = 1},
        PermuteCase{.tokens = 16, .heads = 8, .row_bytes = 256}, PermuteCase{.tokens = 7, .heads = 5, .row_bytes = 1},
        PermuteCase{.tokens = 1, .heads = 1, .row_bytes = 10'000}, PermuteCase{.row_bytes = 4096 + 24},
        PermuteCase{.tokens = 33, .heads = 9, .row_bytes = 48}}) {
    for_each_order_pair(shape, [&](PermuteCase c) {
      c.range = {0, c.layers};
      expect_permuted(world, c);
    });
  }
}

template <class World>
void check_permute_of_some_layers(World& world) {
  for (LayerRange range : {LayerRange{0, 1}, {2, 3}, {1, 4}, {3, 3}}) {
    for_each_order_pair({.layers = 5, .row_bytes = 32, .range = range},
                        [&](const PermuteCase& c) { expect_permuted(world, c); });
  }
}

/// Both layer-separate kinds on each side that is not universal.
template <class World>
void check_permute_of_layer_separate_pages(World& world) {
  for_each_order_pair({.row_bytes = 16}, [&](PermuteCase c) {
    for (LayoutKind kind : {LayoutKind::LayerSeparateBlockFirst, LayoutKind::LayerSeparateOuterFirst}) {
      if (is_operational(c.source_order)) c.source_kind = kind;
      if (is_operational(c.target_order)) c.target_kind = kind;
      expect_permuted(world, c);
    }
  });
}

template <class World>
void check_permute_at_every_misalignment(World& world) {
  for (std::size_t misalignment = 0; misalignment < 16; ++misalignment) {
    for_each_order_pair({.row_bytes = 48, .misalignment = misalignment},
                        [&](const PermuteCase& c) { expect_permuted(world, c); });
  }
}

/// Llama-70B's page on one of 8 ranks would have 1 head; 8 heads of 128 elements of 2 bytes are the whole of it.
template <class World>
void check_permute_of_a_production_shape(World& world, std::uint32_t blocks, std::uint32_t layers) {
  for_each_order_pair(
      {.blocks = blocks, .layers = layers, .tokens = 16, .heads = 8, .row_bytes = 256, .range = {0, layers}},
      [&](const PermuteCase& c) { expect_permuted(world, c); });
}

template <class World>
void check_permute_of_nothing(World& world) {
  for_each_order_pair({}, [&](const PermuteCase& c) {
    const BlockPair* pairs = copied_to(world, std::vector<BlockPair>{{0, 0}});
    const auto run = [&](const BlockPair* blocks, std::uint32_t count, LayerRange layers, std::uint32_t tokens,
                         std::uint32_t row_bytes) {
      world.run(c.make({{}, {}, c.source_order, c.target_order, blocks, count, layers, 4, 2, tokens, 3, row_bytes, 0}));
    };
    run(nullptr, 0, {0, 4}, 4, 16);
    run(pairs, 1, {2, 2}, 4, 16);
    run(pairs, 1, {0, 4}, 0, 16);
    run(pairs, 1, {0, 4}, 4, 0);
  });
}

}  // namespace kvbm::test
