#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "kvbm/base/mutex.hpp"
#include "transfer/enqueuer.hpp"
#include "transfer/transfer_slot.hpp"

namespace kvbm {

class TransferCore;

/// One direction of the device: what waits, what is under way, and a lane for each priority. A lane is a stream and a
/// thread which blocks on the events of its slices, one after the other.
///
/// Order    OnDemand before WriteBehind, each first come, first served. What waits is cut into slices, so that no more
///          than bytes_in_flight_max lie where priorities do not count. If OnDemand transfers take all of that and may
///          be waiting for others' work, one WriteBehind slice is let through all the same: they may wait for it.
/// Threads  any. Device calls are made by one thread at a time, whoever finds something to enqueue, with no lock held.
class Link {
 public:
  struct Options {
    Direction direction;
    std::uint64_t bytes_in_flight_max;
    std::optional<StagingRing> ring;
    KernelLimits kernels;
  };

  /// Errors  DeviceError, std::system_error.
  Link(TransferCore& core, const std::shared_ptr<Device>& device, Options options);
  Link(Link&&) = delete;
  /// Precondition: nothing waits or is under way.
  ~Link();

  /// Fills in how the slot is cut into slices.
  void prepare(TransferSlot& slot) const noexcept;
  /// Takes over a slot that is filled in. Never waits for the device.
  void submit(TransferSlot& slot) KVBM_EXCLUDES(mutex_);
  /// Enqueues all of a transfer now, however much is under way. Returns whether a stream may be ordered behind its
  /// events; if not, it has failed.
  [[nodiscard]] bool force(TransferSlot& slot) KVBM_EXCLUDES(mutex_);
  /// Gives up what is not enqueued, and ends the transfer if nothing is. Returns whether it ends as cancelled.
  /// Errors  std::bad_alloc.
  [[nodiscard]] bool cancel(TransferSlot& slot) KVBM_EXCLUDES(mutex_);
  /// A stream on which to bring together what a request waits for.
  [[nodiscard]] StreamView gather(TransferPriority priority) const noexcept { return lane(priority).gather.view(); }

 private:
  struct Lane {
    explicit Lane(const std::shared_ptr<Device>& device, TransferPriority priority);

    Stream stream;
    Stream gather;
    std::condition_variable_any arrived;  // waits with mutex_
    bool has_news = false;                // under mutex_: something waits that nobody has begun to enqueue
    std::thread thread;
  };
  struct SliceQueue {
    Slice* first = nullptr;
    Slice* last = nullptr;
  };
  static constexpr std::size_t kPriorities = 2;
  /// A lane's thread has a slice to wait for behind them.
  static constexpr std::uint32_t kSlicesPerDispatch = 8;

  [[nodiscard]] Lane& lane(TransferPriority priority) const noexcept {
    return *lanes_[static_cast<std::size_t>(priority)];
  }
  /// Enqueues what may be, but no more than this if others will go on anyhow: nobody's submit works for all.
  void dispatch(std::uint32_t slices_max) KVBM_EXCLUDES(mutex_);
  [[nodiscard]] bool enqueue_all(TransferSlot& slot) KVBM_EXCLUDES(mutex_);
  /// The next slice that may be enqueued; null if there is none now.
  [[nodiscard]] Slice* next_slice() noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] Slice* cut(TransferSlot& slot, bool beyond_budget) noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] std::uint32_t& in_flight_of(TransferPriority priority) noexcept KVBM_REQUIRES(mutex_) {
    return slices_in_flight_[static_cast<std::size_t>(priority)];
  }
  [[nodiscard]] bool nothing_in_flight() const noexcept KVBM_REQUIRES(mutex_) {
    return slices_in_flight_[0] + slices_in_flight_[1] == 0;
  }
  void remove_waiting(TransferSlot& slot) noexcept KVBM_REQUIRES(mutex_);
  /// Nothing more of it will be enqueued.
  void abandon(TransferSlot& slot, TransferError error) KVBM_REQUIRES(mutex_);
  void enqueued(Slice& slice, std::optional<TransferError> error) KVBM_REQUIRES(mutex_);
  [[nodiscard]] std::optional<TransferError> enqueue(Slice& slice) KVBM_EXCLUDES(mutex_);
  void enqueue_next(Slice& slice) KVBM_REQUIRES(mutex_);

  void run(TransferPriority priority);
  void end_threads() noexcept KVBM_EXCLUDES(mutex_);
  /// The next slice under way on the lane; null if there is none, but something to enqueue, or the end has come.
  [[nodiscard]] Slice* arrived(TransferPriority priority) KVBM_REQUIRES(mutex_);
  /// Whether the slice's transfer has ended with it.
  [[nodiscard]] bool finished(Slice& slice, std::optional<std::string> failure) KVBM_REQUIRES(mutex_);
  [[nodiscard]] std::optional<std::string> await(const Slice& slice, StreamView stream);

  TransferCore& core_;
  const std::shared_ptr<Device> device_;
  const std::uint64_t bytes_in_flight_max_;
  Enqueuer enqueuer_;  // of the thread that set dispatching_
  std::array<std::unique_ptr<Lane>, kPriorities> lanes_;

  Mutex mutex_;
  std::condition_variable_any dispatched_;  // waits with mutex_: a transfer is enqueued, or nobody dispatches
  SlotQueue forced_ KVBM_GUARDED_BY(mutex_);
  std::array<SlotQueue, kPriorities> waiting_ KVBM_GUARDED_BY(mutex_);
  std::array<SliceQueue, kPriorities> under_way_ KVBM_GUARDED_BY(mutex_);
  std::uint64_t bytes_in_flight_ KVBM_GUARDED_BY(mutex_) = 0;
  std::array<std::uint32_t, kPriorities> slices_in_flight_ KVBM_GUARDED_BY(mutex_){};
  bool may_be_held_ KVBM_GUARDED_BY(mutex_) = false;  // the last OnDemand slice waits for others' work
  bool dispatching_ KVBM_GUARDED_BY(mutex_) = false;
  bool ending_ KVBM_GUARDED_BY(mutex_) = false;
};

}  // namespace kvbm
