#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstddef>
#include <string>

#include "kvbm/base/mutex.hpp"
#include "kvbm/cuda/error.hpp"
#include "kvbm/device/cuda_device.hpp"

namespace kvbm {

/// Makes a device this thread's current one for a scope. Costs a look where it is already.
class CurrentDevice {
 public:
  /// Errors  CudaError.
  explicit CurrentDevice(int ordinal);
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;
  ~CurrentDevice();

 private:
  int before_ = -1;
  bool changed_ = false;
};

/// A GPU by the CUDA runtime. Once a call reports that the context is lost, every later one says so without asking.
class CudaDevice final : public Device {
 public:
  /// Errors  CudaError.
  CudaDevice(int ordinal, CudaDeviceOptions options);

  [[nodiscard]] const DeviceCapabilities& capabilities() const noexcept override { return capabilities_; }

  // ---- src/device/memory/cuda_memory.cpp ----
  [[nodiscard]] void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  [[nodiscard]] void* allocate_pinned(std::size_t bytes, bool write_combined) override;
  void release_pinned(void* memory) noexcept override;
  void register_host(void* memory, std::size_t bytes) override;
  [[nodiscard]] bool unregister_host(void* memory) noexcept override;
  [[nodiscard]] void* device_address(void* pinned) override;

  [[nodiscard]] StreamView create_stream(StreamPriority priority, const char* name) override;
  void destroy_stream(StreamView stream) noexcept override;
  [[nodiscard]] EventView create_event() override;
  void destroy_event(EventView event) noexcept override;
  void record(EventView event, StreamView stream) override;
  void wait(StreamView stream, EventView event) override;
  [[nodiscard]] bool done(EventView event) override;
  void synchronize(EventView event) override;
  void synchronize(StreamView stream) override;

  void copy(void* target, const void* source, std::size_t bytes, StreamView stream) override;
  bool copy_batch(const CopyBatch& batch, StreamView stream) override;
  void fill(void* target, std::uint8_t value, std::size_t bytes, StreamView stream) override;
  void launch(const KernelCall& call, StreamView stream) override;

 private:
  /// Runs `call` with this device current, and remembers if it says that the device is broken. Errors  DeviceError.
  template <class Call>
  auto run(Call call) {
    throw_if_broken();
    try {
      const CurrentDevice current(capabilities_.ordinal);
      return call();
    } catch (const DeviceError& error) {
      if (error.kind() == DeviceError::Kind::Broken) note_broken(error.what());
      throw;
    }
  }
  /// The same in functions that cannot throw: whether it went well.
  template <class Call>
  bool run_unthrowing(Call call) const noexcept {
    try {
      const CurrentDevice current(capabilities_.ordinal);
      return call();
    } catch (const DeviceError&) {
      return false;  // no device to make current: it is lost, and what it held with it
    }
  }
  void throw_if_broken() const;
  void note_broken(const char* text);
  /// One call of the driver. False if the driver cannot do this batch.
  [[nodiscard]] bool try_batch(const CopyBatch& batch, cudaStream_t stream);

  const DeviceCapabilities capabilities_;
  const int high_priority_;
  std::atomic<bool> broken_ = false;
  mutable Mutex mutex_;
  std::string broken_text_ KVBM_GUARDED_BY(mutex_);
};

}  // namespace kvbm
