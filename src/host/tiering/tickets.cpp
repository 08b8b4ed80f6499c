#include "src/host/tiering/tickets.hpp"

namespace kvbm {

std::uint64_t Tickets::take() {
  MutexLock lock(mutex_);
  holders_.push_back(1);
  return first_ + holders_.size() - 1;
}

void Tickets::hold(std::uint64_t number) noexcept {
  MutexLock lock(mutex_);
  ++holders_[number - first_];
}

void Tickets::release(std::uint64_t number) noexcept {
  {
    MutexLock lock(mutex_);
    --holders_[number - first_];
    for (; !holders_.empty() && holders_.front() == 0; ++first_) holders_.pop_front();
    ++changes_;
  }
  changed_.notify_all();
}

std::uint64_t Tickets::given() const noexcept {
  MutexLock lock(mutex_);
  return first_ + holders_.size();
}

bool Tickets::settled(std::uint64_t end) const noexcept {
  MutexLock lock(mutex_);
  return first_ >= end;
}

void Tickets::changed() noexcept {
  {
    MutexLock lock(mutex_);
    ++changes_;
  }
  changed_.notify_all();
}

std::uint64_t Tickets::changes() const noexcept {
  MutexLock lock(mutex_);
  return changes_;
}

void Tickets::wait_for_change(std::uint64_t seen) {
  MutexLock lock(mutex_);
  while (changes_ == seen) changed_.wait(mutex_);
}

void Tickets::wait_for_change(std::uint64_t seen, std::chrono::nanoseconds at_most) {
  MutexLock lock(mutex_);
  if (changes_ == seen) changed_.wait_for(mutex_, at_most);
}

}  // namespace kvbm
