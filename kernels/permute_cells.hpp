#pragma once

#include <cstdint>

#include "kvbm/device/kernel_call.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/layout/layout_config.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm::kernels {

/// Rows of one (layer, outer): what lies together of one token and head. A cell that nobody knows the inside of is one
/// row.
struct RowGrid {
  std::uint32_t tokens = 1;
  std::uint32_t heads = 1;
  std::uint64_t row_bytes = 0;

  friend bool operator==(const RowGrid&, const RowGrid&) = default;
};

/// Bytes from index to index of each dimension of a page.
struct PageStrides {
  std::uint64_t layer;  ///< 0 if layers have bases of their own
  std::uint64_t outer;
  std::uint64_t token;
  std::uint64_t head;
};

/// Where the rows of whole pages lie: `rows` for each of the view's layers and outer.
[[nodiscard]] PageStrides page_strides(const PageView& view, InnerOrder order, const RowGrid& rows) noexcept;

/// One side of a permutation: whole pages, and where in each of them what moves begins.
///
/// In an order that is not made of cells the view's base and block_stride are used; it is fully contiguous then.
struct PermuteSide {
  PageView view;
  InnerOrder order;
  RowGrid rows;             ///< of a whole page
  std::uint64_t start = 0;  ///< bytes from the first row of a layer
};

/// Copies a part of each page between two inner orders out of Nhd, Hnd and UniversalTp, or within one: a gather of rows
/// with strides of their own on each side. Elements are bytes: one kernel for every width.
///
/// blocks  as in CopyCells.
struct PermuteCells {
  PermuteSide source;
  PermuteSide target;
  const BlockPair* blocks;
  std::uint32_t count;
  LayerRange layers;  ///< of both sides
  std::uint32_t outer;
  RowGrid rows;            ///< that move, of each (layer, outer)
  std::uint32_t grid_max;  ///< as in CopyCells
};

/// Whether there is a kernel between these orders: between any two of Nhd, Hnd and UniversalTp, and from each order to
/// itself (of use for a part of a page that is no span).
[[nodiscard]] bool can_permute(InnerOrder source, InnerOrder target) noexcept;
/// Rows that kernels can count: their bytes, and how many there are. Else there is no way to move them.
[[nodiscard]] bool can_count(const RowGrid& rows) noexcept;
/// Precondition: can_permute, can_count; what moves lies within both pages.
[[nodiscard]] KernelCall permute_cells(const PermuteCells& permute) noexcept;

}  // namespace kvbm::kernels
