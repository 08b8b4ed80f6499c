#pragma once

#include <memory>
#include <utility>

#include "kvbm/device/emulated_device.hpp"

namespace kvbm::test {

/// An emulated device behind another face, for tests that meddle with some of its calls.
class ForwardingDevice : public Device {
 public:
  explicit ForwardingDevice(std::shared_ptr<EmulatedDevice> device = EmulatedDevice::create())
      : device_(std::move(device)) {}

  [[nodiscard]] const DeviceCapabilities& capabilities() const noexcept override { return device_->capabilities(); }

  [[nodiscard]] void* allocate(std::size_t bytes) override { return device_->allocate(bytes); }
  void release(void* memory) noexcept override { device_->release(memory); }
  [[nodiscard]] void* allocate_pinned(std::size_t bytes, bool write_combined) override {
    return device_->allocate_pinned(bytes, write_combined);
  }
  void release_pinned(void* memory) noexcept override { device_->release_pinned(memory); }
  void register_host(void* memory, std::size_t bytes) override { device_->register_host(memory, bytes); }
  [[nodiscard]] bool unregister_host(void* memory) noexcept override { return device_->unregister_host(memory); }
  [[nodiscard]] void* device_address(void* pinned) override { return device_->device_address(pinned); }

  [[nodiscard]] StreamView create_stream(StreamPriority priority, const char* name) override {
    return device_->create_stream(priority, name);
  }
  void destroy_stream(StreamView stream) noexcept override { device_->destroy_stream(stream); }
  [[nodiscard]] EventView create_event() override { return device_->create_event(); }
  void destroy_event(EventView event) noexcept override { device_->destroy_event(event); }
  void record(EventView event, StreamView stream) override { device_->record(event, stream); }
  void wait(StreamView stream, EventView event) override { device_->wait(stream, event); }
  [[nodiscard]] bool done(EventView event) override { return device_->done(event); }
  void synchronize(EventView event) override { device_->synchronize(event); }
  void synchronize(StreamView stream) override { device_->synchronize(stream); }

  void copy(void* target, const void* source, std::size_t bytes, StreamView stream) override {
    device_->copy(target, source, bytes, stream);
  }
  bool copy_batch(const CopyBatch& batch, StreamView stream) override { return device_->copy_batch(batch, stream); }
  void fill(void* target, std::uint8_t value, std::size_t bytes, StreamView stream) override {
    device_->fill(target, value, bytes, stream);
  }
  void launch(const KernelCall& call, StreamView stream) override { device_->launch(call, stream); }

 protected:
  [[nodiscard]] EmulatedDevice& emulated() noexcept { return *device_; }

 private:
  const std::shared_ptr<EmulatedDevice> device_;
};

}  // namespace kvbm::test
