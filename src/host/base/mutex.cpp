#include "kvbm/base/mutex.hpp"

#include "src/host/base/lock_order.hpp"

namespace kvbm {
namespace {

void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Mutex::lock_contended() noexcept {
  constexpr int kSpins = 100;  // a batch under the store's lock takes about as long
  for (int spin = 0; spin < kSpins; ++spin) {
    relax();
    int expected = kFree;
    if (word_.load(std::memory_order_relaxed) == kFree &&
        word_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      return;
    }
  }
  // Whoever takes it from here on cannot know whether others still sleep, and leaves the mark.
  while (word_.exchange(kHeldWithSleepers, std::memory_order_acquire) != kFree) {
    word_.wait(kHeldWithSleepers, std::memory_order_relaxed);
  }
}

void Mutex::wake_one() noexcept { word_.notify_one(); }

#if defined(KVBM_LOCK_ORDER_CHECK)
void Mutex::record_acquired() noexcept { lock_order::acquired(this); }
void Mutex::record_released() noexcept { lock_order::released(this); }
Mutex::~Mutex() { lock_order::forget(this); }
#endif

}  // namespace kvbm
