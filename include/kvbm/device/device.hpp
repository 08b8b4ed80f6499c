#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kvbm/device/device_error.hpp"
#include "kvbm/device/kernel_call.hpp"
#include "kvbm/device/stream.hpp"

namespace kvbm {

/// What a device is and can do. Each capability can be forced off when the device is made, for tests.
struct DeviceCapabilities {
  std::string name;
  int ordinal = 0;
  std::string pci_address{};  ///< as in sysfs, "0000:17:00.0"; empty: unknown
  int numa_node = -1;         ///< -1: unknown
  int multiprocessors = 0;
  std::uint64_t memory_bytes = 0;
  bool emulated = false;
  bool batched_copy = false;   ///< copy_batch asks the driver for one call; else it is a loop of copies
  bool bulk_copy = false;      ///< compute capability 9.0 or later: bulk copies through shared memory
  bool coherent_host = false;  ///< the device reaches pageable host memory at link speed
  bool host_register = false;  ///< register_host works
  bool memory_pools = false;   ///< cudaMallocAsync: for callers, since kvbm allocates nothing on streams
};

enum class StreamPriority : std::uint8_t { Normal, High };

/// Many copies as one call. All three have the same length; a copy of 0 bytes is not allowed.
struct CopyBatch {
  std::span<void* const> targets;
  std::span<const void* const> sources;
  std::span<const std::size_t> bytes;
};

/// The one seam between kvbm and a GPU: memory, streams, events, copies, kernel launches, errors. Two implementations:
/// cuda (cuda_device.hpp) and emulated (emulated_device.hpp), which is the same contract on the CPU.
///
/// Order    work on one stream runs in the order it was enqueued; streams are ordered by events only.
/// Threads  any, all methods. Calls that enqueue never wait for the device.
/// Errors   DeviceError (CudaError from CUDA). A sticky failure (Kind::Broken) is reported by every later call, by
///          done() and by synchronize(); nothing hangs.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;  ///< Precondition: nothing is under way, all streams and events are destroyed.

  [[nodiscard]] virtual const DeviceCapabilities& capabilities() const noexcept = 0;

  // ---- memory; only the memory module calls these ----
  /// Errors  DeviceError::OutOfMemory; zero bytes are refused.
  [[nodiscard]] virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  [[nodiscard]] virtual void* allocate_pinned(std::size_t bytes, bool write_combined) = 0;
  virtual void release_pinned(void* memory) noexcept = 0;
  /// Pins host memory that somebody mapped. Errors  DeviceError, and nothing is pinned.
  virtual void register_host(void* memory, std::size_t bytes) = 0;
  /// Whether it worked; if not, the memory must never be unmapped.
  [[nodiscard]] virtual bool unregister_host(void* memory) noexcept = 0;
  /// The address by which kernels reach pinned memory.
  [[nodiscard]] virtual void* device_address(void* pinned) = 0;

  // ---- streams and events; Stream and Event (stream_owner.hpp) own them ----
  [[nodiscard]] virtual StreamView create_stream(StreamPriority priority, const char* name) = 0;
  /// Work that is enqueued still runs. Never waits.
  virtual void destroy_stream(StreamView stream) noexcept = 0;
  [[nodiscard]] virtual EventView create_event() = 0;
  virtual void destroy_event(EventView event) noexcept = 0;
  virtual void record(EventView event, StreamView stream) = 0;
  /// What is enqueued on `stream` from now on waits for what `event` recorded last. It may be an event of another
  /// device of the same kind, here and below.
  virtual void wait(StreamView stream, EventView event) = 0;
  /// Whether what `event` recorded last has run (true if it never recorded).
  [[nodiscard]] virtual bool done(EventView event) = 0;
  /// Blocks this thread, without spinning, until done(event).
  virtual void synchronize(EventView event) = 0;
  virtual void synchronize(StreamView stream) = 0;

  // ---- work ----
  /// Between pinned memory and memory of this device, or of another one of the same kind. (Pageable memory makes CUDA
  /// wait; kvbm never passes it.)
  virtual void copy(void* target, const void* source, std::size_t bytes, StreamView stream) = 0;
  /// Whether the driver took it as a batch. If not, it is a loop of copies, and just as well enqueued.
  virtual bool copy_batch(const CopyBatch& batch, StreamView stream) = 0;
  virtual void fill(void* target, std::uint8_t value, std::size_t bytes, StreamView stream) = 0;
  virtual void launch(const KernelCall& call, StreamView stream) = 0;
};

}  // namespace kvbm
