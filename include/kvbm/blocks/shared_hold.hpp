#pragma once

#include <utility>

#include "kvbm/base/yield_point.hpp"
#include "kvbm/pools/block_slot.hpp"

namespace kvbm {

/// One pin on a registered slot: the core of ImmutableBlock and LifecyclePin. The pin count lies in the slot; copying
/// and all drops but the last are one atomic instruction on it.
///
/// Threads   different holds of one slot may be used on different threads.
/// Lifetime  may outlive the manager.
class SharedHold {
 public:
  /// Takes over a pin that the store has counted already.
  SharedHold(StoreHead& store, BlockId id) noexcept : store_(&store), id_(id) {}
  SharedHold(const SharedHold& other) noexcept : store_(other.store_), id_(other.id_) {
    if (store_ != nullptr) pin();
  }
  SharedHold(SharedHold&& other) noexcept : store_(std::exchange(other.store_, nullptr)), id_(other.id_) {}
  SharedHold& operator=(SharedHold other) noexcept {
    std::swap(store_, other.store_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~SharedHold() {
    if (store_ != nullptr) unpin();
  }

  /// Gives the pin away; whoever takes the id owns it.
  [[nodiscard]] BlockId detach() && noexcept {
    store_ = nullptr;
    return id_;
  }

  [[nodiscard]] BlockId id() const noexcept { return id_; }
  [[nodiscard]] const SequenceHash& hash() const noexcept { return slot().hash; }
  [[nodiscard]] StoreHead* store_head() const noexcept { return store_; }
  [[nodiscard]] BlockSlot& slot() const noexcept { return store_->slots[id_]; }

 private:
  void pin() const noexcept {
    KVBM_YIELD("pin");
    // relaxed: this thread reaches the slot through a pin that is held while this runs
    std::atomic_ref(slot().word).fetch_add(1, std::memory_order_relaxed);
  }
  void unpin() noexcept {
    KVBM_YIELD("unpin");
    // release: what was read from the page comes before its reuse; acquire: the last one releases for all
    const std::uint64_t before = std::atomic_ref(slot().word).fetch_sub(1, std::memory_order_acq_rel);
    if (BlockSlot::pins(before) == 1) last_pin_dropped(*store_, id_);
  }
  static void last_pin_dropped(StoreHead& store, BlockId id) noexcept;  // static: the hold can stay in registers

  StoreHead* store_;  // null: moved from
  BlockId id_;
};

}  // namespace kvbm
