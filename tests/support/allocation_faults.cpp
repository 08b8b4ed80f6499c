#include "tests/support/allocation_faults.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/support/fault_countdown.hpp"

namespace kvbm::test {
namespace {

thread_local FaultCountdown countdown;
std::atomic<std::int64_t> live{0};

/// relaxed: a count, read where nobody else allocates
void* counted(void* memory) noexcept {
  if (memory != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void* allocate_or_null(std::size_t bytes) noexcept {
  return counted(refuses_allocation() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes));
}

void* allocate(std::size_t bytes) {
  void* const memory = allocate_or_null(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* allocate(std::size_t bytes, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  const std::size_t rounded = (bytes + step - 1) / step * step;  // aligned_alloc wants a multiple
  void* const memory = refuses_allocation() ? nullptr : std::aligned_alloc(step, rounded == 0 ? step : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return counted(memory);
}

void release(void* memory) noexcept {
  if (memory != nullptr) live.fetch_sub(1, std::memory_order_relaxed);  // relaxed: as above
  std::free(memory);
}

}  // namespace

bool refuses_allocation() noexcept {
  if (!countdown.reached()) return false;
  countdown.disarm();
  return true;
}

AllocationFault::AllocationFault(std::size_t n) noexcept { countdown = FaultCountdown::from(n); }
AllocationFault::~AllocationFault() { countdown = {}; }
bool AllocationFault::fired() const noexcept { return countdown.fired(); }

std::int64_t live_allocations() noexcept { return live.load(std::memory_order_relaxed); }

}  // namespace kvbm::test

void* operator new(std::size_t bytes) { return kvbm::test::allocate(bytes); }
void* operator new[](std::size_t bytes) { return kvbm::test::allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return kvbm::test::allocate(bytes, alignment); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return kvbm::test::allocate(bytes, alignment); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return kvbm::test::allocate_or_null(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t& nothrow) noexcept { return operator new(bytes, nothrow); }
void operator delete(void* memory) noexcept { kvbm::test::release(memory); }
void operator delete[](void* memory) noexcept { kvbm::test::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { kvbm::test::release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { kvbm::test::release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { kvbm::test::release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { kvbm::test::release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { kvbm::test::release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { kvbm::test::release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { kvbm::test::release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { kvbm::test::release(memory); }
