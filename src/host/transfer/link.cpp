#include "transfer/link.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/nvtx.hpp"
#include "kvbm/device/device_error.hpp"
#include "transfer/error_text.hpp"
#include "transfer/transfer_core.hpp"
#include "transfer/transfer_thread.hpp"

namespace kvbm {
namespace {

constexpr TransferPriority kOnDemandFirst[]{TransferPriority::OnDemand, TransferPriority::WriteBehind};

/// A driver's queue takes about a thousand operations before the one who submits has to wait.
constexpr std::uint64_t kOperationsPerSlice = 256;

StreamPriority stream_priority(TransferPriority priority) noexcept {
  return priority == TransferPriority::OnDemand ? StreamPriority::High : StreamPriority::Normal;
}

std::uint32_t clamped(std::uint64_t value) noexcept {
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(value, 1, UINT32_MAX));
}

/// Where a cursor stands `pairs` further on, and by how many it moved.
std::pair<Cursor, std::uint64_t> advanced(const TransferSlot& slot, Cursor at, std::uint32_t pairs) noexcept {
  std::uint64_t moved = 0;
  while (at.piece != nullptr && moved < pairs) {
    const std::uint64_t step = std::min<std::uint64_t>(pairs - moved, at.piece->count - at.pair);
    moved += step;
    at.pair += static_cast<std::uint32_t>(step);
    if (at.pair == at.piece->count) at = {at.layer, at.piece->next_piece, 0};
  }
  return {at.piece == nullptr ? slot.finish() : at, moved};
}

}  // namespace

Link::Lane::Lane(const std::shared_ptr<Device>& device, TransferPriority priority)
    : stream(device, stream_priority(priority), "kvbm.transfer"),
      gather(device, stream_priority(priority), "kvbm.gather") {}

Link::Link(TransferCore& core, const std::shared_ptr<Device>& device, Options options)
    : core_(core),
      device_(device),
      bytes_in_flight_max_(options.bytes_in_flight_max),
      enqueuer_(device, options.direction, std::move(options.ring), options.kernels) {
  for (const TransferPriority priority : {TransferPriority::WriteBehind, TransferPriority::OnDemand}) {
    lanes_[static_cast<std::size_t>(priority)] = std::make_unique<Lane>(device, priority);
  }
  try {
    for (const TransferPriority priority : kOnDemandFirst) {
      lane(priority).thread = std::thread([this, priority] { run(priority); });
    }
  } catch (...) {
    end_threads();  // the first one, if there is none for the second
    throw;
  }
}

Link::~Link() { end_threads(); }

void Link::end_threads() noexcept {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
  }
  for (const auto& lane : lanes_) {
    lane->arrived.notify_all();
    if (lane->thread.joinable()) lane->thread.join();
  }
}

void Link::prepare(TransferSlot& slot) const noexcept {
  const TransferPlan& plan = slot.plan;
  const std::uint64_t slice_bytes = bytes_in_flight_max_ / TransferSlot::kSlices;
  std::uint64_t blocks = slice_bytes / plan.block_bytes();
  std::uint64_t layers = slice_bytes / (plan.layer_bytes() * slot.total_blocks);
  if (plan.mechanism == Mechanism::Copies) {
    const LayerRange one_layer{plan.layers.begin, plan.layers.begin + 1};
    const std::uint64_t spans_per_layer = plan.direct_shape(one_layer).spans_per_block() * slot.total_blocks;
    blocks = std::min(blocks, kOperationsPerSlice / plan.direct_shape(plan.layers).spans_per_block());
    layers = std::min(layers, kOperationsPerSlice / spans_per_layer);
  }
  if (plan.mechanism == Mechanism::Staged) {  // whole batches
    blocks = (std::max<std::uint64_t>(blocks, 1) + plan.batch.blocks - 1) / plan.batch.blocks * plan.batch.blocks;
  }
  slot.pairs_per_slice = clamped(blocks);
  slot.layers_per_slice = clamped(layers);
}

void Link::submit(TransferSlot& slot) {
  const bool is_large = slot.bytes_left > bytes_in_flight_max_ / TransferSlot::kSlices;
  {
    const MutexLock lock(mutex_);
    waiting_[static_cast<std::size_t>(slot.priority)].push(slot);
    if (is_large) {  // waking its lane's thread takes less than enqueueing a slice, and nothing beside the transfer
      lane(slot.priority).has_news = true;
      lane(slot.priority).arrived.notify_one();
      return;
    }
  }
  dispatch(1);
}

