#pragma once

#include "kvbm/base/result.hpp"
#include "kvbm/blocks/block_size_mismatch.hpp"
#include "kvbm/blocks/complete_block.hpp"
#include "kvbm/blocks/exclusive_hold.hpp"
#include "kvbm/tokens/token_block.hpp"

namespace kvbm {

/// The sole right to fill one block that nobody can look up yet.
///
/// Made by   BlockManager::allocate, CompleteBlock::reset.
/// Becomes   CompleteBlock through stage() or complete(); dropped, the block returns to the reset pool.
/// Threads   one at a time; may be handed from thread to thread.
/// Lifetime  may outlive the manager.
template <class Tier>
class [[nodiscard]] MutableBlock {
 public:
  using TierType = Tier;

  [[nodiscard]] BlockId id() const noexcept { return hold_.id(); }
  [[nodiscard]] std::uint32_t tokens_per_block() const noexcept { return hold_.tokens_per_block(); }

  /// Declares the block full: `tokens` tokens whose lineage is `hash`.
  /// Errors  BlockSizeMismatch, with this guard unchanged inside the refusal.
  [[nodiscard]] Result<CompleteBlock<Tier>, Refused<MutableBlock, BlockSizeMismatch>> stage(const SequenceHash& hash,
                                                                                            std::uint32_t tokens) && {
    const std::uint32_t expected = tokens_per_block();
    if (tokens != expected) {
      return fail(Refused<MutableBlock, BlockSizeMismatch>{{expected, tokens}, std::move(*this)});
    }
    hold_.stage(hash);
    return CompleteBlock<Tier>(std::move(hold_));
  }

  /// stage() with the size and lineage of `block`.
  [[nodiscard]] Result<CompleteBlock<Tier>, Refused<MutableBlock, BlockSizeMismatch>> complete(
      const TokenBlock& block) && {
    return std::move(*this).stage(block.hash(), static_cast<std::uint32_t>(block.tokens().size()));
  }

 private:
  template <class>
  friend class BlockManager;
  template <class>
  friend class BlockRun;
  friend class CompleteBlock<Tier>;
  explicit MutableBlock(ExclusiveHold hold) noexcept : hold_(std::move(hold)) {}

  ExclusiveHold hold_;
};

template <class Tier>
MutableBlock<Tier> CompleteBlock<Tier>::reset() && noexcept {
  hold_.unstage();
  return MutableBlock<Tier>(std::move(hold_));
}

}  // namespace kvbm
