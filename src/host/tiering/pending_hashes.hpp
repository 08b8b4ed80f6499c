#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "kvbm/base/mutex.hpp"
#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

/// Hashes on their way to a tier, counted: one stays here until all who bring it there are through.
///
/// Threads  any.
class PendingHashes {
 public:
  /// Errors  std::bad_alloc, with none of them marked.
  void mark(std::span<const SequenceHash> hashes) KVBM_EXCLUDES(mutex_);
  /// Precondition: each was marked, and not unmarked since.
  void unmark(std::span<const SequenceHash> hashes) noexcept KVBM_EXCLUDES(mutex_);
  [[nodiscard]] bool contains(const SequenceHash& hash) const noexcept KVBM_EXCLUDES(mutex_);

 private:
  void unmark_locked(std::span<const SequenceHash> hashes) noexcept KVBM_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<SequenceHash, std::uint32_t> holders_ KVBM_GUARDED_BY(mutex_);
};

/// Takes marks back at its end.
class PendingMarks {
 public:
  PendingMarks(PendingHashes& pending, std::span<const SequenceHash> marked) noexcept
      : pending_(pending), left_(marked) {}
  PendingMarks(const PendingMarks&) = delete;
  PendingMarks& operator=(const PendingMarks&) = delete;
  ~PendingMarks() { pending_.unmark(left_); }

  void release_first() noexcept {
    pending_.unmark(left_.first(1));
    left_ = left_.subspan(1);
  }
  /// The last `count` are somebody else's from now on.
  void hand_over(std::size_t count) noexcept { left_ = left_.first(left_.size() - count); }

 private:
  PendingHashes& pending_;
  std::span<const SequenceHash> left_;
};

}  // namespace kvbm