bool Link::force(TransferSlot& slot) {
  const bool ordered = enqueue_all(slot);
  dispatch(1);  // of what came meanwhile
  return ordered;
}

bool Link::cancel(TransferSlot& slot) {
  TransferError error = cancelled_error();
  bool ends = false;
  {
    const MutexLock lock(mutex_);
    if (slot.enqueued || slot.cursor == slot.finish()) return slot.cancelled;
    slot.cancelled = true;
    abandon(slot, std::move(error));
    ends = slot.slices_in_flight == 0;  // else its lane ends it, behind the last slice
  }
  if (ends) core_.settle(core_.end(slot));
  dispatch(1);  // of what waited behind it
  return true;
}

bool Link::enqueue_all(TransferSlot& slot) {
  const MutexLock lock(mutex_);
  if (!slot.enqueued && !slot.forced) {
    slot.forced = true;
    if (waiting_[static_cast<std::size_t>(slot.priority)].remove(slot)) forced_.push(slot);
  }
  while (!slot.enqueued) {
    if (dispatching_) {
      dispatched_.wait(mutex_);
      continue;
    }
    dispatching_ = true;
    if (Slice* const slice = next_slice()) enqueue_next(*slice);
    dispatching_ = false;
    dispatched_.notify_all();
  }
  return !slot.error && slot.last_slice != nullptr && slot.last_slice->recorded;
}

void Link::dispatch(std::uint32_t slices_max) {
  const MutexLock lock(mutex_);
  if (dispatching_) return;
  dispatching_ = true;
  for (std::uint32_t enqueued = 0; enqueued < slices_max || nothing_in_flight(); ++enqueued) {
    Slice* const slice = next_slice();
    if (slice == nullptr) break;
    enqueue_next(*slice);
  }
  dispatching_ = false;
  dispatched_.notify_all();
}

Slice* Link::next_slice() noexcept {
  if (forced_.front() != nullptr) return cut(*forced_.front(), true);
  TransferSlot* const urgent = waiting_[static_cast<std::size_t>(TransferPriority::OnDemand)].front();
  TransferSlot* const other = waiting_[static_cast<std::size_t>(TransferPriority::WriteBehind)].front();
  if (urgent != nullptr) {
    if (Slice* const slice = cut(*urgent, false)) return slice;
  }
  if (other == nullptr) return nullptr;
  // OnDemand transfers under way may wait for work that waits for the other; its first slice needs no room.
  const bool let_through = may_be_held_ && in_flight_of(other->priority) == 0;
  if (urgent != nullptr && !let_through) return nullptr;  // nobody takes the room that it waits for
  return cut(*other, let_through);
}

Slice* Link::cut(TransferSlot& slot, bool beyond_budget) noexcept {
  const auto free = slot.forced ? &slot.slices.back()
                                : std::find_if(slot.slices.begin(), slot.slices.end() - 1,
                                               [](const Slice& slice) { return !slice.in_flight; });
  if (!slot.forced && free == slot.slices.end() - 1) return nullptr;
  Cursor end = slot.finish();
  std::uint64_t bytes = slot.bytes_left;
  if (!slot.forced && slot.layerwise()) {
    const std::uint32_t layers = std::min(slot.layers_per_slice, slot.plan.layers.end - slot.cursor.layer);
    bytes = layers * slot.plan.layer_bytes() * slot.total_blocks;
    if (slot.cursor.layer + layers != slot.plan.layers.end) end = {slot.cursor.layer + layers, &slot, 0};
  } else if (!slot.forced) {
    std::uint64_t pairs = 0;
    std::tie(end, pairs) = advanced(slot, slot.cursor, slot.pairs_per_slice);
    bytes = pairs * slot.plan.block_bytes();
  }
  if (!beyond_budget && bytes_in_flight_ != 0 && bytes_in_flight_ + bytes > bytes_in_flight_max_) return nullptr;

  Slice& slice = *free;
  slice.begin = std::exchange(slot.cursor, end);
  slice.end = end;
  slice.bytes = bytes;
  slice.in_flight = true;
  slot.bytes_left -= bytes;
  ++slot.slices_in_flight;
  ++in_flight_of(slot.priority);
  if (slot.priority == TransferPriority::OnDemand) may_be_held_ = slot.has_dependency;
  bytes_in_flight_ += bytes;
  if (end == slot.finish()) remove_waiting(slot);
  return &slice;
}

