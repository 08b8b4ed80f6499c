#pragma once

#include <memory>
#include <vector>

#include "kvbm/layout/block_layout.hpp"
#include "tests/support/idle_device.hpp"

namespace kvbm::test {

/// A layout that is looked at only: its memory does not exist. Each is at addresses of its own.
[[nodiscard]] inline std::shared_ptr<const BlockLayout> planned_layout(const std::shared_ptr<Device>& device,
                                                                       const LayoutConfig& config, LayoutKind kind,
                                                                       MemoryKind memory, std::uintptr_t start) {
  const bool contiguous = kind == LayoutKind::FullyContiguous;
  const std::size_t bytes = std::size_t{config.blocks} * config.block_bytes() / (contiguous ? 1 : config.layers);
  std::vector<Memory> regions;
  for (std::uint32_t i = 0; i < (contiguous ? 1 : config.layers); ++i) {
    auto* const address = reinterpret_cast<std::byte*>(start + i * 2 * bytes);
    const int ordinal = memory == MemoryKind::Device ? device->capabilities().ordinal : -1;
    regions.push_back(borrow_memory({.address = address, .bytes = bytes, .kind = memory, .device = ordinal}));
  }
  return BlockLayout::create(config, kind, std::move(regions), device).value();
}

}  // namespace kvbm::test
