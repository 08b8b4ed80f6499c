#pragma once

#include <cstdint>

#include "kernels/permute_cells.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm {

/// One side of a copy: its pages, by the address that copy calls and the CPU use and by the one that kernels use.
struct PageSide {
  PageView calls;
  PageView kernels;
  InnerOrder order = InnerOrder::Unknown;
  kernels::RowGrid rows{};  ///< of a whole page
  std::uint64_t start = 0;  ///< where in a page what moves begins, behind its first layer
  bool one_piece = true;    ///< neighbouring blocks may be copied as one
};

/// A copy of layers [0, layers) with the largest fragments that lie together on both sides.
struct CopyShape {
  PageSide source;
  PageSide target;
  std::uint32_t layers;
  std::uint32_t outer_runs;
  std::uint64_t fragment_bytes;
  bool blocks_join;  ///< blocks whose ids step by one on both sides are one fragment

  [[nodiscard]] std::uint64_t spans_per_block() const noexcept { return std::uint64_t{layers} * outer_runs; }
};

/// What both sides hold of each block: cells [layers, outer] of cell_bytes.
struct CellGrid {
  std::uint32_t layers;
  std::uint32_t outer;
  std::uint64_t cell_bytes;
};

/// Folds outer, then layers, where they lie together on both sides.
[[nodiscard]] CopyShape fold(const PageSide& source, const PageSide& target, CellGrid grid) noexcept;

/// Blocks from the `first` of `count` on whose ids step by one on both sides: at least 1.
template <class PairAt>
[[nodiscard]] std::uint32_t run_length(std::uint32_t first, std::uint32_t count, const PairAt& pair_at) {
  const BlockPair start = pair_at(first);
  std::uint32_t length = 1;
  for (; first + length < count; ++length) {
    const BlockPair next = pair_at(first + length);
    if (next.source != start.source + length || next.target != start.target + length) break;
  }
  return length;
}

/// Calls visit(target, source, bytes) for each span of `count` blocks, pair_at(i) naming the i-th.
template <class PairAt, class Visit>
void for_each_span(const CopyShape& shape, std::uint32_t count, const PairAt& pair_at, const Visit& visit) {
  const PageView& source = shape.source.calls;
  const PageView& target = shape.target.calls;
  for (std::uint32_t i = 0; i < count;) {
    const BlockPair pair = pair_at(i);
    const std::uint32_t blocks = shape.blocks_join ? run_length(i, count, pair_at) : 1;
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
      for (std::uint32_t outer = 0; outer < shape.outer_runs; ++outer) {
        visit(target.cell(pair.target, layer, outer), source.cell(pair.source, layer, outer),
              blocks * shape.fragment_bytes);
      }
    }
    i += blocks;
  }
}

/// Spans that for_each_span visits.
template <class PairAt>
[[nodiscard]] std::uint64_t count_spans(const CopyShape& shape, std::uint32_t count, const PairAt& pair_at) {
  std::uint64_t runs = count;
  if (shape.blocks_join) {
    runs = 0;
    for (std::uint32_t i = 0; i < count; i += run_length(i, count, pair_at)) ++runs;
  }
  return runs * shape.spans_per_block();
}

}  // namespace kvbm
