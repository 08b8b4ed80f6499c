#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/blocks/block_run.hpp"

namespace kvbm {

class TieringState;

/// Blocks of G1 that are to be copied to G2 when there is time, one batch after another. They wait by hash alone: a
/// waiting block may be evicted, and one in the batch under way is held.
///
/// Threads  any.
class WriteBehind {
 public:
  explicit WriteBehind(std::uint32_t queue_max) : queue_max_(queue_max) {}

  /// Adds `hashes`, the last one first. Returns how many older ones had to be forgotten.
  std::uint32_t queue(std::span<const SequenceHash> hashes);
  /// Begins to copy what is first in the queue, if no batch is under way. Returns whether one was begun.
  bool begin(TieringState& state);
  /// The batch under way has been settled.
  void ended() noexcept;

 private:
  struct Batch {
    std::vector<SequenceHash> hashes;
    std::vector<ImmutableBlock<G1>> blocks;
  };
  class Turn;

  [[nodiscard]] std::optional<SequenceHash> pop();
  void put_back(std::span<const SequenceHash> hashes);
  [[nodiscard]] Batch next_batch(TieringState& state);
  bool copy(TieringState& state, Batch batch);

  const std::uint32_t queue_max_;
  Mutex mutex_;
  std::deque<SequenceHash> queue_ KVBM_GUARDED_BY(mutex_);
  bool under_way_ KVBM_GUARDED_BY(mutex_) = false;
};

}  // namespace kvbm
