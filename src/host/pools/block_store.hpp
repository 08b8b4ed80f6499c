#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/base/block_hint.hpp"
#include "kvbm/base/mutex.hpp"
#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/blocks/run_hold.hpp"
#include "kvbm/blocks/shared_hold.hpp"
#include "kvbm/events/change_log.hpp"
#include "kvbm/pools/pool_metrics.hpp"
#include "src/host/pools/free_ring.hpp"
#include "src/host/pools/hash_batch.hpp"
#include "src/host/pools/id_lender.hpp"
#include "src/host/pools/idle_order.hpp"
#include "src/host/pools/slot_table.hpp"
#include "src/host/registry/registry_state.hpp"

namespace kvbm {

/// All blocks of one manager: every slot's state, the table that finds registered ones, the reset ring, and the order
/// in which idle blocks go.
///
/// States. Unregistered (Reset in the ring, or Mutable) -> Staged -> Primary <-> Inactive -> Unregistered; a staged
/// block whose hash is taken becomes a Duplicate, or goes back to the ring. A block is evicted only from Inactive.
///
/// The release protocol. Whoever drops the last pin takes the lock and looks again: the block is released if it is
/// registered *and still without pins*. A look-up that came first has pinned it under the lock, and the late drop finds
/// nothing to do; if the block was released, evicted and reborn meanwhile, the test holds for whatever is there now.
///
/// Pins. Single guards, lifecycle pins and duplicates count one each in the slot's word; all runs that hold a block
/// share one pin and are counted beside it under the lock, so that runs cost no atomic instruction.
///
/// Life. The manager's close() gives up its claim; the store goes with the last guard, when no weak block is left and
/// no late drop is under way. Each look-up that rescued a block from a late drop is answered by one drop that finds
/// nothing to do, so late drops are the difference of two counters.
///
/// Threads  any. One lock per call; hooks, frequency counts and the registry are called with it released.
/// Cost     no heap allocation after construction, save as IdLender says.
class BlockStore final : public StoreHead, public HashHolder {
 public:
  struct Options {
    std::uint32_t blocks;
    std::uint32_t tokens_per_block;
    TierKey tier;
    DuplicationPolicy duplication;
    bool reset_on_release;
    std::unique_ptr<EvictionBackend> backend;
    std::shared_ptr<RegistryState> registry;
    std::shared_ptr<ChangeLog> log = nullptr;  ///< told of everything that becomes findable or ceases to be
  };
  struct Drained {
    std::uint32_t drained;
    std::uint32_t free;
  };

  /// Errors  std::bad_alloc.
  explicit BlockStore(Options options);

  /// The manager is gone. The store may be gone when this returns.
  void close() noexcept;

  // Allocation: all or nothing; reset blocks first, then victims in the backend's order.
  [[nodiscard]] std::optional<RunHold> allocate(std::uint32_t count);
  /// The last evicted.size() blocks of the run were evicted; their old hashes in the same order.
  [[nodiscard]] std::optional<RunHold> allocate(std::uint32_t count, std::vector<SequenceHash>& evicted);
  /// kNoBlock if there is none.
  [[nodiscard]] BlockId allocate_one();

  // Registration, by the duplication policy.
  [[nodiscard]] RunHold register_run(RunHold&& run);
  /// The block that the caller then holds with one pin.
  [[nodiscard]] BlockId register_one(BlockId id);

  // Look-up. Every hit is pinned under the lock.
  [[nodiscard]] RunHold match(std::span<const SequenceHash> hashes);
  /// match() at places where the blocks are believed to be: the longest prefix for which that is so. No table is asked.
  /// Precondition: as many hints as hashes.
  [[nodiscard]] RunHold match_hinted(std::span<const SequenceHash> hashes, std::span<const BlockHint> hints);
  [[nodiscard]] RunHold match_scattered(std::span<const SequenceHash> hashes);
  [[nodiscard]] RunHold scan(std::span<const SequenceHash> hashes, bool touch);
  /// A block pinned once, or kNoBlock.
  [[nodiscard]] BlockId match_one(const SequenceHash& hash);
  /// The same for a weak block that saw the hash in slot `id` at that generation.
  [[nodiscard]] BlockId upgrade(const SequenceHash& hash, BlockId id, std::uint32_t generation) noexcept;

  // Guards.
  void release_run(RunHold& run) noexcept;
  void release_exclusive(BlockId id) noexcept;
  void last_pin_dropped(BlockId id) noexcept;
  void unstage(std::span<const BlockId> ids) noexcept;
  void set_reset_on_release(BlockId id, bool reset) noexcept;
  [[nodiscard]] std::size_t use_count(BlockId id) const noexcept;
  void add_weak(BlockId id) noexcept;
  void copy_weak() noexcept;
  void drop_weak() noexcept;
  [[nodiscard]] RunHold reserve_run(std::uint32_t capacity, RunHold::Kind kind);
  void hold_once_more(BlockId id) noexcept;
  [[nodiscard]] RunHold split_off(RunHold& run, std::uint32_t count);
  void append(RunHold& run, RunHold& tail);
  [[nodiscard]] RunHold share(const RunHold& run);
  void dissolve(RunHold& run) noexcept;

