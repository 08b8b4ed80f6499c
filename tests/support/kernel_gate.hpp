#pragma once

#include <latch>
#include <list>
#include <mutex>
#include <type_traits>

#include "kvbm/device/kernel_call.hpp"

namespace kvbm::test {

/// A kernel that holds its stream of an emulated device until the test opens it. Launched once.
///
/// Lifetime  declared after the device: its end opens it, and the device's end waits for what is enqueued.
class KernelGate {
 public:
  KernelGate() : state_(new_state()) {}
  KernelGate(const KernelGate&) = delete;
  KernelGate& operator=(const KernelGate&) = delete;
  ~KernelGate() { open(); }

  [[nodiscard]] KernelCall call() const noexcept {
    return KernelCall(
        "gate", Arguments{&state_},
        [](const Arguments& arguments) {
          arguments.state->held.count_down();
          arguments.state->opened.wait();
        },
        nullptr);
  }
  /// Returns once the kernel runs.
  void wait_until_held() const { state_.held.wait(); }
  void open() const noexcept {
    if (!state_.opened.try_wait()) state_.opened.count_down();
  }

 private:
  struct State {
    std::latch held{1};
    std::latch opened{1};
  };
  struct Arguments {
    State* state;
  };
  /// Never freed: a kernel may come to it after the gate is gone.
  static State& new_state() {
    static std::mutex mutex;
    static std::list<State> all;
    const std::lock_guard lock(mutex);
    return all.emplace_back();
  }

  State& state_;
};

/// A kernel that runs `action(context)` on the host.
template <class Context>
[[nodiscard]] KernelCall host_kernel(const char* name, Context* context,
                                     std::type_identity_t<void (*)(Context&)> action) noexcept {
  struct Arguments {
    Context* context;
    void (*action)(Context&);
  };
  return KernelCall(
      name, Arguments{context, action}, [](const Arguments& arguments) { arguments.action(*arguments.context); },
      nullptr);
}

}  // namespace kvbm::test
