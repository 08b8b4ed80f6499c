#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <tuple>
#include <vector>

#include "kernels/permute_cells.hpp"
#include "kvbm/layout/layout_config.hpp"
#include "tests/kernels/test_pages.hpp"

namespace kvbm::test {

using kernels::RowGrid;

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

  const RowGrid rows{c.tokens, c.heads, c.row_bytes};
  world.run(c.make({{source.view(), c.source_order, rows},
                    {target.view(), c.target_order, rows},
                    copied_to(world, blocks),
                    static_cast<std::uint32_t>(blocks.size()),
                    c.range,
                    c.outer,
                    rows,
                    c.grid_max}));

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

/// A part of a page: rows from one of them on, and bytes of each from one of them on.
struct PagePartCase {
  PermuteCase page;
  std::uint32_t outer;  ///< the first; one moves
  std::uint32_t token;  ///< the first
  std::uint32_t head;   ///< the first
  std::uint32_t byte;   ///< the first

  [[nodiscard]] std::byte* row(const PageView& view, BlockId block, std::uint32_t layer, std::uint32_t from_token,
                               std::uint32_t from_head) const {
    return row_of(page, page.source_order, view, block, layer, outer, token + from_token, head + from_head) + byte;
  }
  [[nodiscard]] kernels::PermuteSide side(const PageView& view) const {
    const std::byte* const first_row = row_of(page, page.source_order, view, 0, 0, 0, 0, 0);
    return {view,
            page.source_order,
            {page.tokens, page.heads, page.row_bytes},
            static_cast<std::uint64_t>(row(view, 0, 0, 0, 0) - first_row)};
  }
  [[nodiscard]] PageShape shape() const {
    return {.kind = page.source_kind,
            .blocks = page.blocks,
            .layers = page.layers,
            .outer = page.outer,
            .cell_bytes = std::uint64_t{page.tokens} * page.heads * page.row_bytes};
  }
};

/// Moves `rows` of two layers, from a part of pages to a part of others, each side in its page's source_order.
template <class World>
void expect_part_permuted(World& world, const PagePartCase& from, const PagePartCase& to, const RowGrid& rows) {
  TestPages source(world, from.shape()), target(world, to.shape());
  source.randomize(11);
  std::vector<std::byte> expected = target.snapshot();
  const std::vector<BlockPair> blocks{{0, 2}, {2, 1}};
  for (const BlockPair pair : blocks) {
    for (std::uint32_t layer = 0; layer < 2; ++layer) {
      for (std::uint32_t token = 0; token < rows.tokens; ++token) {
        for (std::uint32_t head = 0; head < rows.heads; ++head) {
          std::memcpy(&expected[target.place(to.row(target.view(), pair.target, layer, token, head))],
                      from.row(source.view(), pair.source, layer, token, head), rows.row_bytes);
        }
      }
    }
  }

  world.run(from.page.make({from.side(source.view()),
                            to.side(target.view()),
                            copied_to(world, blocks),
                            static_cast<std::uint32_t>(blocks.size()),
                            {0, 2},
                            1,
                            rows,
                            0}));

  target.expect_equal(expected, "target");
}

/// Pages of two shapes, of which parts of several widths lie at places of all alignments.
template <class World>
void check_permute_of_parts(World& world) {
  for_each_order_pair({.tokens = 6, .heads = 5, .row_bytes = 48}, [&](const PermuteCase& c) {
    for (const LayoutKind kind : kEveryKind) {
      PermuteCase other{.source_order = c.target_order, .layers = 3, .outer = 1, .tokens = 4, .heads = 7};
      PermuteCase page = c;
      if (is_operational(c.source_order)) page.source_kind = kind;
      if (is_operational(c.target_order)) other.source_kind = kind;
      for (const std::uint32_t other_row : {56u, 64u, 4096u + 40u}) {
        other.row_bytes = other_row;
        for (const auto& [byte, other_byte, rows] : {std::tuple(0u, 0u, RowGrid{4, 5, 48}),
                                                     {12u, 4u, RowGrid{3, 2, 20}},
                                                     {0u, 8u, RowGrid{1, 1, 8}},
                                                     {16u, 32u, RowGrid{2, 3, 16}},
                                                     {47u, 0u, RowGrid{4, 4, 1}},
                                                     {0u, 16u, RowGrid{1, 4, 32}}}) {
          const PagePartCase from{page, 1, 6 - rows.tokens, 5 - rows.heads, byte};
          const PagePartCase to{other, 0, 0, 2, other_byte};
          expect_part_permuted(world, from, to, rows);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  });
}

template <class World>
void check_permute_of_nothing(World& world) {
  for_each_order_pair({}, [&](const PermuteCase& c) {
    const BlockPair* pairs = copied_to(world, std::vector<BlockPair>{{0, 0}});
    const auto run = [&](const BlockPair* blocks, std::uint32_t count, LayerRange layers, std::uint32_t tokens,
                         std::uint32_t row_bytes) {
      const PageView view{.layers = 4, .outer = 2};
      const RowGrid rows{tokens, 3, row_bytes};
      world.run(
          c.make({{view, c.source_order, rows}, {view, c.target_order, rows}, blocks, count, layers, 2, rows, 0}));
    };
    run(nullptr, 0, {0, 4}, 4, 16);
    run(pairs, 1, {2, 2}, 4, 16);
    run(pairs, 1, {0, 4}, 0, 16);
    run(pairs, 1, {0, 4}, 4, 0);
  });
}

}  // namespace kvbm::test
