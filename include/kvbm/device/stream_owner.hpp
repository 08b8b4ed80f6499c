#pragma once

#include <memory>
#include <utility>

#include "kvbm/device/device.hpp"

namespace kvbm {

/// Owns a stream of a device, which it keeps alive.
class Stream {
 public:
  Stream(std::shared_ptr<Device> device, StreamPriority priority, const char* name)
      : device_(std::move(device)), view_(device_->create_stream(priority, name)) {}
  Stream(Stream&& other) noexcept : device_(std::move(other.device_)), view_(other.view_) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Stream() {
    if (device_) device_->destroy_stream(view_);
  }

  [[nodiscard]] StreamView view() const noexcept { return view_; }

 private:
  std::shared_ptr<Device> device_;  // null: moved from
  StreamView view_;
};

/// Owns an event of a device, which it keeps alive.
class Event {
 public:
  explicit Event(std::shared_ptr<Device> device) : device_(std::move(device)), view_(device_->create_event()) {}
  Event(Event&& other) noexcept : device_(std::move(other.device_)), view_(other.view_) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Event() {
    if (device_) device_->destroy_event(view_);
  }

  [[nodiscard]] EventView view() const noexcept { return view_; }

 private:
  std::shared_ptr<Device> device_;  // null: moved from
  EventView view_;
};

}  // namespace kvbm
