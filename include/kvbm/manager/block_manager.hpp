#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/blocks/block_run.hpp"
#include "kvbm/blocks/sparse_run.hpp"
#include "kvbm/blocks/weak_block.hpp"
#include "kvbm/manager/manager_core.hpp"
#include "kvbm/manager/type_label.hpp"

namespace kvbm {

/// What became of reset_inactive_pool().
struct ResetOutcome {
  std::uint32_t drained;  ///< idle blocks that were reset
  std::uint32_t free;     ///< blocks in the reset pool afterwards
  std::uint32_t total;    ///< blocks of the manager

  /// Whether no block is held by anybody.
  [[nodiscard]] bool all_free() const noexcept { return free == total; }
};

/// The blocks of one tier: hands out empty ones, finds registered ones, and decides which idle ones to give up.
///
/// Threads   any, all methods.
/// Lifetime  guards may outlive it; they keep working.
/// Errors    methods that return runs throw std::bad_alloc only if more ids are on loan than the store set aside;
///           nothing has happened then.
/// Cost      one lock a call, whatever the number of blocks.
template <class Tier>
class BlockManager {
 public:
  /// Errors  InvalidOptions naming the first thing wrong; std::bad_alloc.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): it is moved from
  [[nodiscard]] static Result<BlockManager, InvalidOptions> create(ManagerOptions options) {
    Result<ManagerCore, InvalidOptions> core =
        ManagerCore::create(std::move(options), tier_key<Tier>(), std::string(type_label<Tier>()));
    if (!core) return fail(std::move(core).error());
    return BlockManager(std::move(*core));
  }

  /// All of `count` blocks, or none: reset blocks first, in the order they were given back, then evicted ones.
  [[nodiscard]] std::optional<BlockRun<MutableBlock<Tier>>> allocate(std::uint32_t count) const {
    std::optional<RunHold> run = core_.allocate(count);
    if (!run) return std::nullopt;
    return BlockRun<MutableBlock<Tier>>(std::move(*run));
  }

  struct Allocation {
    BlockRun<MutableBlock<Tier>> blocks;
    std::vector<SequenceHash> evicted;  ///< what the last evicted.size() blocks held, in their order
  };
  /// allocate() with a report of what had to go. The report is allocated before any block is taken.
  [[nodiscard]] std::optional<Allocation> allocate_with_evictions(std::uint32_t count) const {
    std::vector<SequenceHash> evicted;
    std::optional<RunHold> run = core_.allocate(count, evicted);
    if (!run) return std::nullopt;
    return Allocation{BlockRun<MutableBlock<Tier>>(std::move(*run)), std::move(evicted)};
  }

  [[nodiscard]] std::optional<MutableBlock<Tier>> allocate_block() const {
    const BlockId id = core_.allocate_block();
    if (id == kNoBlock) return std::nullopt;
    return MutableBlock<Tier>(ExclusiveHold(core_.head(), id));
  }

  /// Makes blocks findable, all at once. The result has the same order and size; where a hash was registered already,
  /// DuplicationPolicy decides: Allow keeps the block as a duplicate, Reject returns the one that has the hash.
  /// Precondition: the blocks are this manager's.
  /// Errors  what the registry's hook throws, or std::bad_alloc for it: the blocks are registered then, and idle, and
  ///         the hook has not run for the rest of them.
  [[nodiscard]] BlockRun<ImmutableBlock<Tier>> register_blocks(BlockRun<CompleteBlock<Tier>> blocks) const {
    return BlockRun<ImmutableBlock<Tier>>([&] { return core_.register_blocks(std::move(blocks.hold_)); });
  }
  [[nodiscard]] ImmutableBlock<Tier> register_block(CompleteBlock<Tier> block) const {
    return ImmutableBlock<Tier>(SharedHold(core_.head(), core_.register_block(std::move(block.hold_))));
  }

  /// The longest prefix of `hashes` that is registered, in use or idle.
  [[nodiscard]] BlockRun<ImmutableBlock<Tier>> match_blocks(std::span<const SequenceHash> hashes) const {
    return BlockRun<ImmutableBlock<Tier>>([&] { return core_.match(hashes); });
  }
  [[nodiscard]] std::optional<ImmutableBlock<Tier>> match_block(const SequenceHash& hash) const {
    const BlockId id = core_.match_block(hash);
    if (id == kNoBlock) return std::nullopt;
    return ImmutableBlock<Tier>(SharedHold(core_.head(), id));
  }
  /// The longest prefix of `hashes` whose blocks are where `hints` says. Slot, generation and full hash are compared,
  /// no table is asked: a hint that is behind ends the prefix, and whoever wants more goes on with match_blocks().
  /// Precondition: as many hints as hashes.
  [[nodiscard]] BlockRun<ImmutableBlock<Tier>> match_hinted(std::span<const SequenceHash> hashes,
                                                            std::span<const BlockHint> hints) const {
    return BlockRun<ImmutableBlock<Tier>>([&] { return core_.match_hinted(hashes, hints); });
  }
  /// Each hash on its own; does not stop at a miss.
  [[nodiscard]] SparseRun<Tier> match_scattered(std::span<const SequenceHash> hashes) const {
    return SparseRun<Tier>([&] { return core_.match_scattered(hashes); });
  }
  /// The different blocks among `hashes`, in order of first occurrence. With `touch`, counts a use of every occurrence
  /// whose hash is registered in any tier.
  [[nodiscard]] BlockRun<ImmutableBlock<Tier>> scan_matches(std::span<const SequenceHash> hashes, bool touch) const {
    return BlockRun<ImmutableBlock<Tier>>([&] { return core_.scan(hashes, touch); });
  }

  /// Resets every idle block. Blocks in use stay; the outcome says whether there were any.
  ResetOutcome reset_inactive_pool() const {
    const ManagerCore::Drained drained = core_.drain_inactive();
    return {drained.drained, drained.free, total_blocks()};
  }

  [[nodiscard]] ManagerId id() const noexcept { return core_.id(); }
  [[nodiscard]] std::uint32_t total_blocks() const noexcept { return core_.total_blocks(); }
  /// How many blocks allocate() could hand out now: reset and idle ones.
  [[nodiscard]] std::uint32_t available_blocks() const noexcept { return core_.available_blocks(); }
  [[nodiscard]] std::uint32_t tokens_per_block() const noexcept { return core_.tokens_per_block(); }
  [[nodiscard]] DuplicationPolicy duplication_policy() const noexcept { return core_.duplication_policy(); }
  [[nodiscard]] const BlockRegistry& registry() const noexcept { return core_.registry(); }

  /// What becomes findable and what ceases to be, for ChangeReaders; null without ManagerOptions::change_log. After the
  /// last block of a manager that is gone, it ends with Cleared.
  [[nodiscard]] std::shared_ptr<const ChangeLog> change_log() const noexcept { return core_.change_log(); }
  /// All that is registered, and from where in the log to follow it. Errors  std::bad_alloc.
  [[nodiscard]] RegisteredBlocks registered_blocks() const { return core_.registered_blocks(); }

  /// Counters and gauges as they are now. Cost  O(blocks), mostly without the lock.
  [[nodiscard]] PoolMetrics metrics() const { return core_.metrics(); }
  /// Walks the whole store and aborts if anything does not add up. For tests, while no other thread drops guards.
  void check_invariants() const { core_.check_invariants(); }

 private:
  explicit BlockManager(ManagerCore core) noexcept : core_(std::move(core)) {}

  ManagerCore core_;
};

}  // namespace kvbm
