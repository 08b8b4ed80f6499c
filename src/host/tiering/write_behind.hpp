#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/blocks/block_run.hpp"
#include "src/host/tiering/held_back_work.hpp"
#include "src/host/tiering/offload_work.hpp"

namespace kvbm {

class TieringState;

/// Blocks of G1 that are to be copied to G2 when there is time, one batch after another, of one or several callers.
/// They wait by hash alone: a waiting block may be evicted, and one in the batch under way is held.
///
/// Work with a deadline is held back until its event has come. In a batch it would take pages of G2 and a stream of the
/// engine, which could not be had back before the event comes; held back, it can still be failed alone.
///
/// Threads  any.
class WriteBehind {
 public:
  WriteBehind(std::uint32_t queue_max, std::shared_ptr<Tickets> tickets)
      : queue_max_(queue_max), tickets_(std::move(tickets)) {}

  /// Adds the blocks of `work`, the last one first, or holds it back. Returns how many older ones had to be forgotten.
  std::uint32_t queue(const std::shared_ptr<OffloadWork>& work);
  /// Fails the work that is held back although its deadline has passed. Returns how many blocks that are.
  std::uint32_t fail_overdue(TieringState& state, OffloadWork::Time now);
  [[nodiscard]] bool holds_back() const noexcept;
  /// Queues what was held back and need not be any more. Begins to copy what is first in the queue, if no batch is
  /// under way. Returns whether one was begun.
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

  std::uint32_t hold_back(const std::shared_ptr<OffloadWork>& work);
  [[nodiscard]] std::vector<std::shared_ptr<OffloadWork>> held_back() const;
  /// Queues the work if its event has come. If nobody can tell, fails it. Returns how many blocks have failed.
  std::uint32_t look_at(const OffloadWork& work, TieringState& state);
  void release(const OffloadWork& work, TieringState& state);
  std::uint32_t fail_held_back(const OffloadWork& work, const std::string& why, TieringState& state);
  /// Moves the oldest out, as many as there are beyond queue_max.
  void forget(std::vector<OffloadDuty>& forgotten) KVBM_REQUIRES(mutex_);
  [[nodiscard]] std::optional<OffloadDuty> pop();
  /// In front of the queue, in this order; those given up meanwhile are finished. Returns how many those were.
  std::uint32_t put_back(std::span<OffloadDuty> duties);
  void fill(Batch& batch, TieringState& state, bool alone);
  void trim(Batch& batch, std::size_t size, TieringState& state);
  [[nodiscard]] Sent copy(TieringState& state, Batch& batch, Turn& turn);

  const std::uint32_t queue_max_;
  const std::shared_ptr<Tickets> tickets_;
  mutable Mutex mutex_;
  HeldBackWork held_back_ KVBM_GUARDED_BY(mutex_);
  std::deque<OffloadDuty> queue_ KVBM_GUARDED_BY(mutex_);
  bool under_way_ KVBM_GUARDED_BY(mutex_) = false;
};

}  // namespace kvbm
