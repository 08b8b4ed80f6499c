#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/nvtx.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/transfer/completion.hpp"
#include "kvbm/transfer/transfer_request.hpp"
#include "transfer/transfer_plan.hpp"

namespace kvbm {

struct PooledState;
struct TransferSlot;

/// How far a transfer has been enqueued. Moves in layers if there are layer events, else in pairs.
struct Cursor {
  std::uint32_t layer = 0;
  TransferSlot* piece = nullptr;  ///< null: at the end
  std::uint32_t pair = 0;

  friend bool operator==(const Cursor&, const Cursor&) = default;
};

/// A part of a transfer that is enqueued in one go, and the event behind it.
struct Slice {
  explicit Slice(std::shared_ptr<Device> device) : event(std::move(device)) {}

  Event event;
  TransferSlot* slot = nullptr;
  Slice* next = nullptr;  ///< in flight on the same lane
  std::uint64_t bytes = 0;
  Cursor begin{}, end{};
  bool in_flight = false;
  bool recorded = false;  ///< the event stands for all that was enqueued
};

/// Everything a transfer needs while it is under way, made before there is one. A request with more blocks than a slot
/// has room for takes several, chained as pieces; all but the pairs of the first one then lie idle.
///
/// Threads  as the comments say: set while it is submitted, then its link's lock or the thread that enqueues.
struct TransferSlot {
  static constexpr std::size_t kSlices = 4;  ///< in flight at once; one more for all the rest, if somebody forces it

  explicit TransferSlot(const std::shared_ptr<Device>& device)
      : dependency(device), slices{Slice(device), Slice(device), Slice(device), Slice(device), Slice(device)} {
    for (Slice& slice : slices) slice.slot = this;
  }
  TransferSlot(TransferSlot&&) = delete;

  [[nodiscard]] bool layerwise() const noexcept { return layer_event_count != 0; }
  [[nodiscard]] Cursor start() noexcept { return {plan.layers.begin, this, 0}; }
  [[nodiscard]] Cursor finish() const noexcept {
    return {layerwise() ? plan.layers.end : plan.layers.begin, nullptr, 0};
  }

  // What is to be done. Written by the submitting thread, then read only.
  PooledState* state = nullptr;  ///< a counted reference
  TransferPlan plan{};
  std::shared_ptr<const BlockLayout> source, target;
  TransferPriority priority{};
  std::uint32_t total_blocks = 0;  ///< of all pieces
  std::uint32_t count = 0;         ///< of this piece
  BlockPair* pairs = nullptr;      ///< pinned, blocks_max of them
  BlockPair* staged_pairs = nullptr;
  const BlockPair* device_pairs = nullptr;  ///< the same for kernels
  const BlockPair* device_staged_pairs = nullptr;
  TransferSlot* next_piece = nullptr;
  Event dependency;  ///< all that the request waits for
  bool has_dependency = false;
  std::uint32_t pairs_per_slice = 1;
  std::uint32_t layers_per_slice = 1;
  std::uint32_t layer_event_count = 0;
  std::vector<Event> layer_events;  ///< at least layer_event_count
  NvtxSpan span;                    ///< from its submission to its end

  // For those who look at what is pending. Written before there are users, but for the atomics.
  std::uint64_t number = 0;  ///< of the transfer
  TransferOutcome::Time queued{};
  MemoryKind source_kind{}, target_kind{};
  std::atomic<TransferOutcome::Time> submitted{TransferOutcome::Time()};  ///< its beginning of time: not yet
  std::atomic<bool> ended{false};

  // How far it is. Under the lock of its link.
  TransferSlot* next_waiting = nullptr;
  Cursor cursor{};
  std::uint64_t bytes_left = 0;  ///< behind the cursor
  std::uint32_t slices_in_flight = 0;
  bool forced = false;
  bool enqueued = false;   ///< nothing of it will be enqueued any more
  bool cancelled = false;  ///< since somebody gave it up
  const Slice* last_slice = nullptr;
  std::optional<TransferError> error;
  bool batches_taken = true;  ///< by the driver, as batches; written by who enqueues
  std::array<Slice, kSlices + 1> slices;

  TransferSlot* next_free = nullptr;
  /// Those who may look at the events: the engine, and whoever orders a stream behind them. 0: no transfer is here.
  std::atomic<std::uint32_t> users{0};
  /// One more user, if a transfer is here.
  [[nodiscard]] bool use_if_taken() noexcept {
    std::uint32_t now = users.load(std::memory_order_relaxed);  // relaxed: looked at again
    // acquire: sees what was written before there were users
    while (now != 0 &&
           !users.compare_exchange_weak(now, now + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
    }
    return now != 0;
  }
};

/// First in, first out. The links lie in the slots.
class SlotQueue {
 public:
  [[nodiscard]] TransferSlot* front() const noexcept { return first_; }
  void push(TransferSlot& slot) noexcept {
    slot.next_waiting = nullptr;
    (last_ == nullptr ? first_ : last_->next_waiting) = &slot;
    last_ = &slot;
  }
  /// Whether it was there.
  bool remove(TransferSlot& slot) noexcept {
    TransferSlot* before = nullptr;
    for (TransferSlot* at = first_; at != nullptr; before = at, at = at->next_waiting) {
      if (at != &slot) continue;
      (before == nullptr ? first_ : before->next_waiting) = slot.next_waiting;
      if (last_ == &slot) last_ = before;
      return true;
    }
    return false;
  }

 private:
  TransferSlot* first_ = nullptr;
  TransferSlot* last_ = nullptr;
};

}  // namespace kvbm
