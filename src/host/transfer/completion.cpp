#include "kvbm/transfer/completion.hpp"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "transfer/transfer_state.hpp"

namespace kvbm {
namespace {

/// What a Completion without a state shows: that of nothing at all.
const TransferOutcome& nothing() noexcept {
  static const TransferOutcome outcome;
  return outcome;
}

/// Several transfers as one. Kept by the callbacks it leaves with its parts.
struct AggregateState final : TransferState {
  explicit AggregateState(std::span<const Completion> all) : parts(all.begin(), all.end()), left(parts.size()) {}

  void order_before(StreamView stream) override {
    for (const Completion& part : parts) part.wait_on(stream);
  }
  void order_layer_before(std::uint32_t layer, StreamView stream) override {
    for (const Completion& part : parts) part.wait_for_layer(layer, stream);
  }
  bool cancel() override {
    bool cancelled = false;
    for (const Completion& part : parts) cancelled = part.cancel() || cancelled;
    return cancelled;
  }
  void recycle() noexcept override { delete this; }

  /// One more part has ended; the last one ends the whole.
  void part_ended() {
    // acquire and release: the last one sees the outcomes that the others saw
    if (left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    sum_up();
    end();
    run_callbacks();
  }
  void sum_up() noexcept {
    const TransferOutcome& first = parts.front().outcome();
    outcome.mechanism = first.mechanism;
    outcome.queued = first.queued;
    outcome.submitted = first.submitted;
    for (const Completion& part : parts) {
      const TransferOutcome& its = part.outcome();
      outcome.bytes += its.bytes;
      outcome.queued = std::min(outcome.queued, its.queued);
      outcome.submitted = std::min(outcome.submitted, its.submitted);
      outcome.done = std::max(outcome.done, its.done);
      if (its.error) add(*its.error);
    }
  }
  /// The code of the first, and the texts of all, as far as there is memory for them.
  void add(const TransferError& error) noexcept {
    try {
      if (outcome.error) {
        outcome.error->text += "; " + error.text;
      } else {
        outcome.error = error;
      }
    } catch (const std::bad_alloc&) {
      if (!outcome.error) outcome.error = TransferError{error.code, "out of memory"};  // short enough to need none
    }
  }

  const std::vector<Completion> parts;
  std::atomic<std::size_t> left;
};

}  // namespace

Completion Completion::ready() { return Completion(nullptr); }

Completion Completion::all(std::span<const Completion> parts) {
  if (parts.empty()) return ready();
  if (parts.size() == 1) return parts.front();
  auto* const state = new AggregateState(parts);
  Completion whole(state);
  // Each callback holds the aggregate by a Completion.
  for (const Completion& part : parts) part.then([whole, state](const TransferOutcome&) { state->part_ended(); });
  return whole;
}

Completion::Completion(const Completion& other) noexcept : state_(other.state_) {
  if (state_ != nullptr) state_->add_reference();
}
Completion::Completion(Completion&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Completion& Completion::operator=(Completion other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
Completion::~Completion() {
  if (state_ != nullptr) state_->drop_reference();
}

bool Completion::done() const noexcept { return state_ == nullptr || state_->done(); }

const TransferOutcome& Completion::wait() const {
  if (state_ == nullptr) return nothing();
  state_->wait();
  return state_->outcome;
}

bool Completion::wait_for(std::chrono::nanoseconds time) const { return state_ == nullptr || state_->wait_for(time); }

const TransferOutcome& Completion::outcome() const noexcept {
  KVBM_ASSERT(done(), "the outcome of a transfer that has ended");
  return state_ == nullptr ? nothing() : state_->outcome;
}

void Completion::wait_on(StreamView stream) const {
  if (!done()) state_->order_before(stream);
}

void Completion::wait_for_layer(std::uint32_t layer, StreamView stream) const {
  if (!done()) state_->order_layer_before(layer, stream);
}

void Completion::then(std::function<void(const TransferOutcome&)> callback) const {
  if (state_ == nullptr) {
    callback(nothing());
  } else {
    state_->then(std::move(callback));
  }
}

bool Completion::cancel() const {
  return state_ != nullptr && (state_->done() ? state_->cancelled() : state_->cancel());
}

Keepalive Completion::take_keepalive() const noexcept {
  return state_ == nullptr ? Keepalive() : state_->take_keepalive();
}

}  // namespace kvbm
