#pragma once

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>

#include "kvbm/base/mutex.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "transfer/device_copies.hpp"
#include "transfer/staging_ring.hpp"
#include "transfer/transfer_slot.hpp"

namespace kvbm {

class TransferCore;

/// A thread that copies between two kinds of host memory, and between pageable memory and the device through a ring of
/// pinned slots. One for each priority; each does one transfer after the other.
///
/// Threads  any.
class HostLane {
 public:
  struct Options {
    std::size_t ring_bytes;
    std::uint32_t ring_slots;
    KernelLimits kernels;
  };

  /// Errors  DeviceError, std::system_error.
  HostLane(TransferCore& core, const std::shared_ptr<Device>& device, const Options& options);
  HostLane(HostLane&&) = delete;
  /// Precondition: nothing waits or is under way.
  ~HostLane();

  void submit(TransferSlot& slot) KVBM_EXCLUDES(mutex_);
  /// Ends a transfer that waits. Returns whether it ends as cancelled. Errors  std::bad_alloc.
  [[nodiscard]] bool cancel(TransferSlot& slot) KVBM_EXCLUDES(mutex_);
  [[nodiscard]] StreamView gather() const noexcept { return gather_.view(); }

 private:
  void run();
  [[nodiscard]] TransferSlot* next() KVBM_EXCLUDES(mutex_);
  void move(const TransferSlot& slot);
  void move_on_host(const TransferSlot& slot);
  void move_through_ring(const TransferSlot& slot);
  void move_to_device(const TransferSlot& slot);
  void move_from_device(const TransferSlot& slot);
  void enqueue_hop(const TransferSlot& piece, const TransferPlan& plan, const PageSide& staged,
                   const StagedBatch& batch);

  TransferCore& core_;
  const std::shared_ptr<Device> device_;
  const Options options_;
  const Stream gather_;
  const Stream stream_;
  std::optional<StagingRing> ring_;  // made by the thread when it is wanted first

  Mutex mutex_;
  std::condition_variable_any arrived_;  // waits with mutex_
  SlotQueue waiting_ KVBM_GUARDED_BY(mutex_);
  bool ending_ KVBM_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace kvbm
