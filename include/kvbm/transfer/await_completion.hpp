#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kvbm/base/assert.hpp"
#include "kvbm/transfer/completion.hpp"

namespace kvbm {

/// What a coroutine waits in: `const TransferOutcome& outcome = co_await completion;`
///
/// Outcome   a reference for a Completion that the caller keeps, which keeps the outcome too; else by value.
/// Threads   the coroutine goes on where Completion::then calls back: on a thread of kvbm's, or on that of cancel(); at
///           once, on its own, if the transfer has ended. It must not wait for other transfers there but by co_await.
/// Lifetime  a coroutine that waits here is not destroyed (asserted): cancel the transfer, and let it come to its end.
/// Errors    std::bad_alloc in the coroutine, which then does not wait. On kvbm's thread no exception may leave it.
/// Cost      that of then(); nothing if the transfer has ended.
template <class Outcome>
class CompletionAwaiter {
 public:
  explicit CompletionAwaiter(Completion completion) noexcept : completion_(std::move(completion)) {}
  CompletionAwaiter(const CompletionAwaiter&) = delete;
  CompletionAwaiter& operator=(const CompletionAwaiter&) = delete;
  ~CompletionAwaiter() {
    // relaxed: whoever resumed the coroutine that this belongs to has said so before
    KVBM_ASSERT(turn_.load(std::memory_order_relaxed) != Turn::Suspended,
                "a coroutine was destroyed while it waited for a transfer");
  }

  [[nodiscard]] bool await_ready() const noexcept { return completion_.done(); }

  /// Whether it waits. The transfer may end meanwhile, and call back on any thread: whoever comes second goes on, so
  /// that the coroutine is resumed once, and never from here.
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> coroutine) {
    completion_.then([this, coroutine](const TransferOutcome&) {
      // acquire and release, here and below: the one who goes on sees what the other did
      if (turn_.exchange(Turn::Ended, std::memory_order_acq_rel) == Turn::Suspended) coroutine.resume();
    });
    Turn turn = Turn::Suspending;
    return turn_.compare_exchange_strong(turn, Turn::Suspended, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  [[nodiscard]] Outcome await_resume() const noexcept(std::is_reference_v<Outcome>) { return completion_.outcome(); }

 private:
  enum class Turn : std::uint8_t { Suspending, Suspended, Ended };

  const Completion completion_;
  std::atomic<Turn> turn_{Turn::Suspending};
};

[[nodiscard]] inline CompletionAwaiter<const TransferOutcome&> operator co_await(const Completion& completion) {
  return CompletionAwaiter<const TransferOutcome&>(completion);
}
[[nodiscard]] inline CompletionAwaiter<TransferOutcome> operator co_await(Completion&& completion) {
  return CompletionAwaiter<TransferOutcome>(std::move(completion));
}

}  // namespace kvbm
