#pragma once

#include <cstdint>

#include "kvbm/device/kernel_call.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/layout/layout_config.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm::kernels {

/// Copies layers of pages between two inner orders out of Nhd, Hnd and UniversalTp: a gather of rows of head_dim
/// elements, with strides of their own on each side. Elements are bytes: one kernel for every width.
///
/// blocks  as in CopyCells.
/// A side in UniversalTp is fully contiguous: its view's base and block_stride are used, cells do not exist there.
struct PermuteCells {
  PageView source;
  PageView target;
  InnerOrder source_order;
  InnerOrder target_order;
  const BlockPair* blocks;
  std::uint32_t count;
  LayerRange layers;
  std::uint32_t layers_total;  ///< of the page, for the strides of UniversalTp
  std::uint32_t outer;
  std::uint32_t tokens;
  std::uint32_t heads;
  std::uint32_t row_bytes;  ///< head_dim * element_bytes
  std::uint32_t grid_max;   ///< as in CopyCells
};

/// Whether there is a kernel between these orders: between any two of Nhd, Hnd and UniversalTp, equal ones included
/// (of use for some layers of universal pages, which are no span).
[[nodiscard]] bool can_permute(InnerOrder source, InnerOrder target) noexcept;
/// Precondition: can_permute.
[[nodiscard]] KernelCall permute_cells(const PermuteCells& permute) noexcept;

}  // namespace kvbm::kernels
