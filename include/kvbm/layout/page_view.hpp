#pragma once

#include <cstddef>
#include <cstdint>

#include "kvbm/base/host_device.hpp"
#include "kvbm/base/types.hpp"

namespace kvbm {

/// A layout as kernels and copies see it: trivially copyable, no check, no virtual call.
///
/// Lifetime  of the BlockLayout it came from. `layer_bases` is device memory in a view for kernels, host memory in one
///           for the CPU; null for a fully contiguous layout, whose layers lie at equal distances from `base`.
/// Units     bytes.
struct PageView {
  std::byte* base = nullptr;
  std::byte* const* layer_bases = nullptr;
  std::uint64_t block_stride = 0;
  std::uint64_t layer_stride = 0;  ///< 0 if layers have bases of their own
  std::uint64_t outer_stride = 0;
  std::uint64_t cell_bytes = 0;
  std::uint32_t layers = 0;
  std::uint32_t outer = 0;

  [[nodiscard]] KVBM_HOST_DEVICE std::byte* cell(BlockId block, std::uint32_t layer,
                                                 std::uint32_t outer_index) const noexcept {
    std::byte* layer_base = layer_bases != nullptr ? layer_bases[layer] : base + layer * layer_stride;
    return layer_base + block * block_stride + outer_index * outer_stride;
  }
};

}  // namespace kvbm
