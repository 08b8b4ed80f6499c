#include <gtest/gtest.h>

#include <memory>

#include "kvbm/base/mutex.hpp"

namespace kvbm {
namespace {

#if defined(KVBM_LOCK_ORDER_CHECK)  // other builds have nothing to test here: dev, asan and tsan do

void lock_both(Mutex& outer, Mutex& inner) {
  MutexLock first(outer);
  MutexLock second(inner);
}

TEST(LockOrder, TwoLocksTakenInBothOrdersAbort) {  // logical.md 18.10 case 129
  Mutex a, b;
  lock_both(a, b);

  EXPECT_DEATH(lock_both(b, a), "locks are taken in both orders");
}

TEST(LockOrder, CycleOfThreeAborts) {
  Mutex a, b, c;
  lock_both(a, b);
  lock_both(b, c);

  EXPECT_DEATH(lock_both(c, a), "locks are taken in both orders");
}

TEST(LockOrder, CycleThroughALockHeldFurtherOutAborts) {
  Mutex a, b, c;
  lock_both(a, c);

  EXPECT_DEATH(
      {
        MutexLock outer(c);
        lock_both(b, a);
      },
      "locks are taken in both orders");
}

TEST(LockOrder, OneOrderMayBeRepeatedAndShortened) {
  Mutex a, b, c;
  {
    MutexLock outer(a);
    lock_both(b, c);
  }
  lock_both(a, c);
  lock_both(b, c);
  lock_both(a, b);
}

TEST(LockOrder, LocksHeldOneAfterTheOtherHaveNoOrder) {
  Mutex a, b;
  for (int i = 0; i < 2; ++i) {
    { MutexLock lock(a); }
    { MutexLock lock(b); }
  }
}

TEST(LockOrder, DestroyedLockIsForgotten) {
  Mutex a;
  auto storage = std::make_unique<Mutex[]>(1);
  lock_both(a, storage[0]);
  std::destroy_at(&storage[0]);
  std::construct_at(&storage[0]);

  lock_both(storage[0], a);
}

TEST(LockOrder, UnlockOfALockNotHeldAborts) {
  Mutex a;

  EXPECT_DEATH(a.unlock(), "a lock is released that this thread does not hold");
}

#endif

}  // namespace
}  // namespace kvbm
