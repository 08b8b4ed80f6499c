#pragma once

#include <cstdint>

#include "kvbm/base/types.hpp"
#include "kvbm/device/kernel_call.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm::kernels {

/// Sums up pages: sums[i] = the checksum of layers [begin, end) of page blocks[i]. Every byte is weighed by its
/// position (layer, outer, offset within the cell), so fragments may be summed in any order and by any device, and the
/// same content has the same sum in every layout of one inner order.
///
/// blocks, sums  device-accessible, untouched by others until the stream has passed this point. `sums` need not be
/// zero.
struct ChecksumPages {
  PageView pages;
  const BlockId* blocks;
  std::uint32_t count;
  LayerRange layers;
  std::uint64_t* sums;
};
[[nodiscard]] KernelCall checksum_pages(const ChecksumPages& checksum) noexcept;

/// The same value on the host, of a page it can read.
[[nodiscard]] std::uint64_t page_checksum(const PageView& pages, BlockId block, LayerRange layers) noexcept;

}  // namespace kvbm::kernels
