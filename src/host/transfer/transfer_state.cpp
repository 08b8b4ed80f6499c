#include "transfer/transfer_state.hpp"

#include <utility>

#include "base/nvtx.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm {

// relaxed: whoever adds one has one
void TransferState::add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }

void TransferState::drop_reference() noexcept {
  // acquire and release: the last one sees what all others did
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) recycle();
}

void TransferState::end() noexcept {
  {
    const MutexLock lock(mutex_);
    done_.store(true, std::memory_order_release);  // release: publishes the outcome
  }
  ended_.notify_all();
}

void TransferState::run_callbacks() {
  std::vector<Callback> callbacks;
  {
    const MutexLock lock(mutex_);
    callbacks.swap(callbacks_);
  }
  for (const Callback& callback : callbacks) callback(outcome);
}

void TransferState::wait() {
  if (done()) return;
  KVBM_NVTX_RANGE("kvbm.wait", NvtxCategory::None, outcome.bytes);
  const MutexLock lock(mutex_);
  while (!done()) ended_.wait(mutex_);
}

bool TransferState::wait_for(std::chrono::nanoseconds time) {
  if (done()) return true;
  const auto until = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!done()) {
    if (ended_.wait_until(mutex_, until) == std::cv_status::timeout) return done();
  }
  return true;
}

void TransferState::then(Callback callback) {
  {
    const MutexLock lock(mutex_);
    if (!done()) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  callback(outcome);
}

Keepalive TransferState::take_keepalive() noexcept {
  KVBM_ASSERT(done(), "what a transfer keeps alive is taken when it has ended");
  const MutexLock lock(mutex_);
  return std::move(keepalive);
}

void TransferState::reset() noexcept {
  keepalive = Keepalive();
  outcome = TransferOutcome();
  references_.store(1, std::memory_order_relaxed);  // relaxed: nobody shares it
  done_.store(false, std::memory_order_relaxed);
}

}  // namespace kvbm