  /// Evicts every idle block into the reset ring. Counts neither evictions nor allocations.
  Drained drain_inactive() noexcept;

  [[nodiscard]] ManagerId id() const noexcept { return id_; }
  [[nodiscard]] std::uint32_t blocks() const noexcept { return table_.capacity(); }
  [[nodiscard]] std::uint32_t available() const noexcept;
  [[nodiscard]] PoolMetrics metrics() const noexcept;
  [[nodiscard]] RegistryState& registry() const noexcept { return *registry_; }
  /// Null if there is none.
  [[nodiscard]] const std::shared_ptr<ChangeLog>& log() const noexcept { return log_; }
  /// Locks for a few thousand slots at a time. Errors  std::bad_alloc.
  [[nodiscard]] RegisteredBlocks registered_blocks() const;
  /// Walks the whole store and aborts at the first thing that does not add up. For tests.
  void check_invariants() const;

  // HashHolder
  [[nodiscard]] TierKey tier() const noexcept override { return tier_; }
  [[nodiscard]] bool holds(const SequenceHash& hash) const noexcept override;
  bool watch(const SequenceHash& hash) noexcept override;
  [[nodiscard]] std::size_t held_count() const noexcept override;
  [[nodiscard]] std::vector<SequenceHash> held_hashes() const override;

 private:
  struct Counters {
    std::uint64_t allocations = 0, allocations_from_reset = 0, evictions = 0, registrations = 0, duplicate_blocks = 0,
                  registration_dedup = 0, stagings = 0, match_hashes_requested = 0, match_blocks_returned = 0,
                  scan_hashes_requested = 0, scan_blocks_returned = 0, rescued_from_release = 0,
                  allocation_rollbacks = 0, late_releases = 0;
  };
  /// Blocks that became idle, handed to the backend in batches.
  struct IdleBatch {
    static constexpr std::uint32_t kMost = 64;
    std::uint32_t count = 0;
    std::array<BlockId, kMost> ids;  // the first `count`
  };
  /// Blocks in a row through links that nobody else uses: those of staged blocks, and of fresh ones still held.
  struct Chain {
    BlockId first = kNoBlock;
    BlockId last = kNoBlock;

    void append(const SlotTable& table, BlockId id) noexcept {
      table[id].links.list.next = kNoBlock;
      (last == kNoBlock ? first : table[last].links.list.next) = id;
      last = id;
    }
  };
  enum class Outcome : std::uint8_t { Fresh, Duplicate, Rejected };
  struct Settled {
    BlockId id;
    Outcome outcome;
  };
  class Awakened;
  template <bool kLogged>
  class LogBatch;

  void idle_insert(std::span<const BlockId> ids) noexcept KVBM_REQUIRES(mutex_) {
    order_->insert(ids);
    inactive_ += static_cast<std::uint32_t>(ids.size());
  }
  void idle_erase(std::span<const BlockId> ids) noexcept KVBM_REQUIRES(mutex_) {
    order_->erase(ids);
    inactive_ -= static_cast<std::uint32_t>(ids.size());
  }
  void idle_insert(BlockId id) noexcept KVBM_REQUIRES(mutex_) {
    order_.insert(id);
    ++inactive_;
  }
  void idle_erase(BlockId id) noexcept KVBM_REQUIRES(mutex_) {
    order_.erase(id);
    --inactive_;
  }

  ~BlockStore();

  [[nodiscard]] bool reset_when_released(const BlockSlot& slot) const noexcept {
    constexpr std::uint8_t kDecisive = BlockSlot::kResetToggled | BlockSlot::kNotCacheable;
    return ((slot.flags ^ kept_flags_) & kDecisive) != 0;
  }
  bool take_blocks(std::span<BlockId> ids, std::uint32_t& evicted, bool& watched) KVBM_REQUIRES(mutex_);
  bool evict_into(std::span<BlockId> ids, bool& watched) KVBM_REQUIRES(mutex_);
  [[nodiscard]] BlockId evict_one() KVBM_RELEASE(mutex_);
  void report_evicted(std::span<const BlockId> victims) noexcept KVBM_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<RunHold> allocate_run(std::uint32_t count, std::uint32_t& evicted);

  bool hold_by_run(BlockSlot& slot) noexcept KVBM_REQUIRES(mutex_);
  bool hold_by_pin(BlockSlot& slot) noexcept KVBM_REQUIRES(mutex_);
  void add_pin(BlockSlot& slot) noexcept KVBM_REQUIRES(mutex_);
  bool unhold_by_run(BlockSlot& slot) noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] BlockId pin_hash(const SequenceHash& hash) noexcept KVBM_REQUIRES(mutex_);

