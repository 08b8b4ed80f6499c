#pragma once

#include "kvbm/blocks/exclusive_hold.hpp"

namespace kvbm {

template <class Tier>
class MutableBlock;

/// A full block with its name, not findable yet.
///
/// Made by   MutableBlock::stage, MutableBlock::complete.
/// Becomes   ImmutableBlock through BlockManager::register_block, MutableBlock through reset(); dropped, the block
///           returns to the reset pool.
/// Threads   one at a time; may be handed from thread to thread.
/// Lifetime  may outlive the manager.
template <class Tier>
class [[nodiscard]] CompleteBlock {
 public:
  using TierType = Tier;

  [[nodiscard]] BlockId id() const noexcept { return hold_.id(); }
  [[nodiscard]] std::uint32_t tokens_per_block() const noexcept { return hold_.tokens_per_block(); }
  [[nodiscard]] const SequenceHash& hash() const noexcept { return hold_.hash(); }

  /// Takes the name off again. Defined in mutable_block.hpp.
  [[nodiscard]] MutableBlock<Tier> reset() && noexcept;

 private:
  template <class>
  friend class BlockManager;
  template <class>
  friend class BlockRun;
  friend class MutableBlock<Tier>;
  explicit CompleteBlock(ExclusiveHold hold) noexcept : hold_(std::move(hold)) {}

  ExclusiveHold hold_;
};

}  // namespace kvbm
