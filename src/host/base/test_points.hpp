#pragma once

// Named points at which the race tests hold a thread. They exist only in the build made for those tests.
#if defined(KVBM_TEST_HOOKS)
#include <atomic>

namespace kvbm {

enum class TestPoint {
  LastPinDropped,     // the last pin of a block is gone, its release has not locked the store yet
  WeakPinMissed,      // a weak block saw no pin, its look-up has not locked the store yet
  ReleaseUnlocked,    // a release has unlocked and is about to tell the registry
  RegisteredUnlocked  // a registration is published, its hook and count have not run yet
};

inline std::atomic<void (*)(TestPoint)> test_point_hook{nullptr};

inline void reach(TestPoint point) {
  if (auto* hook = test_point_hook.load(std::memory_order_acquire)) hook(point);
}

}  // namespace kvbm

#define KVBM_TEST_POINT(point) ::kvbm::reach(::kvbm::TestPoint::point)
#else
#define KVBM_TEST_POINT(point) static_cast<void>(0)
#endif
