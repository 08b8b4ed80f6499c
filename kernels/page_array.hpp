#pragma once

#include <cstddef>

#include "kvbm/base/host_device.hpp"
#include "kvbm/base/types.hpp"

namespace kvbm::kernels {

/// Pages of one tier at equal distances, in memory that whoever touches them can reach.
///
/// Shape  [pages, page_stride_bytes]
/// Units  the distance is a multiple of 16, and `base` is aligned to 16.
struct PageArray {
  std::byte* base;
  std::size_t page_stride_bytes;

  [[nodiscard]] KVBM_HOST_DEVICE std::byte* page(BlockId id) const noexcept { return base + id * page_stride_bytes; }
};

}  // namespace kvbm::kernels
