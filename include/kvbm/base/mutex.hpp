#pragma once

#include <atomic>

#include "kvbm/base/yield_point.hpp"

// Clang checks these at compile time (preset `tidy`); other compilers ignore them.
#if defined(__clang__)
#define KVBM_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define KVBM_THREAD_ANNOTATION(x)
#endif
#define KVBM_GUARDED_BY(mutex) KVBM_THREAD_ANNOTATION(guarded_by(mutex))
#define KVBM_REQUIRES(...) KVBM_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define KVBM_EXCLUDES(...) KVBM_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define KVBM_ACQUIRE(...) KVBM_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define KVBM_RELEASE(...) KVBM_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define KVBM_NO_THREAD_SAFETY_ANALYSIS KVBM_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace kvbm {

/// A lock of one word: free, held, or held with sleepers. Unfair on purpose: a running thread may take it again before
/// a sleeper wakes, which keeps the store's cache lines on one core. The word is not touched after it reads free, so
/// whoever takes the lock next may destroy it.
///
/// Cost     one locked instruction to lock and one to unlock, in line, when nobody waits.
class KVBM_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  Mutex() = default;
#if defined(KVBM_LOCK_ORDER_CHECK)
  ~Mutex();
#endif
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() noexcept KVBM_ACQUIRE() {
    record_acquired();  // first, so that a deadlock is reported rather than waited for
    KVBM_YIELD_UNTIL("lock", word_.load(std::memory_order_relaxed) == kFree);
    int expected = kFree;
    // acquire: sees all that the last holder wrote
    if (!word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      lock_contended();
    }
  }
  void unlock() noexcept KVBM_RELEASE() {
    record_released();
    // release: hands over all that was written under the lock
    if (word_.exchange(kFree, std::memory_order_release) == kHeldWithSleepers) wake_one();
    KVBM_YIELD("go on unlocked");
  }

 private:
  static constexpr int kFree = 0;
  static constexpr int kHeld = 1;
  static constexpr int kHeldWithSleepers = 2;

  void lock_contended() noexcept;
  void wake_one() noexcept;
#if defined(KVBM_LOCK_ORDER_CHECK)
  void record_acquired() noexcept;
  void record_released() noexcept;
#else
  void record_acquired() noexcept {}
  void record_released() noexcept {}
#endif

  std::atomic<int> word_{kFree};
};

struct Locked {};
inline constexpr Locked kLocked;

/// Holds a Mutex for a scope.
class KVBM_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) noexcept KVBM_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  /// Takes over a lock that is held.
  MutexLock(Mutex& mutex, Locked /*held*/) noexcept KVBM_REQUIRES(mutex) : mutex_(mutex) {}
  ~MutexLock() KVBM_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace kvbm
