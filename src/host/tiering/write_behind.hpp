#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/blocks/block_run.hpp"
#include "src/host/tiering/offload_work.hpp"

namespace kvbm {

class TieringState;

/// Blocks of G1 that are to be copied to G2 when there is time, one batch after another, of one or several callers.
/// They wait by hash alone: a waiting block may be evicted, and one in the batch under way is held.
///
/// Threads  any.
class WriteBehind {
 public:
  WriteBehind(std::uint32_t queue_max, std::shared_ptr<Tickets> tickets)
      : queue_max_(queue_max), tickets_(std::move(tickets)) {}

  /// Adds the blocks of `work`, the last one first. Returns how many older ones had to be forgotten.
  std::uint32_t queue(const std::shared_ptr<OffloadWork>& work);
  /// Begins to copy what is first in the queue, if no batch is under way. Returns whether one was begun.
  bool begin(TieringState& state);
  /// The batch under way has been settled.
  void ended() noexcept;
  /// Drops what waits of `work`, which has been given up. Returns how many blocks.
  std::uint32_t sweep(const OffloadWork& work);

 private:
  enum class Sent {
    UnderWay,
    Nothing,
    NotTogether,  // what some wait for cannot be waited for; all are in the queue again
  };
  struct Batch;
  class Turn;

  [[nodiscard]] std::optional<OffloadDuty> pop();
  /// In front of the queue, in this order; those given up meanwhile are finished. Returns how many those were.
  std::uint32_t put_back(std::span<OffloadDuty> duties);
  void fill(Batch& batch, TieringState& state, bool alone);
  void trim(Batch& batch, std::size_t size, TieringState& state);
  [[nodiscard]] Sent copy(TieringState& state, Batch& batch, Turn& turn);

  const std::uint32_t queue_max_;
  const std::shared_ptr<Tickets> tickets_;
  Mutex mutex_;
  std::deque<OffloadDuty> queue_ KVBM_GUARDED_BY(mutex_);
  bool under_way_ KVBM_GUARDED_BY(mutex_) = false;
};

}  // namespace kvbm
