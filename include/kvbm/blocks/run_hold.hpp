#pragma once

#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/yield_point.hpp"
#include "kvbm/blocks/exclusive_hold.hpp"
#include "kvbm/blocks/shared_hold.hpp"

namespace kvbm {

/// Many blocks of one store in one state, with one owner: the core of BlockRun and SparseRun. The ids lie in memory the
/// store lends, so making and dropping a run allocates nothing.
///
/// Threads  one at a time.
class RunHold {
 public:
  enum class Kind : std::uint8_t {
    Mutable,
    Staged,
    Shared,  ///< registered; may have misses (kNoBlock) in between
  };

  explicit RunHold(Kind kind) noexcept : kind_(kind) {}
  RunHold(StoreHead& store, BlockId* ids, std::uint32_t size, std::uint32_t capacity, Kind kind) noexcept
      : store_(&store), ids_(ids), size_(size), capacity_(capacity), kind_(kind) {}
  RunHold(RunHold&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)),
        ids_(std::exchange(other.ids_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)),
        kind_(other.kind_) {}
  RunHold& operator=(RunHold&& other) noexcept {
    RunHold taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~RunHold() {
    if (store_ != nullptr) release();
  }

  [[nodiscard]] std::span<const BlockId> ids() const noexcept { return {ids_, size_}; }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] StoreHead* store_head() const noexcept { return store_; }
  [[nodiscard]] BlockSlot& slot(std::uint32_t i) const noexcept { return store_->slots[ids_[i]]; }

  /// An empty run with room for `capacity` blocks of `store` (none if that is null). Errors  std::bad_alloc.
  [[nodiscard]] static RunHold reserve(StoreHead* store, std::uint32_t capacity, Kind kind);
  /// Takes over one more block. Precondition: room is reserved; same store.
  void add(ExclusiveHold&& block) noexcept;
  void add(SharedHold&& block) noexcept;

  /// Mutable -> Staged for all. Needs no lock. Precondition: as many hashes as blocks.
  void stage(std::span<const SequenceHash> hashes) noexcept {
    if (size_ != 0) store_->large ? stage_all<true>(hashes.data()) : stage_all<false>(hashes.data());
    kind_ = Kind::Staged;
  }
  /// Staged -> Mutable for all.
  void unstage() noexcept;

  /// Keeps the first `count` blocks and returns the rest. Errors  std::bad_alloc, with nothing changed.
  [[nodiscard]] RunHold split_off(std::uint32_t count);
  /// Takes over `tail`'s blocks behind its own. Precondition: same store and kind, or one of them empty.
  /// Errors  std::bad_alloc, with both as they were.
  void append(RunHold& tail);
  /// A run of the same registered blocks: one more holder of each. Errors  std::bad_alloc.
  [[nodiscard]] RunHold share() const;

  /// Gives the blocks up one by one: exclusive ones are detached as they are, shared ones get a pin each.
  /// Errors  std::bad_alloc, with nothing changed.
  [[nodiscard]] std::vector<ExclusiveHold> into_exclusive() &&;
  [[nodiscard]] std::vector<SharedHold> into_shared() &&;
  /// One more holder of block `i`, beside this run.
  [[nodiscard]] SharedHold pin(std::uint32_t i) const noexcept {
    KVBM_YIELD("pin beside a run");
    // relaxed: the run's own pin is held while this runs
    std::atomic_ref(slot(i).word).fetch_add(1, std::memory_order_relaxed);
    return SharedHold(*store_, ids_[i]);
  }

 private:
  friend class BlockStore;
  void swap(RunHold& other) noexcept {
    std::swap(store_, other.store_);
    std::swap(ids_, other.ids_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(kind_, other.kind_);
  }
  /// `kAhead`: fetches the slots ahead of use.
  template <bool kAhead>
  void stage_all(const SequenceHash* hashes) noexcept {
    constexpr std::uint32_t kSlotsAhead = 32;
    BlockSlot* const slots = store_->slots;
    const BlockId* const ids = ids_;
    const std::uint32_t size = size_;
    for (std::uint32_t i = 0; kAhead && i < kSlotsAhead && i < size; ++i) __builtin_prefetch(&slots[ids[i]], 1);
    for (std::uint32_t i = 0; i < size; ++i) {
      if (kAhead && size - i > kSlotsAhead) __builtin_prefetch(&slots[ids[i + kSlotsAhead]], 1);
      BlockSlot& slot = slots[ids[i]];
      slot.hash = hashes[i];
      store(slot.state, SlotState::Staged);
    }
  }
  void release() noexcept;
  void forget() noexcept {
    store_ = nullptr;
    ids_ = nullptr;
    size_ = capacity_ = 0;
  }

  StoreHead* store_ = nullptr;  // null: no blocks
  BlockId* ids_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  Kind kind_;
};

}  // namespace kvbm
