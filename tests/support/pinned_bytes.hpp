#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "kvbm/device/device.hpp"

namespace kvbm::test {

/// Pinned memory of a device, as bytes.
class PinnedBytes {
 public:
  PinnedBytes(std::shared_ptr<Device> device, std::size_t bytes)
      : device_(std::move(device)),
        data_(static_cast<std::uint8_t*>(device_->allocate_pinned(bytes, /*write_combined=*/false))) {
    std::memset(data_, 0, bytes);
  }
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;
  ~PinnedBytes() { device_->release_pinned(data_); }

  [[nodiscard]] std::uint8_t* data() const noexcept { return data_; }
  [[nodiscard]] std::uint8_t& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  std::shared_ptr<Device> device_;
  std::uint8_t* data_;
};

}  // namespace kvbm::test
