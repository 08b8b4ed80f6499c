#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>

#include "kvbm/base/mutex.hpp"
#include "kvbm/base/result.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "transfer/transfer_slot.hpp"

namespace kvbm {

/// The slots of an engine, who may have some, and who waits for them: first come, first served.
///
/// Threads  any.
class SlotPool {
 public:
  /// Errors  DeviceError, std::bad_alloc.
  SlotPool(const std::shared_ptr<Device>& device, std::uint32_t slots, std::uint32_t blocks_per_slot);

  [[nodiscard]] std::uint32_t blocks_per_slot() const noexcept { return blocks_per_slot_; }
  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(slots_.size()); }

  /// One more transfer, with `count` slots as a chain of pieces (none: null). Precondition: count <= size().
  /// Errors  Quiesced; QueueFull if it may not wait for slots.
  [[nodiscard]] Result<TransferSlot*, TransferError::Code> admit(std::uint32_t count, bool may_wait)
      KVBM_EXCLUDES(mutex_);
  /// Calls visit(slot) for each there is, in use or not.
  template <class Visit>
  void for_each(const Visit& visit) {
    for (TransferSlot& slot : slots_) visit(slot);
  }
  /// The whole chain.
  void give_back(TransferSlot* chain) noexcept KVBM_EXCLUDES(mutex_);
  /// A transfer that was admitted is over in every respect.
  void dismiss() noexcept KVBM_EXCLUDES(mutex_);

  /// Admits nobody from now on, and waits until every transfer admitted is dismissed and every slot is back.
  void close() KVBM_EXCLUDES(mutex_);
  void open() KVBM_EXCLUDES(mutex_);

 private:
  struct Waiter {
    Waiter* next = nullptr;
  };
  void stand_in_line(Waiter& waiter) noexcept KVBM_REQUIRES(mutex_);
  void leave_line(Waiter& waiter) noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] TransferSlot* take(std::uint32_t count) noexcept KVBM_REQUIRES(mutex_);

  const std::uint32_t blocks_per_slot_;
  Memory pairs_;  // pinned: [slots, 2, blocks_per_slot]
  std::deque<TransferSlot> slots_;
  Mutex mutex_;
  std::condition_variable_any changed_;  // waits with mutex_
  TransferSlot* free_ KVBM_GUARDED_BY(mutex_) = nullptr;
  std::uint32_t free_count_ KVBM_GUARDED_BY(mutex_) = 0;
  Waiter* first_waiter_ KVBM_GUARDED_BY(mutex_) = nullptr;
  std::uint64_t admitted_ KVBM_GUARDED_BY(mutex_) = 0;
  bool closed_ KVBM_GUARDED_BY(mutex_) = false;
};

}  // namespace kvbm
