#pragma once

#include "kvbm/blocks/shared_hold.hpp"

namespace kvbm {

/// Keeps one registered block where it is, without its tier in the type and without counting as a block in use: what a
/// copy in flight or a foreign owner holds. (manager_id(), id()) is the address of a page.
///
/// Made by   ImmutableBlock::pin.
/// Threads   any.
/// Lifetime  may outlive the manager.
/// Cost      no allocation; two atomic increments.
class [[nodiscard]] LifecyclePin {
 public:
  LifecyclePin(const LifecyclePin& other) noexcept : hold_(other.hold_), live_(other.live_) { count(); }
  LifecyclePin(LifecyclePin&& other) noexcept
      : hold_(std::move(other.hold_)), live_(std::exchange(other.live_, false)) {}
  LifecyclePin& operator=(LifecyclePin other) noexcept {
    std::swap(hold_, other.hold_);
    std::swap(live_, other.live_);
    return *this;
  }
  ~LifecyclePin();

  [[nodiscard]] BlockId id() const noexcept { return hold_.id(); }
  [[nodiscard]] const SequenceHash& hash() const noexcept { return hold_.hash(); }
  [[nodiscard]] ManagerId manager_id() const noexcept;
  /// Holders of the block: guards, run elements, pins, and duplicates that rely on it.
  [[nodiscard]] std::size_t use_count() const noexcept;

 private:
  template <class>
  friend class ImmutableBlock;
  explicit LifecyclePin(SharedHold hold) noexcept : hold_(std::move(hold)) { count(); }
  void count() noexcept {
    if (live_) std::atomic_ref(hold_.slot().lifecycle_pins).fetch_add(1, std::memory_order_relaxed);
  }

  SharedHold hold_;
  bool live_ = true;  // false: moved from
};

}  // namespace kvbm
