#include "kvbm/memory/memory.hpp"

#include <stdexcept>
#include <string>
#include <system_error>

#include "memory/page_mapping.hpp"

namespace kvbm {
namespace {

void refuse_zero(std::size_t bytes, const char* what) {
  if (bytes == 0) throw std::invalid_argument(std::string(what) + " memory of 0 bytes");
}

/// Owns memory of a device.
struct DeviceMemory {
  DeviceMemory(std::shared_ptr<Device> on, std::size_t bytes)
      : device(std::move(on)), address(device->allocate(bytes)) {}
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { device->release(address); }

  std::shared_ptr<Device> device;
  void* address;
};

}  // namespace

Memory Memory::part(std::size_t offset, std::size_t bytes) const {
  if (offset > region_.bytes || bytes > region_.bytes - offset) {
    throw std::out_of_range("part of " + std::to_string(bytes) + " bytes at offset " + std::to_string(offset) +
                            " of memory of " + std::to_string(region_.bytes) + " bytes");
  }
  Region region = region_;
  region.address += offset;
  region.bytes = bytes;
  return Memory(region, owner_);
}

Memory Memory::part_at(const void* address, std::size_t bytes) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(region_.address);
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  if (at < begin) {
    throw std::out_of_range("part that begins " + std::to_string(begin - at) + " bytes before the memory");
  }
  return part(at - begin, bytes);
}

Memory allocate_system(std::size_t bytes) {
  refuse_zero(bytes, "system");
  auto pages = std::make_shared<const PageMapping>(bytes, system_page_bytes());
  return Memory({.address = pages->address(), .bytes = bytes, .kind = MemoryKind::System}, pages);
}

Memory allocate_device(std::shared_ptr<Device> device, std::size_t bytes) {
  refuse_zero(bytes, "device");
  auto memory = std::make_shared<const DeviceMemory>(std::move(device), bytes);
  const Region region{.address = static_cast<std::byte*>(memory->address),
                      .bytes = bytes,
                      .kind = MemoryKind::Device,
                      .device = memory->device->capabilities().ordinal};
  return Memory(region, std::move(memory));
}

Memory borrow_memory(Region region, std::shared_ptr<const void> owner) {
  refuse_zero(region.bytes, "borrowed");
  if (region.address == nullptr) throw std::invalid_argument("borrowed memory at a null address");
  return Memory(region, std::move(owner));
}

}  // namespace kvbm
