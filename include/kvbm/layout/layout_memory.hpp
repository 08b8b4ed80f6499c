#pragma once

#include <cstddef>
#include <memory>

#include "kvbm/base/result.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm {

/// Layers that share an allocation begin at multiples of this, or of the layout's alignment if that is larger.
inline constexpr std::size_t kLayerAlignment = 512;

/// A layout with memory of its own, all of it from one allocation of that kind.
///
/// device  needed for Pinned and Device; null is right for System.
/// pinned  how pinned memory is made; block_bytes is filled in: no block, and no layer of a layer-separate layout, lies
///         in two registrations.
/// Errors  LayoutError for the shape, or NoDevice; whatever the allocation throws. Nothing is left behind.
[[nodiscard]] Result<std::shared_ptr<const BlockLayout>, LayoutError> allocate_layout(const LayoutConfig& config,
                                                                                      LayoutKind layout_kind,
                                                                                      MemoryKind memory_kind,
                                                                                      std::shared_ptr<Device> device,
                                                                                      PinnedMemoryOptions pinned = {});

}  // namespace kvbm
