#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/types.hpp"

namespace kvbm {

enum class ChangeKind : std::uint8_t {
  Stored,   ///< a block became findable
  Removed,  ///< it is not any more: evicted, or reset
  Cleared,  ///< nothing is registered now; hash, id and generation mean nothing
};

/// One transition of a store. A slot's id and generation together name one tenancy: Stored and Removed of a tenancy
/// carry the same.
struct Change {
  std::uint64_t number;  ///< counts from 0, without holes
  SequenceHash hash;
  BlockId id;
  std::uint32_t generation;
  ChangeKind kind;

  friend bool operator==(const Change&, const Change&) = default;
};

/// The last `capacity` transitions of one store, in the store's own order. The store writes under its lock and neither
/// waits nor allocates; readers copy without a lock. A reader that is too slow is overrun, and sees that it was.
///
/// Made by  BlockManager, if ManagerOptions::change_log asks for it.
/// Threads  one writer at a time (the store's lock), any number of readers. Words are atomic. A writer announces how
///          far it will write before it writes, and each word is released after that; so a reader that copied a word
///          which was being overwritten sees the announcement afterwards, and discards what it copied.
/// Cost     a record is 24 bytes and a dozen instructions.
class ChangeLog {
 public:
  class Batch;

  /// Keeps `capacity` changes, rounded up to a power of two. Errors  std::bad_alloc.
  explicit ChangeLog(std::uint32_t capacity);

  [[nodiscard]] std::uint64_t capacity() const noexcept { return static_cast<std::uint64_t>(end_ - begin_); }
  // For the store, under its lock. `tenancy`: the slot's generation in the upper half, nothing in the lower.
  void stored(const SequenceHash& hash, BlockId id, std::uint64_t tenancy) noexcept { append(hash, tenancy + id); }
  void removed(const SequenceHash& hash, BlockId id, std::uint64_t tenancy) noexcept {
    append(hash, tenancy + id + kRemoved);
  }
  void cleared() noexcept { append({}, kCleared); }

  /// The number that the next change will have.
  [[nodiscard]] std::uint64_t next() const noexcept { return published_.load(std::memory_order_acquire); }

 private:
  friend class ChangeReader;
  struct Record {
    std::uint64_t high, low;  // the hash
    std::uint64_t what;       // generation << 32 | kind << 30 | id

    void put(const SequenceHash& hash, std::uint64_t what_happened) noexcept {
      // release: after the announcement
      std::atomic_ref(high).store(hash.high(), std::memory_order_release);
      std::atomic_ref(low).store(hash.low(), std::memory_order_release);
      std::atomic_ref(what).store(what_happened, std::memory_order_release);
    }
  };
  static constexpr unsigned kKindShift = 30;
  static constexpr std::uint64_t kRemoved = std::uint64_t{1} << kKindShift;
  static constexpr std::uint64_t kCleared = std::uint64_t{2} << kKindShift;

  /// A batch of one.
  void append(const SequenceHash& hash, std::uint64_t what) noexcept {
    const std::uint64_t next = published_.load(std::memory_order_relaxed) + 1;
    announced_.store(next, std::memory_order_relaxed);  // relaxed: as in a batch
    place_->put(hash, what);
    if (++place_ == end_) place_ = begin_;
    published_.store(next, std::memory_order_release);
  }

  const std::unique_ptr<Record[]> records_;
  Record* const begin_;
  Record* const end_;
  Record* place_;  // where the next record goes; the writer's
  std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> announced_{0};  // all records below may be written or are
};

/// Changes appended together; readers see them when it ends.
class ChangeLog::Batch {
 public:
  /// No more than `most` will be added. The writer's lock is held while this lives.
  Batch(ChangeLog& log, std::uint64_t most) noexcept
      : log_(log), begin_(log.begin_), end_(log.end_), first_(log.place_), place_(first_) {
    // relaxed: ordered before the words by their release
    log.announced_.store(log.published_.load(std::memory_order_relaxed) + most, std::memory_order_relaxed);
  }
  ~Batch() {
    const std::uint64_t next = log_.published_.load(std::memory_order_relaxed) +
                               static_cast<std::uint64_t>(place_ - first_) + laps_ * log_.capacity();
    log_.place_ = place_;
    log_.published_.store(next, std::memory_order_release);
    // relaxed: readers take a late one for a gap at worst, never a gap for none
    log_.announced_.store(next, std::memory_order_relaxed);
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  /// `tenancy`: the generation in the upper half, nothing in the lower.
  void stored(const SequenceHash& hash, BlockId id, std::uint64_t tenancy) noexcept { add(hash, tenancy + id); }
  void removed(const SequenceHash& hash, BlockId id, std::uint64_t tenancy) noexcept {
    add(hash, tenancy + id + kRemoved);
  }
  void cleared() noexcept { add({}, kCleared); }

 private:
  void add(const SequenceHash& hash, std::uint64_t what) noexcept {
    place_->put(hash, what);
    if (++place_ == end_) [[unlikely]] {
      place_ = begin_;
      ++laps_;
    }
  }

  ChangeLog& log_;
  Record* const begin_;
  Record* const end_;
  Record* const first_;
  Record* place_;
  std::uint64_t laps_ = 0;
};

/// Follows a log from some number on.
///
/// Threads   one at a time.
/// Lifetime  keeps the log, which may outlive its store.
class ChangeReader {
 public:
  ChangeReader(std::shared_ptr<const ChangeLog> log, std::uint64_t from) noexcept : log_(std::move(log)), next_(from) {}

  struct Outcome {
    std::size_t count;  ///< changes read, in order
    bool gap;           ///< the next change is not in the log any more; count is 0, and stays so until skip_to()
  };
  /// Copies the next changes, as many as there are and fit.
  [[nodiscard]] Outcome read(std::span<Change> into) noexcept;

  /// Number of the change that comes next.
  [[nodiscard]] std::uint64_t position() const noexcept { return next_; }
  /// Goes on from `number`, after a gap: the one that came with a snapshot of the store.
  void skip_to(std::uint64_t number) noexcept { next_ = number; }
  /// How many changes are waiting, read or lost.
  [[nodiscard]] std::uint64_t behind() const noexcept { return log_->next() - next_; }
  [[nodiscard]] const ChangeLog& log() const noexcept { return *log_; }

 private:
  std::shared_ptr<const ChangeLog> log_;
  std::uint64_t next_;
};

/// What a store had registered, block by block. Blocks that came or went while it was taken may be in it or not; what
/// became of them is in the log from `number` on, and applying a change twice does no harm since it names its tenancy.
struct RegisteredBlocks {
  struct Block {
    SequenceHash hash;
    BlockId id;
    std::uint32_t generation;
  };
  std::uint64_t number;  ///< where a reader of the log goes on; 0 without a log
  std::vector<Block> blocks;
};

}  // namespace kvbm
