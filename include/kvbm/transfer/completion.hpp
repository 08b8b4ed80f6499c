#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "kvbm/device/stream.hpp"
#include "kvbm/transfer/transfer_request.hpp"

namespace kvbm {

struct TransferState;  // pooled by the engine; counted by Completions and by the engine itself

/// How a transfer ended, and when it passed each stage.
struct TransferOutcome {
  using Time = std::chrono::steady_clock::time_point;
  std::optional<TransferError> error;  ///< absent: all bytes are in place
  std::uint64_t bytes = 0;
  Mechanism mechanism = Mechanism::Copies;  ///< Copies too where the driver refused to take batches
  Time queued{}, submitted{}, done{};
};

/// One transfer under way, or done. Copies name the same transfer. Dropping it cancels nothing: the copy runs on, and
/// its keepalive is held until the device can touch the pages no more.
///
/// Made by   TransferEngine::submit, Completion::all, Completion::ready.
/// Threads   any.
/// Lifetime  may outlive the engine, which finishes everything before it goes.
class Completion {
 public:
  /// Already done, without error.
  [[nodiscard]] static Completion ready();
  /// Done when all are; its error joins the texts of all that failed, as far as there is memory for them then. None at
  /// all: ready. Errors  std::bad_alloc.
  [[nodiscard]] static Completion all(std::span<const Completion> parts);

  Completion(const Completion&) noexcept;
  Completion(Completion&&) noexcept;
  Completion& operator=(Completion) noexcept;
  ~Completion();

  /// Whether it has ended. Never blocks.
  [[nodiscard]] bool done() const noexcept;
  /// Blocks until it has ended. Errors are in the outcome, never thrown.
  const TransferOutcome& wait() const;
  /// Whether it ended in time.
  [[nodiscard]] bool wait_for(std::chrono::nanoseconds time) const;
  /// Precondition: done().
  [[nodiscard]] const TransferOutcome& outcome() const noexcept;

  /// What is enqueued on `stream` from now on waits for the transfer, without the host. A transfer that is queued is
  /// enqueued now, whatever else is under way. If the CPU moves the bytes (pageable memory, or host to host), the
  /// calling thread waits instead. A failed transfer lets the stream go on: look at the outcome before the bytes are
  /// trusted. Errors  DeviceError.
  void wait_on(StreamView stream) const;
  /// The same for one layer. Precondition: the request asked for layer_events, and names the layer.
  void wait_for_layer(std::uint32_t layer, StreamView stream) const;

  /// Calls `callback` once, on a thread of kvbm's, with no lock held; at once on this thread if it has ended already,
  /// and on that of cancel() if it ends there.
  /// It must not throw, nor wait for other transfers. Errors  std::bad_alloc.
  void then(std::function<void(const TransferOutcome&)> callback) const;

  /// Gives up what has not been enqueued yet. What has been runs on and is waited for, so that the pages stay held
  /// until then; with nothing enqueued it ends at once, and callbacks run here. Returns whether it ends as Cancelled:
  /// false if all of it was enqueued already, or it has ended otherwise. Of several parts all are cancelled. Errors
  /// std::bad_alloc, with nothing given up.
  bool cancel() const;

  /// The guards back, once: after done() the caller may take them; else they are dropped with the last Completion.
  [[nodiscard]] Keepalive take_keepalive() const noexcept;

 private:
  friend class TransferEngine;
  explicit Completion(TransferState* state) noexcept : state_(state) {}

  TransferState* state_;
};

}  // namespace kvbm
