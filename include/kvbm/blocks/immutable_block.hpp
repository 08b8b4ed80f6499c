#pragma once

#include "kvbm/blocks/lifecycle_pin.hpp"
#include "kvbm/blocks/shared_hold.hpp"
#include "kvbm/registry/registration.hpp"

namespace kvbm {

template <class Tier>
class WeakBlock;

/// One holder of a registered block: its page stays put and unchanged.
///
/// Made by   BlockManager::register_block and its matches, BlockRun::block, WeakBlock::upgrade; a copy is one more
///           holder.
/// Becomes   WeakBlock and LifecyclePin beside itself; when the last holder is dropped the block becomes idle, or, if
///           so set or a duplicate, is reset.
/// Threads   different guards of one block may be used on different threads.
/// Lifetime  may outlive the manager.
/// Cost      copy and drop: one atomic instruction each; the last drop takes the store's lock.
template <class Tier>
class [[nodiscard]] ImmutableBlock {
 public:
  using TierType = Tier;

  [[nodiscard]] BlockId id() const noexcept { return hold_.id(); }
  [[nodiscard]] const SequenceHash& hash() const noexcept { return hold_.hash(); }

  /// Holders of the block: guards, run elements, pins, and duplicates that rely on it.
  [[nodiscard]] std::size_t use_count() const noexcept;

  /// Errors  std::bad_alloc. Defined in weak_block.hpp.
  [[nodiscard]] WeakBlock<Tier> downgrade() const;

  [[nodiscard]] LifecyclePin pin() const noexcept { return LifecyclePin(hold_); }

  /// What the registry knows of the hash. Errors  std::bad_alloc.
  [[nodiscard]] Registration registration() const;

  /// Whether the block is reset rather than kept when its last holder goes. Belongs to the slot: it holds for all
  /// copies, the last setter wins, and it lasts until the slot is given to another hash. Without effect on duplicates.
  void set_evict_on_reset(bool reset) noexcept;

 private:
  template <class>
  friend class BlockManager;
  template <class>
  friend class BlockRun;
  template <class>
  friend class SparseRun;
  friend class WeakBlock<Tier>;
  explicit ImmutableBlock(SharedHold hold) noexcept : hold_(std::move(hold)) {}

  SharedHold hold_;
};

/// The untemplated halves of the guards above.
[[nodiscard]] std::size_t use_count(const SharedHold& hold) noexcept;
[[nodiscard]] Registration registration_of(const SharedHold& hold);
void set_evict_on_reset(const SharedHold& hold, bool reset) noexcept;

template <class Tier>
std::size_t ImmutableBlock<Tier>::use_count() const noexcept {
  return kvbm::use_count(hold_);
}
template <class Tier>
Registration ImmutableBlock<Tier>::registration() const {
  return registration_of(hold_);
}
template <class Tier>
void ImmutableBlock<Tier>::set_evict_on_reset(bool reset) noexcept {
  kvbm::set_evict_on_reset(hold_, reset);
}

}  // namespace kvbm
