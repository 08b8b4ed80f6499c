#include "src/host/tiering/write_behind.hpp"

#include <algorithm>
#include <utility>

#include "src/host/tiering/put.hpp"

namespace kvbm {

/// Marks a batch as under way until it is known not to be.
class WriteBehind::Turn {
 public:
  explicit Turn(WriteBehind& queue) : queue_(queue) {
    MutexLock lock(queue_.mutex_);
    taken_ = !queue_.under_way_ && !queue_.queue_.empty();
    if (taken_) queue_.under_way_ = true;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (taken_) queue_.ended();
  }

  [[nodiscard]] bool taken() const noexcept { return taken_; }
  /// The batch goes on.
  void hand_over() noexcept { taken_ = false; }

 private:
  WriteBehind& queue_;
  bool taken_;
};

std::uint32_t WriteBehind::queue(std::span<const SequenceHash> hashes) {
  std::uint32_t forgotten = 0;
  MutexLock lock(mutex_);
  queue_.insert(queue_.end(), hashes.rbegin(), hashes.rend());
  for (; queue_.size() > queue_max_; ++forgotten) queue_.pop_front();
  return forgotten;
}

void WriteBehind::ended() noexcept {
  MutexLock lock(mutex_);
  under_way_ = false;
}

std::optional<SequenceHash> WriteBehind::pop() {
  MutexLock lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  const SequenceHash hash = queue_.front();
  queue_.pop_front();
  return hash;
}

void WriteBehind::put_back(std::span<const SequenceHash> hashes) {
  MutexLock lock(mutex_);
  queue_.insert(queue_.begin(), hashes.begin(), hashes.end());
}

/// What comes next in the queue up to a block that is in G2 already: that one may be evicted from there by those before
/// it, and is looked at again once they have arrived.
WriteBehind::Batch WriteBehind::next_batch(TieringState& state) {
  const std::uint32_t most = std::min(state.options().offload_blocks_max, std::max(1u, state.g1().total_blocks() / 4));
  Batch batch;
  std::uint64_t skipped = 0;
  while (batch.hashes.size() < most) {
    const std::optional<SequenceHash> hash = pop();
    if (!hash) break;
    if (state.is_in<G2>(*hash)) {
      if (!batch.hashes.empty()) {
        put_back({&*hash, 1});
        break;
      }
      ++skipped;
      continue;
    }
    std::vector<ImmutableBlock<G1>> found = state.g1().scan_matches({&*hash, 1}, false).into_blocks();
    if (found.empty()) {
      ++skipped;
      continue;
    }
    batch.hashes.push_back(*hash);
    batch.blocks.push_back(std::move(found.front()));
  }
  state.count({.skipped_blocks = skipped});
  return batch;
}

bool WriteBehind::begin(TieringState& state) {
  for (;;) {
    Turn turn(*this);
    if (!turn.taken()) return false;
    Batch batch = next_batch(state);
    if (batch.hashes.empty()) continue;
    if (copy(state, std::move(batch))) {
      turn.hand_over();
      return true;
    }
  }
}

/// Copies as much of the batch as G2 has room for; the rest waits on.
bool WriteBehind::copy(TieringState& state, Batch batch) {
  auto targets = state.room_in_g2(static_cast<std::uint32_t>(batch.hashes.size()));
  if (!targets) {
    state.count({.skipped_blocks = batch.hashes.size()});
    return false;
  }
  const std::span<const SequenceHash> hashes = std::span(batch.hashes).first(targets->size());
  put_back(std::span(batch.hashes).subspan(hashes.size()));
  batch.blocks.erase(batch.blocks.begin() + targets->size(), batch.blocks.end());
  auto sources = BlockRun<ImmutableBlock<G1>>::of(std::move(batch.blocks));
  const std::vector<BlockId> ids(sources.ids().begin(), sources.ids().end());
  return Put::begin(state, {state.options().g1_layout, ids, Keepalive(std::move(sources)), true}, std::move(*targets),
                    hashes) != nullptr;
}

}  // namespace kvbm
