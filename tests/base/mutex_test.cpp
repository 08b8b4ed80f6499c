#include "kvbm/base/mutex.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

namespace kvbm {
namespace {

constexpr int kThreads = 4;

TEST(Mutex, ThreadsExcludeEachOther) {
  constexpr int kTurns = 20'000;
  Mutex mutex;
  int count = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int turn = 0; turn < kTurns; ++turn) {
          MutexLock lock(mutex);
          ++count;
        }
      });
    }
  }

  EXPECT_EQ(count, kThreads * kTurns);
}

TEST(Mutex, WaiterGetsInOnlyAfterUnlock) {
  Mutex mutex;
  std::atomic<bool> about_to_lock{false};
  bool inside = false;
  mutex.lock();
  std::jthread waiter([&] {
    about_to_lock.store(true);
    about_to_lock.notify_one();
    MutexLock lock(mutex);
    inside = true;
  });
  about_to_lock.wait(false);

  EXPECT_FALSE(inside);
  mutex.unlock();
  waiter.join();

  EXPECT_TRUE(inside);
}

TEST(Mutex, EverySleeperIsWoken) {
  constexpr int kRounds = 200;
  Mutex mutex;
  int count = 0;
  std::barrier sync(kThreads + 1);
  std::vector<std::jthread> sleepers;
  for (int i = 0; i < kThreads; ++i) {
    sleepers.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        sync.arrive_and_wait();
        {
          MutexLock lock(mutex);
          ++count;
        }
        sync.arrive_and_wait();
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    mutex.lock();
    sync.arrive_and_wait();
    // Long enough for all of them to give up spinning; what is tested does not depend on it.
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    mutex.unlock();
    sync.arrive_and_wait();
  }
  sleepers.clear();

  EXPECT_EQ(count, kThreads * kRounds);
}

TEST(Mutex, NextHolderMayDestroyIt) {
  struct Shared {
    Mutex mutex;
    int users = 2;
  };
  const auto leave = [](Shared* shared) {
    shared->mutex.lock();
    const bool last = --shared->users == 0;
    shared->mutex.unlock();
    if (last) delete shared;
  };
  constexpr int kRounds = 2'000;
  std::vector<Shared*> all;
  for (int round = 0; round < kRounds; ++round) all.push_back(new Shared);
  std::barrier sync(2);
  const auto leave_all = [&] {
    for (Shared* const shared : all) {
      sync.arrive_and_wait();
      leave(shared);
    }
  };

  std::jthread other(leave_all);
  leave_all();
  // A word read after it was given up, or a leak, is seen by AddressSanitizer.
}

}  // namespace
}  // namespace kvbm
