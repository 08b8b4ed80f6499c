#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "kvbm/base/mutex.hpp"

namespace kvbm {

/// The numbers under which work is submitted, rising from 0, and which of them are still held by work that has not
/// settled. What follows from a piece of work holds the number of that work.
///
/// Threads  any.
class Tickets {
 public:
  /// A number nobody had before, held once.
  [[nodiscard]] std::uint64_t take() KVBM_EXCLUDES(mutex_);
  /// One more holder. Precondition: there is one.
  void hold(std::uint64_t number) noexcept KVBM_EXCLUDES(mutex_);
  void release(std::uint64_t number) noexcept KVBM_EXCLUDES(mutex_);

  /// How many were given so far.
  [[nodiscard]] std::uint64_t given() const noexcept KVBM_EXCLUDES(mutex_);
  /// Whether nobody holds a number less than `end`.
  [[nodiscard]] bool settled(std::uint64_t end) const noexcept KVBM_EXCLUDES(mutex_);

  // ---- for those who wait for what others do ----
  /// Something was begun, queued or settled.
  void changed() noexcept KVBM_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t changes() const noexcept KVBM_EXCLUDES(mutex_);
  /// Returns when changes() is not `seen` any more.
  void wait_for_change(std::uint64_t seen) KVBM_EXCLUDES(mutex_);
  /// The same, but not for longer than this.
  void wait_for_change(std::uint64_t seen, std::chrono::nanoseconds at_most) KVBM_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::condition_variable_any changed_;                        // waits with mutex_
  std::deque<std::uint32_t> holders_ KVBM_GUARDED_BY(mutex_);  // of first_ and what follows
  std::uint64_t first_ KVBM_GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ KVBM_GUARDED_BY(mutex_) = 0;
};

/// One holding of a number.
class Ticket {
 public:
  Ticket() noexcept = default;  // holds none
  [[nodiscard]] static Ticket fresh(std::shared_ptr<Tickets> tickets) {
    const std::uint64_t number = tickets->take();
    return Ticket(std::move(tickets), number);
  }
  Ticket(Ticket&& other) noexcept : tickets_(std::move(other.tickets_)), number_(other.number_) {}
  Ticket& operator=(Ticket other) noexcept {
    std::swap(tickets_, other.tickets_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~Ticket() {
    if (tickets_ != nullptr) tickets_->release(number_);
  }

  /// One more holding of the same number, if it holds one.
  [[nodiscard]] Ticket share() const noexcept {
    if (tickets_ != nullptr) tickets_->hold(number_);
    return Ticket(tickets_, number_);
  }
  [[nodiscard]] bool empty() const noexcept { return tickets_ == nullptr; }

 private:
  Ticket(std::shared_ptr<Tickets> tickets, std::uint64_t number) noexcept
      : tickets_(std::move(tickets)), number_(number) {}

  std::shared_ptr<Tickets> tickets_;
  std::uint64_t number_ = 0;
};

}  // namespace kvbm
