#include "transfer/slot_pool.hpp"

namespace kvbm {

SlotPool::SlotPool(const std::shared_ptr<Device>& device, std::uint32_t slots, std::uint32_t blocks_per_slot)
    : blocks_per_slot_(blocks_per_slot),
      pairs_(allocate_pinned(device, std::size_t{slots} * 2 * blocks_per_slot * sizeof(BlockPair))) {
  auto* pairs = reinterpret_cast<BlockPair*>(pairs_.address());
  const auto* device_pairs = static_cast<const BlockPair*>(device->device_address(pairs_.address()));
  for (std::uint32_t i = 0; i < slots; ++i) {
    TransferSlot& slot = slots_.emplace_back(device);
    slot.pairs = pairs;
    slot.staged_pairs = pairs + blocks_per_slot;
    slot.device_pairs = device_pairs;
    slot.device_staged_pairs = device_pairs + blocks_per_slot;
    pairs += 2 * std::size_t{blocks_per_slot};
    device_pairs += 2 * std::size_t{blocks_per_slot};
    slot.next_free = free_;
    free_ = &slot;
  }
  free_count_ = slots;
}

void SlotPool::stand_in_line(Waiter& waiter) noexcept {
  Waiter** end = &first_waiter_;
  while (*end != nullptr) end = &(*end)->next;
  *end = &waiter;
}

void SlotPool::leave_line(Waiter& waiter) noexcept {
  Waiter** at = &first_waiter_;
  while (*at != &waiter) at = &(*at)->next;
  *at = waiter.next;
}

TransferSlot* SlotPool::take(std::uint32_t count) noexcept {
  TransferSlot* chain = nullptr;
  for (std::uint32_t i = 0; i < count; ++i) {
    TransferSlot* const slot = free_;
    free_ = slot->next_free;
    slot->next_piece = chain;
    chain = slot;
  }
  free_count_ -= count;
  return chain;
}

Result<TransferSlot*, TransferError::Code> SlotPool::admit(std::uint32_t count, bool may_wait) {
  const MutexLock lock(mutex_);
  if (!closed_ && count != 0 && (count > free_count_ || first_waiter_ != nullptr)) {
    if (!may_wait) return fail(TransferError::Code::QueueFull);
    Waiter me;
    stand_in_line(me);
    while (!closed_ && (first_waiter_ != &me || count > free_count_)) changed_.wait(mutex_);
    leave_line(me);
    changed_.notify_all();  // the next one in line may have its slots too
  }
  if (closed_) return fail(TransferError::Code::Quiesced);
  ++admitted_;
  return take(count);
}

void SlotPool::give_back(TransferSlot* chain) noexcept {
  if (chain == nullptr) return;
  {
    const MutexLock lock(mutex_);
    while (chain != nullptr) {
      TransferSlot* const next = chain->next_piece;
      chain->next_free = free_;
      free_ = chain;
      ++free_count_;
      chain = next;
    }
  }
  changed_.notify_all();
}

void SlotPool::dismiss() noexcept {
  {
    const MutexLock lock(mutex_);
    --admitted_;
    if (admitted_ != 0 || !closed_) return;
  }
  changed_.notify_all();
}

void SlotPool::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  while (admitted_ != 0 || free_count_ != slots_.size()) changed_.wait(mutex_);
}

void SlotPool::open() {
  const MutexLock lock(mutex_);
  closed_ = false;
}

}  // namespace kvbm
