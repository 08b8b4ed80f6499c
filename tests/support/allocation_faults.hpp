#pragma once

#include <cstddef>
#include <cstdint>

namespace kvbm::test {

/// While it lives, the n-th allocation of this thread (counted from 0) throws std::bad_alloc; all others succeed.
/// An allocation is a call of operator new, and of calloc where zeroed_memory_faults.hpp is in use.
/// A test runs its operation for n = 0, 1, ... until fired() is false: then the operation made no more than n.
///
/// Threads  affects the thread that made it, where there is one at a time.
class AllocationFault {
 public:
  explicit AllocationFault(std::size_t n) noexcept;
  ~AllocationFault();
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;

  [[nodiscard]] bool fired() const noexcept;
};

/// Counts an allocation of this thread, and tells whether it has to fail.
[[nodiscard]] bool refuses_allocation() noexcept;

/// What operator new has given to all threads and operator delete has not got back.
[[nodiscard]] std::int64_t live_allocations() noexcept;

}  // namespace kvbm::test
