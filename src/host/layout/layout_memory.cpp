#include "kvbm/layout/layout_memory.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "layout/layout_error.hpp"
#include "layout/strides.hpp"

namespace kvbm {
namespace {

/// Regions of one allocation, at equal distances.
struct Cut {
  std::size_t count;
  std::size_t region_bytes;
  std::size_t distance;  ///< from region to region
  std::size_t alignment;

  /// With room to begin on the alignment, wherever the allocation begins.
  [[nodiscard]] std::optional<std::size_t> bytes() const {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(distance, count - 1, &bytes) || __builtin_add_overflow(bytes, region_bytes, &bytes) ||
        __builtin_add_overflow(bytes, alignment - 1, &bytes)) {
      return std::nullopt;
    }
    return bytes;
  }
};

std::optional<Cut> cut_of(const LayoutConfig& config, LayoutKind kind) {
  Cut cut{.count = region_count(config, kind), .region_bytes = region_bytes_needed(config, kind)};
  cut.alignment = std::max(config.alignment, cut.count == 1 ? std::size_t{1} : kLayerAlignment);
  if (__builtin_add_overflow(cut.region_bytes, cut.alignment - 1, &cut.distance)) return std::nullopt;
  cut.distance = cut.distance / cut.alignment * cut.alignment;
  return cut;
}

std::vector<Memory> cut_up(const Memory& whole, const Cut& cut) {
  const auto start = reinterpret_cast<std::uintptr_t>(whole.address());
  const std::size_t first = (cut.alignment - start % cut.alignment) % cut.alignment;
  std::vector<Memory> regions;
  for (std::size_t i = 0; i < cut.count; ++i) regions.push_back(whole.part(first + i * cut.distance, cut.region_bytes));
  return regions;
}

}  // namespace

Result<std::shared_ptr<const BlockLayout>, LayoutError> allocate_layout(const LayoutConfig& config,
                                                                        LayoutKind layout_kind, MemoryKind memory_kind,
                                                                        std::shared_ptr<Device> device,
                                                                        PinnedMemoryOptions pinned) {
  if (auto checked = check_config(config, layout_kind); !checked) return fail(checked.error());
  if (memory_kind != MemoryKind::System && device == nullptr) return fail(no_device_error());
  const std::optional<Cut> cut = cut_of(config, layout_kind);
  const std::optional<std::size_t> bytes = cut ? cut->bytes() : std::nullopt;
  if (!bytes) return fail(LayoutError{LayoutError::Code::SizeOverflow, "the bytes of the layout overflow 64 bits"});
  pinned.block_bytes = layout_kind == LayoutKind::FullyContiguous ? config.block_bytes() : cut->distance;
  const Memory whole = memory_kind == MemoryKind::System   ? allocate_system(*bytes)
                       : memory_kind == MemoryKind::Device ? allocate_device(device, *bytes)
                                                           : allocate_pinned(device, *bytes, pinned);
  return BlockLayout::create(config, layout_kind, cut_up(whole, *cut), std::move(device));
}

}  // namespace kvbm
