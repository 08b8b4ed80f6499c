#pragma once

#include <cstddef>

namespace kvbm::test {

/// While it lives, the n-th thread that this thread starts (counted from 0), and each one after it, is refused by the
/// system: std::thread then throws std::system_error.
///
/// Threads  affects the thread that made it, where there is one at a time.
class ThreadFault {
 public:
  explicit ThreadFault(std::size_t n) noexcept;
  ~ThreadFault();
  ThreadFault(const ThreadFault&) = delete;
  ThreadFault& operator=(const ThreadFault&) = delete;

  [[nodiscard]] bool fired() const noexcept;
};

}  // namespace kvbm::test
