#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kvbm/layout/block_layout.hpp"

namespace kvbm::test {

/// Bytes in host memory at `misalignment` bytes past a multiple of 4096, under whatever kind they are to pass for.
inline Memory host_memory(std::size_t bytes, std::size_t misalignment = 0, MemoryKind kind = MemoryKind::System,
                          int device = -1) {
  constexpr std::size_t kAlignment = 4096;
  auto storage = std::make_shared<std::vector<std::byte>>(bytes + misalignment + kAlignment);
  const auto start = reinterpret_cast<std::uintptr_t>(storage->data());
  std::byte* address = storage->data() + (kAlignment - start % kAlignment) % kAlignment + misalignment;
  return Memory(Region{address, bytes, kind, device}, std::move(storage));
}

/// How many regions a layout of that kind has.
inline std::size_t region_count(const LayoutConfig& config, LayoutKind kind) {
  return kind == LayoutKind::FullyContiguous ? 1 : config.layers;
}

/// Regions of exactly the bytes a layout needs.
inline std::vector<Memory> host_regions(const LayoutConfig& config, LayoutKind kind, std::size_t misalignment = 0) {
  const std::size_t count = region_count(config, kind);
  std::vector<Memory> regions;
  for (std::size_t i = 0; i < count; ++i) {
    regions.push_back(host_memory(config.blocks * config.block_bytes() / count, misalignment));
  }
  return regions;
}

/// A layout over memory of its own, exactly as large as it must be. Precondition: the shape is right.
inline std::shared_ptr<const BlockLayout> host_layout(const LayoutConfig& config, LayoutKind kind,
                                                      std::size_t misalignment = 0) {
  return BlockLayout::create(config, kind, host_regions(config, kind, misalignment), nullptr).value();
}

inline constexpr LayoutKind kEveryLayoutKind[]{LayoutKind::FullyContiguous, LayoutKind::LayerSeparateBlockFirst,
                                               LayoutKind::LayerSeparateOuterFirst};

}  // namespace kvbm::test
