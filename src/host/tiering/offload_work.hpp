#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/tiering/offloading.hpp"
#include "src/host/tiering/tickets.hpp"

namespace kvbm {

/// Blocks that are to be offloaded for one caller, and how far each has come.
///
/// Threads  any.
class OffloadWork {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `after`: what was enqueued before it comes before the copies; may be null. `deadline`: until when it is waited
  /// for.
  OffloadWork(std::vector<SequenceHash> hashes, std::shared_ptr<const Event> after, std::optional<Time> deadline,
              Ticket ticket);

  [[nodiscard]] const SequenceHash& hash(std::uint32_t i) const noexcept { return hashes_[i]; }
  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(hashes_.size()); }
  [[nodiscard]] const std::shared_ptr<const Event>& after() const noexcept { return after_; }
  /// Whether it is not queued before its event has come.
  [[nodiscard]] bool is_held_back() const noexcept { return after_ != nullptr && deadline_ && !hashes_.empty(); }
  /// Precondition: is_held_back().
  [[nodiscard]] Time deadline() const noexcept { return *deadline_; }

  /// Nothing of it is started from now on. Returns whether it is the first time.
  bool give_up() noexcept KVBM_EXCLUDES(mutex_);
  [[nodiscard]] bool given_up() const noexcept KVBM_EXCLUDES(mutex_);
  /// From Queued to UnderWay, unless it was given up.
  [[nodiscard]] bool start(std::uint32_t i) noexcept KVBM_EXCLUDES(mutex_);
  /// Back to Queued.
  void requeue(std::uint32_t i) noexcept KVBM_EXCLUDES(mutex_);
  /// A block needs no more. With the last one the work has settled.
  void finish(std::uint32_t i, BlockProgress how) noexcept KVBM_EXCLUDES(mutex_);

  [[nodiscard]] bool done() const noexcept KVBM_EXCLUDES(mutex_);
  [[nodiscard]] TieringProgress progress() const noexcept KVBM_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<SequenceHash> blocks(BlockProgress where) const KVBM_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<Offloading::Finished> take_finished() KVBM_EXCLUDES(mutex_);

 private:
  void move(std::uint32_t i, BlockProgress to) noexcept KVBM_REQUIRES(mutex_);

  const std::vector<SequenceHash> hashes_;
  const std::shared_ptr<const Event> after_;
  const std::optional<Time> deadline_;

  mutable Mutex mutex_;
  std::vector<BlockProgress> blocks_ KVBM_GUARDED_BY(mutex_);
  std::vector<std::uint32_t> finished_ KVBM_GUARDED_BY(mutex_);  // in order; never grows beyond what it has reserved
  std::size_t told_ KVBM_GUARDED_BY(mutex_) = 0;                 // of these, to whoever asked
  TieringProgress progress_ KVBM_GUARDED_BY(mutex_);
  Ticket ticket_ KVBM_GUARDED_BY(mutex_);
};

/// The duty to bring one block of some work to its end. Dropped, the block has failed.
class OffloadDuty {
 public:
  OffloadDuty(std::shared_ptr<OffloadWork> work, std::uint32_t index) noexcept
      : work_(std::move(work)), index_(index) {}
  OffloadDuty(OffloadDuty&& other) noexcept = default;  // a moved-from duty is nobody's
  OffloadDuty& operator=(OffloadDuty&& other) noexcept {
    std::swap(work_, other.work_);
    std::swap(index_, other.index_);
    return *this;
  }
  ~OffloadDuty() {
    if (work_ != nullptr) finish(BlockProgress::Failed);
  }

  [[nodiscard]] OffloadWork& work() const noexcept { return *work_; }
  [[nodiscard]] const std::shared_ptr<OffloadWork>& shared_work() const noexcept { return work_; }
  [[nodiscard]] const SequenceHash& hash() const noexcept { return work_->hash(index_); }
  [[nodiscard]] bool start() const noexcept { return work_->start(index_); }
  void requeue() const noexcept { work_->requeue(index_); }
  void finish(BlockProgress how) noexcept { std::exchange(work_, nullptr)->finish(index_, how); }

 private:
  std::shared_ptr<OffloadWork> work_;  // null: done
  std::uint32_t index_;
};

}  // namespace kvbm
