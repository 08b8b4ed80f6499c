#include "src/host/tiering/pending_hashes.hpp"

#include <cstddef>
#include <new>

#include "kvbm/base/assert.hpp"

namespace kvbm {

void PendingHashes::mark(std::span<const SequenceHash> hashes) {
  MutexLock lock(mutex_);
  std::size_t marked = 0;
  try {
    for (; marked < hashes.size(); ++marked) ++holders_[hashes[marked]];
  } catch (const std::bad_alloc&) {
    unmark_locked(hashes.first(marked));
    throw;
  }
}

void PendingHashes::unmark(std::span<const SequenceHash> hashes) noexcept {
  MutexLock lock(mutex_);
  unmark_locked(hashes);
}

void PendingHashes::unmark_locked(std::span<const SequenceHash> hashes) noexcept {
  for (const SequenceHash& hash : hashes) {
    const auto found = holders_.find(hash);
    KVBM_ASSERT(found != holders_.end(), "a pending hash is unmarked as often as it was marked");
    if (--found->second == 0) holders_.erase(found);
  }
}

bool PendingHashes::contains(const SequenceHash& hash) const noexcept {
  MutexLock lock(mutex_);
  return holders_.contains(hash);
}

}  // namespace kvbm
