#pragma once

#include <cstdint>

#include "kvbm/device/kernel_call.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm::kernels {

/// Copies, for each of `blocks[0, count)`, layers [layers.begin, layers.end) of the source page to the target page,
/// byte for byte.
///
/// blocks          device-accessible, unchanged until the stream has passed this point; targets are distinct and
///                 disjoint from all sources.
/// fragment_bytes  bytes that lie together on both sides, from the start of each (block, layer, outer run): cell_bytes
///                 with outer_runs = outer, or outer * cell_bytes with outer_runs = 1 where K and V are adjacent on
///                 both. Where whole layers are adjacent on both sides too, the caller passes views with layers folded
///                 into one (layers {0, 1}, outer_runs 1). Any number of bytes, any alignment.
struct CopyCells {
  PageView source;
  PageView target;
  const BlockPair* blocks;
  std::uint32_t count;
  LayerRange layers;
  std::uint32_t outer_runs;
  std::uint64_t fragment_bytes;
  std::uint32_t grid_max;  ///< most thread blocks the launch may use; 0: as many as pay
};

/// 16-byte loads, several in flight per thread. For every device.
[[nodiscard]] KernelCall copy_cells(const CopyCells& copy) noexcept;
/// Bulk copies through shared memory: few thread blocks at link speed. Needs compute capability 9.0, and addresses,
/// strides and fragment_bytes that are multiples of 16.
[[nodiscard]] KernelCall bulk_copy_cells(const CopyCells& copy) noexcept;

}  // namespace kvbm::kernels
