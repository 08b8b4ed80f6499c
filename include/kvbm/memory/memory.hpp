#pragma once

#include <memory>
#include <utility>

#include "kvbm/device/device.hpp"
#include "kvbm/memory/region.hpp"

namespace kvbm {

/// Shared ownership of one region, whatever its kind: copies name the same memory, and it goes with the last of them.
///
/// Made by   allocate_system, allocate_pinned, allocate_device, borrow_memory, Memory::part.
/// Lifetime  keeps the device alive that the memory belongs to.
class Memory {
 public:
  Memory(Region region, std::shared_ptr<const void> owner) noexcept : region_(region), owner_(std::move(owner)) {}

  [[nodiscard]] const Region& region() const noexcept { return region_; }
  [[nodiscard]] std::byte* address() const noexcept { return region_.address; }
  [[nodiscard]] std::size_t bytes() const noexcept { return region_.bytes; }

  /// A piece that keeps the whole alive. Errors  std::out_of_range naming offset, size and limit.
  [[nodiscard]] Memory part(std::size_t offset, std::size_t bytes) const;
  /// The piece that begins at `address`. Errors  std::out_of_range if any of it lies outside.
  [[nodiscard]] Memory part_at(const void* address, std::size_t bytes) const;

 private:
  Region region_;
  std::shared_ptr<const void> owner_;
};

/// Page-aligned and zero. Errors  std::invalid_argument for zero bytes, std::system_error, std::bad_alloc.
[[nodiscard]] Memory allocate_system(std::size_t bytes);
/// Errors  std::invalid_argument for zero bytes, DeviceError.
[[nodiscard]] Memory allocate_device(std::shared_ptr<Device> device, std::size_t bytes);
/// Memory that somebody else owns, such as an engine's tensor: never freed, resized or registered by kvbm.
/// `owner` is kept alive if given. Errors  std::invalid_argument for zero bytes or a null address.
[[nodiscard]] Memory borrow_memory(Region region, std::shared_ptr<const void> owner = nullptr);

}  // namespace kvbm
