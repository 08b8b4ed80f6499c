#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/layout/layout_config.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// A tensor of an inference engine, as array interfaces describe it.
///
/// Units  strides are elements; shape and strides have the same length.
struct TensorDescription {
  std::byte* address = nullptr;
  std::vector<std::uint64_t> shape{};
  std::vector<std::int64_t> strides{};
  std::uint32_t element_bytes = 2;
  MemoryKind kind = MemoryKind::Device;
  int device = 0;
  std::shared_ptr<const void> owner{};  ///< kept alive by what is made of the tensor, if given

  /// 1 for an empty shape; absent if it overflows 64 bits.
  [[nodiscard]] std::optional<std::uint64_t> elements() const noexcept;
  /// Whether elements lie end to end, the last dimension fastest. Strides of dimensions of extent 1 do not matter.
  [[nodiscard]] bool is_contiguous() const noexcept;
};

/// The regions of a layout over tensors: one tensor for a fully contiguous layout, one per layer otherwise.
///
/// Errors  LayoutError: NoRegion for an empty list; for the first tensor that is not right NotDeviceMemory,
///         MixedMemoryKinds (another device than the first's), NotContiguous, SizeOverflow, RegionTooSmall (no bytes).
[[nodiscard]] Result<std::vector<Memory>, LayoutError> regions_of(std::span<const TensorDescription> tensors);

}  // namespace kvbm