void Link::remove_waiting(TransferSlot& slot) noexcept {
  if (!forced_.remove(slot)) waiting_[static_cast<std::size_t>(slot.priority)].remove(slot);
}

void Link::abandon(TransferSlot& slot, TransferError error) {
  if (!slot.error) slot.error = std::move(error);
  remove_waiting(slot);
  slot.cursor = slot.finish();
  slot.enqueued = true;
}

void Link::enqueue_next(Slice& slice) {
  mutex_.unlock();
  std::optional<TransferError> error = enqueue(slice);
  mutex_.lock();
  enqueued(slice, std::move(error));
}

std::optional<TransferError> Link::enqueue(Slice& slice) {
  KVBM_NVTX_RANGE("kvbm.enqueue", NvtxCategory::None, slice.bytes);
  const StreamView stream = lane(slice.slot->priority).stream.view();
  slice.recorded = false;
  if (slice.begin == slice.slot->start()) core_.mark_submitted(*slice.slot);
  try {
    enqueuer_.enqueue(slice, stream);
    if (!enqueuer_.batches_were_taken()) slice.slot->batches_taken = false;
    enqueuer_.record(slice, stream);
    slice.recorded = true;
    return std::nullopt;
  } catch (const std::exception& error) {  // of the device, or of memory for a call
    return transfer_failed(slice, text_of(error).c_str());
  }
}

void Link::enqueued(Slice& slice, std::optional<TransferError> error) {
  TransferSlot& slot = *slice.slot;
  slot.last_slice = &slice;
  if (error) {
    abandon(slot, std::move(*error));
  } else if (slot.cursor == slot.finish()) {
    slot.enqueued = true;
  }
  SliceQueue& queue = under_way_[static_cast<std::size_t>(slot.priority)];
  slice.next = nullptr;
  (queue.last == nullptr ? queue.first : queue.last->next) = &slice;
  queue.last = &slice;
  lane(slot.priority).arrived.notify_one();
}

void Link::run(TransferPriority priority) {
  on_transfer_thread = true;
  KVBM_NVTX_THREAD("kvbm.transfer");
  const StreamView stream = lane(priority).stream.view();
  while (true) {
    mutex_.lock();
    Slice* const slice = arrived(priority);
    if (slice == nullptr && ending_) return mutex_.unlock();
    // A submit that enqueues something holds this up for one slice, then leaves the rest to it.
    while (dispatching_) dispatched_.wait(mutex_);
    mutex_.unlock();
    dispatch(kSlicesPerDispatch);
    if (slice == nullptr) continue;
    std::optional<std::string> failure = await(*slice, stream);
    mutex_.lock();
    const bool ended = finished(*slice, std::move(failure));
    mutex_.unlock();
    // Waiters first, then the device, then whoever wants to be called.
    PooledState* const state = ended ? &core_.end(*slice->slot) : nullptr;
    dispatch(kSlicesPerDispatch);
    if (state != nullptr) core_.settle(*state);
  }
}

Slice* Link::arrived(TransferPriority priority) {
  SliceQueue& queue = under_way_[static_cast<std::size_t>(priority)];
  Lane& its_lane = lane(priority);
  while (queue.first == nullptr && !its_lane.has_news && !ending_) its_lane.arrived.wait(mutex_);
  its_lane.has_news = false;
  Slice* const slice = queue.first;
  if (slice != nullptr) queue.first = slice->next;
  if (queue.first == nullptr) queue.last = nullptr;
  return slice;
}

bool Link::finished(Slice& slice, std::optional<std::string> failure) {
  TransferSlot& slot = *slice.slot;
  bytes_in_flight_ -= slice.bytes;
  --in_flight_of(slot.priority);
  --slot.slices_in_flight;
  slice.in_flight = false;
  if (failure) abandon(slot, transfer_failed(slice, failure->c_str()));
  return slot.enqueued && slot.slices_in_flight == 0;
}

std::optional<std::string> Link::await(const Slice& slice, StreamView stream) {
  if (slice.recorded) {
    try {
      device_->synchronize(slice.event.view());
      return std::nullopt;
    } catch (const DeviceError& error) {
      if (error.kind() == DeviceError::Kind::Broken) return text_of(error);
    }
  }
  // What is enqueued may still write. No page goes home before the streams are empty.
  return synchronize_or_break([&] { enqueuer_.synchronize(stream); });
}

}  // namespace kvbm