  template <bool kLogged>
  void depart_victims(std::span<const BlockId> ids, bool& watched) noexcept KVBM_REQUIRES(mutex_);
  void log_stored(BlockId id) noexcept KVBM_REQUIRES(mutex_);
  void log_removed(BlockId id) noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] bool fits_hint(const SequenceHash& hash, BlockHint hint) const noexcept KVBM_REQUIRES(mutex_);
  template <bool kByRun>
  [[nodiscard]] Settled settle(BlockId id, std::uint8_t flags) noexcept KVBM_REQUIRES(mutex_);
  template <bool kByRun>
  [[nodiscard]] Settled settle_beside(BlockId id, BlockId primary) noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] std::uint8_t fresh_flags() const noexcept;
  template <bool kLogged>
  void settle_run(RunHold& run, Chain& fresh, Chain& rejected) noexcept KVBM_REQUIRES(mutex_);
  template <bool kByRun>
  void first_holder(BlockSlot& slot) noexcept KVBM_REQUIRES(mutex_);
  void guess_parent(OrderLinks& links, BlockId before) noexcept KVBM_REQUIRES(mutex_);
  void announce(BlockId first) KVBM_EXCLUDES(mutex_);
  void announce_registered(BlockId id) KVBM_EXCLUDES(mutex_);
  void announce_one(const SequenceHash& hash) KVBM_EXCLUDES(mutex_);
  [[nodiscard]] bool announce_simply() const noexcept;

  [[nodiscard]] RunHold match_hits(std::span<const SequenceHash> hashes) KVBM_RELEASE(mutex_);
  template <class Found>
  std::uint32_t look_up_ahead(std::span<const SequenceHash> hashes, Found&& found) noexcept KVBM_REQUIRES(mutex_);
  template <class Found>
  std::uint32_t look_up(std::span<const SequenceHash> hashes, Found&& found) noexcept KVBM_REQUIRES(mutex_);
  void fit(IdLender::Loan& loan, std::uint32_t count) noexcept KVBM_REQUIRES(mutex_);
  void touch_hits(std::span<const SequenceHash> hashes, std::span<const BlockId> ids) const noexcept
      KVBM_EXCLUDES(mutex_);
  void touch_scanned(std::span<const SequenceHash> hashes) const KVBM_EXCLUDES(mutex_);

  void release_shared(RunHold& run) noexcept KVBM_RELEASE(mutex_);
  template <bool kAhead>
  void release_all(std::span<const BlockId> ids, HashBatch& given_up) noexcept KVBM_REQUIRES(mutex_);
  void release_unpinned(BlockId id, IdleBatch& idle, HashBatch& given_up) noexcept KVBM_REQUIRES(mutex_);
  void become_idle(BlockSlot& slot, BlockId id, IdleBatch& idle) noexcept KVBM_REQUIRES(mutex_);
  void unstage_locked(std::span<const BlockId> ids) noexcept KVBM_REQUIRES(mutex_);
  void depart(BlockId id) noexcept KVBM_REQUIRES(mutex_);
  void flush(IdleBatch& idle) noexcept KVBM_REQUIRES(mutex_);
  void report_given_up(HashBatch& given_up) noexcept KVBM_REQUIRES(mutex_);
  void release_last_pin(BlockId id) noexcept KVBM_RELEASE(mutex_);
  /// Unlocks, and ends the store if this was its last use.
  void unlock_after_release() noexcept KVBM_RELEASE(mutex_) {
    if (!closed_) return mutex_.unlock();
    unlock_closed();
  }
  void unlock_closed() noexcept KVBM_RELEASE(mutex_);
  [[nodiscard]] bool finished() const noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] static std::uint32_t holders(const BlockSlot& slot) noexcept;

  // Constant while the store lives, and in another cache line than the lock: guards read the head without it.
  const ManagerId id_;
  const TierKey tier_;
  const std::shared_ptr<RegistryState> registry_;
  IdleOrder order_;  // what it orders is under the lock
  const std::shared_ptr<ChangeLog> log_;
  const DuplicationPolicy duplication_;
  const bool reset_on_release_;
  const std::uint8_t kept_flags_;  // the decisive flags of a block that is kept when released
  const bool uses_lineage_;
  const bool announces_;  // the registry wants to know what became registered

  alignas(64) mutable Mutex mutex_;
  bool closed_ KVBM_GUARDED_BY(mutex_) = false;
  std::uint32_t inactive_ KVBM_GUARDED_BY(mutex_) = 0;
  std::uint32_t duplicates_ KVBM_GUARDED_BY(mutex_) = 0;
  std::uint32_t reporting_ KVBM_GUARDED_BY(mutex_) = 0;  // releases that still talk to the registry
  SlotTable table_;
  FreeRing free_ KVBM_GUARDED_BY(mutex_);
  Counters counters_ KVBM_GUARDED_BY(mutex_);
  std::uint64_t weak_blocks_ KVBM_GUARDED_BY(mutex_) = 0;
  IdLender lender_ KVBM_GUARDED_BY(mutex_);
};

[[nodiscard]] inline BlockStore& store_of(StoreHead& head) noexcept { return static_cast<BlockStore&>(head); }

}  // namespace kvbm
