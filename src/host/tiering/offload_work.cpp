#include "src/host/tiering/offload_work.hpp"

namespace kvbm {

OffloadWork::OffloadWork(std::vector<SequenceHash> hashes, std::shared_ptr<const Event> after,
                         std::optional<Time> deadline, Ticket ticket)
    : hashes_(std::move(hashes)), after_(std::move(after)), deadline_(deadline) {
  MutexLock lock(mutex_);
  blocks_.resize(hashes_.size(), BlockProgress::Queued);
  finished_.reserve(hashes_.size());
  progress_.queued = size();
  if (!hashes_.empty()) ticket_ = std::move(ticket);
}

bool OffloadWork::give_up() noexcept {
  MutexLock lock(mutex_);
  return !std::exchange(progress_.cancel_requested, true);
}

bool OffloadWork::given_up() const noexcept {
  MutexLock lock(mutex_);
  return progress_.cancel_requested;
}

void OffloadWork::move(std::uint32_t i, BlockProgress to) noexcept {
  --progress_.of(blocks_[i]);
  ++progress_.of(to);
  blocks_[i] = to;
}

bool OffloadWork::start(std::uint32_t i) noexcept {
  MutexLock lock(mutex_);
  if (progress_.cancel_requested) return false;
  move(i, BlockProgress::UnderWay);
  return true;
}

void OffloadWork::requeue(std::uint32_t i) noexcept {
  MutexLock lock(mutex_);
  move(i, BlockProgress::Queued);
}

void OffloadWork::finish(std::uint32_t i, BlockProgress how) noexcept {
  Ticket settled;  // given back unlocked
  MutexLock lock(mutex_);
  move(i, how);
  finished_.push_back(i);
  if (progress_.remaining() == 0) settled = std::move(ticket_);
}

bool OffloadWork::done() const noexcept {
  MutexLock lock(mutex_);
  return progress_.remaining() == 0;
}

TieringProgress OffloadWork::progress() const noexcept {
  MutexLock lock(mutex_);
  return progress_;
}

std::vector<SequenceHash> OffloadWork::blocks(BlockProgress where) const {
  std::vector<SequenceHash> found;
  found.reserve(hashes_.size());
  MutexLock lock(mutex_);
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (blocks_[i] == where) found.push_back(hashes_[i]);
  }
  return found;
}

std::vector<Offloading::Finished> OffloadWork::take_finished() {
  std::vector<Offloading::Finished> taken;
  taken.reserve(hashes_.size());
  MutexLock lock(mutex_);
  for (; told_ < finished_.size(); ++told_) {
    const std::uint32_t i = finished_[told_];
    taken.push_back({hashes_[i], blocks_[i]});
  }
  return taken;
}

}  // namespace kvbm
