#pragma once

#include <cstddef>
#include <cstdint>

#include "kvbm/base/result.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/layout/layout_config.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm {

/// The view of a layout without its bases. Precondition: check_config passes.
[[nodiscard]] PageView strides_of(const LayoutConfig& config, LayoutKind kind) noexcept;
/// How many regions a layout has, and the bytes each must have. Precondition: as strides_of.
[[nodiscard]] std::size_t region_count(const LayoutConfig& config, LayoutKind kind) noexcept;
[[nodiscard]] std::uint64_t region_bytes_needed(const LayoutConfig& config, LayoutKind kind) noexcept;
/// Errors  IndexOutOfRange naming which index, its value and the limit.
[[nodiscard]] Result<void, LayoutError> check_indices(const LayoutConfig& config, BlockId block, std::uint32_t layer,
                                                      std::uint32_t outer);

}  // namespace kvbm
