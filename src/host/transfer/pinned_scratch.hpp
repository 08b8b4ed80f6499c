#pragma once

#include <memory>

#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// Pinned memory for the engine's own use. Errors  DeviceError.
[[nodiscard]] inline Memory allocate_pinned(std::shared_ptr<Device> device, std::size_t bytes) {
  void* const address = device->allocate_pinned(bytes, false);
  std::shared_ptr<const void> owner(
      address, [device](const void* memory) { device->release_pinned(const_cast<void*>(memory)); });
  return Memory({.address = static_cast<std::byte*>(address), .bytes = bytes, .kind = MemoryKind::Pinned},
                std::move(owner));
}

}  // namespace kvbm
