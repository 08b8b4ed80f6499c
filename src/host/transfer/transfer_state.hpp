#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/transfer/completion.hpp"

namespace kvbm {

/// What the Completions of one transfer share: how it ended, who waits for that, and its guards.
///
/// Threads   any, but for end(), which the one who moves the bytes calls once.
/// Lifetime  until its last reference is dropped; recycle() then takes it back.
struct TransferState {
  using Callback = std::function<void(const TransferOutcome&)>;

  TransferState() = default;
  TransferState(const TransferState&) = delete;
  TransferState& operator=(const TransferState&) = delete;

  void add_reference() noexcept;
  void drop_reference() noexcept;

  /// Precondition: outcome is complete. Wakes those who wait; callbacks are another's turn.
  void end() noexcept;
  /// After end().
  void run_callbacks();

  // acquire: what end() published is seen
  [[nodiscard]] bool done() const noexcept { return done_.load(std::memory_order_acquire); }
  void wait();
  [[nodiscard]] bool wait_for(std::chrono::nanoseconds time);
  void then(Callback callback);
  [[nodiscard]] Keepalive take_keepalive() noexcept;

  /// Orders the stream behind the transfer, or one of its layers, if it is not done. Errors  DeviceError.
  virtual void order_before(StreamView stream) = 0;
  virtual void order_layer_before(std::uint32_t layer, StreamView stream) = 0;
  /// Gives up what is not enqueued. Returns whether it ends, or has ended, as cancelled.
  virtual bool cancel() = 0;
  /// Precondition: done().
  [[nodiscard]] bool cancelled() const noexcept {
    return outcome.error && outcome.error->code == TransferError::Code::Cancelled;
  }

  TransferOutcome outcome;  ///< written before end(), read after
  Keepalive keepalive;      ///< set before anybody shares the state; then under the lock

 protected:
  virtual ~TransferState() = default;
  /// Nobody refers to it any more.
  virtual void recycle() noexcept = 0;
  /// As new, with one reference.
  void reset() noexcept;

  Mutex mutex_;

 private:
  std::atomic<std::uint32_t> references_{1};
  std::atomic<bool> done_{false};
  std::condition_variable_any ended_;  // waits with mutex_
  std::vector<Callback> callbacks_ KVBM_GUARDED_BY(mutex_);
};

/// A counted reference.
class StateReference {
 public:
  explicit StateReference(TransferState& state) noexcept : state_(state) { state.add_reference(); }
  ~StateReference() { state_.drop_reference(); }
  StateReference(const StateReference&) = delete;
  StateReference& operator=(const StateReference&) = delete;

 private:
  TransferState& state_;
};

}  // namespace kvbm
