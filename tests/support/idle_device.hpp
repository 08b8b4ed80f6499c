#pragma once

#include <cstdlib>
#include <cstring>
#include <new>

#include "kvbm/device/device.hpp"

namespace kvbm::test {

/// A device on which everything has happened already, and nothing ever did: work is dropped, all memory is its own. For
/// what concerns the calls alone: planning, counting allocations, timing the submitting thread.
///
/// Threads  any.
class IdleDevice final : public Device {
 public:
  /// `emulated`: whether it admits that it is no GPU.
  explicit IdleDevice(bool emulated = true) { capabilities_.emulated = emulated; }

  [[nodiscard]] const DeviceCapabilities& capabilities() const noexcept override { return capabilities_; }

  [[nodiscard]] void* allocate(std::size_t bytes) override { return memory(bytes); }
  void release(void* memory) noexcept override { std::free(memory); }
  [[nodiscard]] void* allocate_pinned(std::size_t bytes, bool /*write_combined*/) override { return memory(bytes); }
  void release_pinned(void* memory) noexcept override { std::free(memory); }
  void register_host(void* /*memory*/, std::size_t /*bytes*/) override {}
  [[nodiscard]] bool unregister_host(void* /*memory*/) noexcept override { return true; }
  [[nodiscard]] void* device_address(void* pinned) override { return pinned; }

  [[nodiscard]] StreamView create_stream(StreamPriority /*priority*/, const char* /*name*/) override {
    return StreamView(nullptr);
  }
  void destroy_stream(StreamView /*stream*/) noexcept override {}
  [[nodiscard]] EventView create_event() override { return EventView(nullptr); }
  void destroy_event(EventView /*event*/) noexcept override {}
  void record(EventView /*event*/, StreamView /*stream*/) override {}
  void wait(StreamView /*stream*/, EventView /*event*/) override {}
  [[nodiscard]] bool done(EventView /*event*/) override { return true; }
  void synchronize(EventView /*event*/) override {}
  void synchronize(StreamView /*stream*/) override {}

  void copy(void* /*target*/, const void* /*source*/, std::size_t /*bytes*/, StreamView /*stream*/) override {}
  bool copy_batch(const CopyBatch& /*batch*/, StreamView /*stream*/) override { return true; }
  void fill(void* /*target*/, std::uint8_t /*value*/, std::size_t /*bytes*/, StreamView /*stream*/) override {}
  void launch(const KernelCall& /*call*/, StreamView /*stream*/) override {}

 private:
  [[nodiscard]] static void* memory(std::size_t bytes) {
    void* const got = std::calloc(bytes, 1);
    if (got == nullptr) throw std::bad_alloc();
    return got;
  }

  DeviceCapabilities capabilities_{.name = "idle",
                                   .multiprocessors = 1,
                                   .memory_bytes = std::uint64_t{1} << 40,
                                   .batched_copy = true,
                                   .bulk_copy = true,
                                   .host_register = true};
};

}  // namespace kvbm::test
