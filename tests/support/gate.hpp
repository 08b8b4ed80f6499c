#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "src/host/base/test_points.hpp"

#if !defined(KVBM_TEST_HOOKS)
#error "gates need the library built with KVBM_TEST_HOOKS"
#endif

namespace kvbm::test {

/// Holds the first thread that reaches a named point of the library until the test opens it. All other threads pass,
/// and so does everybody once a thread is held. Of several gates at one point the oldest that is vacant takes the next
/// thread, so that the test knows who is held where.
///
/// Threads   a test waits for the held thread before it does anything that could reach the point itself.
/// Lifetime  the destructor opens the gate and waits until the held thread is through.
/// Errors    a thread that does not come, or is not let go, within a minute is a bug of the test and aborts.
class Gate {
 public:
  explicit Gate(TestPoint point) : point_(point) {
    std::lock_guard lock(gates().mutex);
    gates().standing.push_back(this);
    test_point_hook.store(&Gate::arrive, std::memory_order_release);
  }
  ~Gate() {
    std::unique_lock lock(gates().mutex);
    open_ = true;
    gates().changed.notify_all();
    gates().changed.wait(lock, [&] { return stage_ != Stage::Held; });
    std::erase(gates().standing, this);
    if (gates().standing.empty()) test_point_hook.store(nullptr, std::memory_order_release);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Returns once a thread is held.
  void wait_until_held() {
    std::unique_lock lock(gates().mutex);
    wait_for(
        lock, [&] { return stage_ != Stage::Vacant; }, "no thread came to the gate");
  }

  /// Lets the held thread go on.
  void open() {
    std::lock_guard lock(gates().mutex);
    open_ = true;
    gates().changed.notify_all();
  }

 private:
  enum class Stage { Vacant, Held, Passed };
  struct Gates {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Gate*> standing;
  };
  static Gates& gates() {
    static Gates all;
    return all;
  }

  static void arrive(TestPoint point) {
    std::unique_lock lock(gates().mutex);
    const auto found = std::find_if(gates().standing.begin(), gates().standing.end(), [&](const Gate* gate) {
      return gate->point_ == point && gate->stage_ == Stage::Vacant && !gate->open_;
    });
    if (found == gates().standing.end()) return;
    Gate& gate = **found;
    gate.stage_ = Stage::Held;
    gates().changed.notify_all();
    wait_for(
        lock, [&] { return gate.open_; }, "nobody opened the gate");
    gate.stage_ = Stage::Passed;
    gates().changed.notify_all();
  }

  template <class Condition>
  static void wait_for(std::unique_lock<std::mutex>& lock, Condition condition, const char* otherwise) {
    KVBM_ASSERT(gates().changed.wait_for(lock, std::chrono::minutes(1), condition), otherwise);
  }

  const TestPoint point_;
  Stage stage_ = Stage::Vacant;
  bool open_ = false;
};

/// A thread that a gate of its own holds on its way.
///
/// Lifetime  the destructor lets the thread through, so that a test that fails early does not hang.
class HeldThread {
 public:
  /// Returns once the thread that runs `action` is held at `point`.
  template <class Action>
  HeldThread(TestPoint point, Action action) : gate_(point) {
    thread_ = std::jthread(std::move(action));
    gate_.wait_until_held();
  }

  /// Opens the gate and returns when the thread has ended.
  void let_through() {
    gate_.open();
    thread_.join();
  }

 private:
  std::jthread thread_;  // before the gate, and so joined after the gate is open
  Gate gate_;
};

/// A thread whose only act is to drop `object`.
template <class Object>
[[nodiscard]] HeldThread dropped_at(TestPoint point, Object object) {
  return HeldThread(point, [object = std::move(object)]() mutable { const Object dropped(std::move(object)); });
}

}  // namespace kvbm::test
