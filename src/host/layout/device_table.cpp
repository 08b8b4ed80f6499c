#include "layout/device_table.hpp"

#include <algorithm>

#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm {

std::shared_ptr<std::byte* const> upload_table(const std::shared_ptr<Device>& device,
                                               std::span<std::byte* const> table) {
  const auto memory = std::make_shared<const Memory>(allocate_device(device, table.size_bytes()));
  const std::shared_ptr<void> pinned(device->allocate_pinned(table.size_bytes(), false),
                                     [device](void* address) { device->release_pinned(address); });
  std::copy(table.begin(), table.end(), static_cast<std::byte**>(pinned.get()));
  const Stream stream(device, StreamPriority::Normal, "kvbm.layout_table");
  device->copy(memory->address(), pinned.get(), table.size_bytes(), stream.view());
  device->synchronize(stream.view());
  return {memory, reinterpret_cast<std::byte* const*>(memory->address())};
}

}  // namespace kvbm
