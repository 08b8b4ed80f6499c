#include "layout/device_table.hpp"

#include <algorithm>

#include "kvbm/device/stream_owner.hpp"

namespace kvbm {

std::shared_ptr<std::byte* const> upload_table(const std::shared_ptr<Device>& device,
                                               std::span<std::byte* const> table) {
  const std::shared_ptr<void> memory(device->allocate(table.size_bytes()),
                                     [device](void* address) { device->release(address); });
  const std::shared_ptr<void> pinned(device->allocate_pinned(table.size_bytes(), false),
                                     [device](void* address) { device->release_pinned(address); });
  std::copy(table.begin(), table.end(), static_cast<std::byte**>(pinned.get()));
  const Stream stream(device, StreamPriority::Normal, "kvbm.layout_table");
  device->copy(memory.get(), pinned.get(), table.size_bytes(), stream.view());
  device->synchronize(stream.view());
  return {memory, static_cast<std::byte* const*>(memory.get())};
}

}  // namespace kvbm
