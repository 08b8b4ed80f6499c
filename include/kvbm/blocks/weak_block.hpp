#pragma once

#include <optional>

#include "kvbm/blocks/immutable_block.hpp"
#include "kvbm/blocks/weak_hold.hpp"

namespace kvbm {

/// Remembers a registered block without keeping it from eviction.
///
/// Made by   ImmutableBlock::downgrade.
/// Becomes   ImmutableBlock through upgrade(), as often as wanted.
/// Threads   any.
/// Lifetime  may outlive the manager. Keeps the registration of its hash, and so its attachments, alive.
template <class Tier>
class WeakBlock {
 public:
  using TierType = Tier;

  [[nodiscard]] const SequenceHash& hash() const noexcept { return hold_.hash(); }

  /// The block that has this hash now: this one, or another slot if the hash was evicted and registered anew, or the
  /// primary if this was a duplicate that is gone. Nothing if no registered block has it.
  /// Cost  one atomic instruction if the block is in use; else a look-up under the store's lock.
  [[nodiscard]] std::optional<ImmutableBlock<Tier>> upgrade() const noexcept {
    std::optional<SharedHold> hold = hold_.upgrade();
    if (!hold) return std::nullopt;
    return ImmutableBlock<Tier>(std::move(*hold));
  }

 private:
  friend class ImmutableBlock<Tier>;
  explicit WeakBlock(WeakHold hold) noexcept : hold_(std::move(hold)) {}

  WeakHold hold_;
};

template <class Tier>
WeakBlock<Tier> ImmutableBlock<Tier>::downgrade() const {
  return WeakBlock<Tier>(WeakHold(hold_));
}

}  // namespace kvbm
