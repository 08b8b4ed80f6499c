#pragma once

#include <concepts>
#include <span>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/blocks/block_size_mismatch.hpp"
#include "kvbm/blocks/immutable_block.hpp"
#include "kvbm/blocks/mutable_block.hpp"
#include "kvbm/blocks/run_hold.hpp"

namespace kvbm {

/// Many blocks in one state as one object: one owner, one lock to make it, one to release it. `Guard` is MutableBlock,
/// CompleteBlock or ImmutableBlock of a tier; the run moves through the same states as a single guard does.
///
/// Made by   BlockManager (allocate, register_blocks, match_blocks, scan_matches); a transition of a whole run.
/// Becomes   the run of the next state; single guards through into_blocks().
/// Order     index 0 is the first block of the sequence. Dropped, a registered run is released last block first, so
///           that no prefix grows older than what follows it; other runs in index order.
/// Threads   one at a time; may be handed from thread to thread.
/// Lifetime  may outlive the manager.
template <class Guard>
class [[nodiscard]] BlockRun {
 public:
  using GuardType = Guard;
  using Tier = typename Guard::TierType;
  static constexpr bool kMutable = std::same_as<Guard, MutableBlock<Tier>>;
  static constexpr bool kComplete = std::same_as<Guard, CompleteBlock<Tier>>;
  static constexpr bool kImmutable = std::same_as<Guard, ImmutableBlock<Tier>>;

  /// A run of these blocks, in this order. Precondition: all of one manager.
  /// Errors  std::bad_alloc, with `blocks` as they were.
  [[nodiscard]] static BlockRun of(std::vector<Guard>&& blocks) {
    RunHold hold = RunHold::reserve(blocks.empty() ? nullptr : blocks.front().hold_.store_head(),
                                    static_cast<std::uint32_t>(blocks.size()), kKind);
    for (Guard& block : blocks) hold.add(std::move(block.hold_));
    blocks.clear();
    return BlockRun(std::move(hold));
  }

  [[nodiscard]] std::uint32_t size() const noexcept { return hold_.size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// Contiguous, in order; valid until the run is changed, moved or dropped.
  [[nodiscard]] std::span<const BlockId> ids() const noexcept { return hold_.ids(); }
  [[nodiscard]] BlockId id(std::uint32_t i) const noexcept { return hold_.ids()[i]; }
  /// Precondition: not empty.
  [[nodiscard]] std::uint32_t tokens_per_block() const noexcept { return hold_.store_head()->tokens_per_block; }

  /// Declares all blocks full, each with the hash at its index.
  /// Errors  BlockSizeMismatch if `tokens` is not the manager's block size or there are not as many hashes as blocks,
  ///         with this run unchanged inside the refusal.
  [[nodiscard]] Result<BlockRun<CompleteBlock<Tier>>, Refused<BlockRun, BlockSizeMismatch>>
      stage(std::span<const SequenceHash> hashes, std::uint32_t tokens) && requires kMutable {
    if (hashes.size() != size()) {
      return fail(
          Refused<BlockRun, BlockSizeMismatch>{{size(), static_cast<std::uint32_t>(hashes.size())}, std::move(*this)});
    }
    if (!empty() && tokens != hold_.store_head()->tokens_per_block) {
      return fail(
          Refused<BlockRun, BlockSizeMismatch>{{hold_.store_head()->tokens_per_block, tokens}, std::move(*this)});
    }
    hold_.stage(hashes);
    return BlockRun<CompleteBlock<Tier>>(std::move(hold_));
  }

  /// Takes the names off again.
  [[nodiscard]] BlockRun<MutableBlock<Tier>> reset() && noexcept requires kComplete {
    hold_.unstage();
    return BlockRun<MutableBlock<Tier>>(std::move(hold_));
  }

  [[nodiscard]] const SequenceHash& hash(std::uint32_t i) const noexcept requires(!kMutable) {
    return hold_.slot(i).hash;
  }

  /// One more holder of block `i`, beside the run.
  [[nodiscard]] Guard block(std::uint32_t i) const noexcept requires kImmutable { return Guard(hold_.pin(i)); }
  /// One more run of the same blocks. Errors  std::bad_alloc.
  [[nodiscard]] BlockRun share() const requires kImmutable { return BlockRun(hold_.share()); }

  /// Keeps the first `count` blocks and returns the rest; all of them if there are fewer.
  /// Errors  std::bad_alloc, with the run as it was.
  [[nodiscard]] BlockRun split_off(std::uint32_t count) { return BlockRun(hold_.split_off(count)); }

  /// Takes over the blocks of `tail`, behind its own, and leaves `tail` empty.
  /// Errors  std::bad_alloc, with both as they were. Runs of two managers do not join: that is a bug and aborts.
  void append(BlockRun&& tail) { hold_.append(tail.hold_); }

  /// A single guard for each block, in order. Errors  std::bad_alloc, with the run as it was.
  [[nodiscard]] std::vector<Guard> into_blocks() && {
    std::vector<Guard> blocks;
    blocks.reserve(size());
    if constexpr (kImmutable) {
      for (SharedHold& hold : std::move(hold_).into_shared()) blocks.push_back(Guard(std::move(hold)));
    } else {
      for (ExclusiveHold& hold : std::move(hold_).into_exclusive()) blocks.push_back(Guard(std::move(hold)));
    }
    return blocks;
  }

 private:
  template <class>
  friend class BlockManager;
  template <class>
  friend class BlockRun;
  static constexpr RunHold::Kind kKind = kMutable    ? RunHold::Kind::Mutable
                                         : kComplete ? RunHold::Kind::Staged
                                                     : RunHold::Kind::Shared;
  explicit BlockRun(RunHold hold) noexcept : hold_(std::move(hold)) {}
  /// Takes what make() returns, in place. (No run is invocable, so that copies and moves are not for it.)
  template <std::invocable Make>
  explicit BlockRun(Make&& make) : hold_(make()) {}  // NOLINT(bugprone-forwarding-reference-overload)

  RunHold hold_;
};

}  // namespace kvbm
