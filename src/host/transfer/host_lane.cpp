#include "transfer/host_lane.hpp"

#include <deque>
#include <exception>
#include <utility>

#include "base/nvtx.hpp"
#include "kvbm/device/device_error.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "transfer/error_text.hpp"
#include "transfer/transfer_core.hpp"
#include "transfer/transfer_thread.hpp"

namespace kvbm {
namespace {

/// The CPU's hop, between a slot and pages in pageable memory, which have one order.
template <class PairAt>
void move_by_cpu(const TransferPlan& plan, const Permutation& sides, std::uint32_t count, const PairAt& pair_at) {
  if (!plan.is_cut(sides.from) && !plan.is_cut(sides.to)) {
    return copy_by_cpu(plan.shape(sides.from, sides.to, sides.layer_count), count, pair_at);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const BlockPair pair = pair_at(i);
    permute_by_cpu(plan, sides, &pair, 1);
  }
}

}  // namespace

HostLane::HostLane(TransferCore& core, const std::shared_ptr<Device>& device, const Options& options)
    : core_(core),
      device_(device),
      options_(options),
      gather_(device, StreamPriority::Normal, "kvbm.gather"),
      stream_(device, StreamPriority::Normal, "kvbm.through_pinned"),
      thread_([this] { run(); }) {}

HostLane::~HostLane() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
  }
  arrived_.notify_all();
  thread_.join();
}

void HostLane::submit(TransferSlot& slot) {
  {
    const MutexLock lock(mutex_);
    waiting_.push(slot);
  }
  arrived_.notify_one();
}

bool HostLane::cancel(TransferSlot& slot) {
  TransferError error = cancelled_error();
  {
    const MutexLock lock(mutex_);
    if (!waiting_.remove(slot)) return slot.cancelled;
    slot.cancelled = true;
  }
  slot.error = std::move(error);
  core_.settle(core_.end(slot));
  return true;
}

TransferSlot* HostLane::next() {
  const MutexLock lock(mutex_);
  while (waiting_.front() == nullptr && !ending_) arrived_.wait(mutex_);
  TransferSlot* const slot = waiting_.front();
  if (slot != nullptr) waiting_.remove(*slot);
  return slot;
}

void HostLane::run() {
  on_transfer_thread = true;
  KVBM_NVTX_THREAD("kvbm.transfer");
  while (TransferSlot* const slot = next()) {
    core_.mark_submitted(*slot);
    try {
      move(*slot);
    } catch (const std::exception& error) {  // of the device, or of memory for the ring
      Slice& whole = slot->slices.front();
      whole.begin = slot->start();
      whole.end = slot->finish();
      slot->error = transfer_failed(whole, error.what());
      // The device may still read and write the pages.
      static_cast<void>(synchronize_or_break([&] { device_->synchronize(stream_.view()); }));
    }
    core_.settle(core_.end(*slot));
  }
}

void HostLane::move(const TransferSlot& slot) {
  KVBM_NVTX_RANGE("kvbm.host_copy", NvtxCategory::None, slot.bytes_left);
  if (slot.has_dependency) device_->synchronize(slot.dependency.view());
  slot.plan.strategy.path == TransferPath::HostCopy ? move_on_host(slot) : move_through_ring(slot);
}

void HostLane::move_on_host(const TransferSlot& slot) {
  const TransferPlan& plan = slot.plan;
  const Permutation permutation{plan.source_from(plan.layers.begin), plan.target_from(plan.layers.begin),
                                plan.layers.size()};
  for (const TransferSlot* piece = &slot; piece != nullptr; piece = piece->next_piece) {
    if (plan.permutes()) {
      permute_by_cpu(plan, permutation, piece->pairs, piece->count);
    } else {
      copy_by_cpu(plan.direct_shape(plan.layers), piece->count, [&](std::uint32_t i) { return piece->pairs[i]; });
    }
  }
}

void HostLane::move_through_ring(const TransferSlot& slot) {
  if (!ring_) {
    Memory memory = allocate_pinned(device_, options_.ring_bytes);
    auto* const kernels = static_cast<std::byte*>(device_->device_address(memory.address()));
    ring_.emplace(device_, std::move(memory), kernels, options_.ring_slots);
  }
  slot.plan.strategy.direction == Direction::HostToDevice ? move_to_device(slot) : move_from_device(slot);
}

/// The device's hop, between a slot and the pages on the device.
void HostLane::enqueue_hop(const TransferSlot& piece, const TransferPlan& plan, const PageSide& staged,
                           const StagedBatch& batch) {
  const bool to_device = plan.strategy.direction == Direction::HostToDevice;
  const std::uint32_t count = batch.last - batch.first;
  const PageSide from = to_device ? staged : plan.source_from(batch.layer);
  const PageSide to = to_device ? plan.target_from(batch.layer) : staged;
  const BlockPair* const kernel_pairs = piece.device_staged_pairs + batch.first;
  if (plan.permutes()) {
    permute_by_kernel(*device_, plan, {from, to, batch.layer_count}, kernel_pairs, count, options_.kernels.permute,
                      stream_.view());
    return;
  }
  const CopyShape shape = plan.shape(from, to, batch.layer_count);
  if (shape.fragment_bytes >= MechanismTable::kEngineBytes) {
    copy_by_calls(
        *device_, shape, count, [pairs = piece.staged_pairs + batch.first](std::uint32_t i) { return pairs[i]; },
        stream_.view());
  } else {
    copy_by_kernel(*device_, shape, kernel_pairs, count, plan.bulk, options_.kernels.copy, stream_.view());
  }
}

void HostLane::move_to_device(const TransferSlot& slot) {
  const TransferPlan& plan = slot.plan;
  for (const TransferSlot* piece = &slot; piece != nullptr; piece = piece->next_piece) {
    for_each_batch(plan, plan.layers, 0, piece->count, [&](const StagedBatch& batch) {
      StagingRing::Slot& place = ring_->next();
      device_->synchronize(place.vacant.view());
      const PageSide source = plan.source_from(batch.layer);
      const PageSide staged = plan.staged(place.address, batch.layer_count);
      const BlockPair* const pairs = piece->pairs + batch.first;
      const BlockPair* const staged_pairs = piece->staged_pairs + batch.first;
      move_by_cpu(plan, {source, staged, batch.layer_count}, batch.last - batch.first, [&](std::uint32_t i) {
        return BlockPair{pairs[i].source, staged_pairs[i].source};
      });
      enqueue_hop(*piece, plan, staged, batch);
      device_->record(place.vacant.view(), stream_.view());
    });
  }
  device_->synchronize(stream_.view());
}

void HostLane::move_from_device(const TransferSlot& slot) {
  const TransferPlan& plan = slot.plan;
  struct Filled {
    StagingRing::Slot* place;
    const TransferSlot* piece;
    StagedBatch batch;
  };
  std::deque<Filled> filled;
  const auto empty_first = [&] {
    const Filled oldest = filled.front();
    filled.pop_front();
    device_->synchronize(oldest.place->full.view());
    const BlockPair* const pairs = oldest.piece->pairs + oldest.batch.first;
    const BlockPair* const staged_pairs = oldest.piece->staged_pairs + oldest.batch.first;
    const PageSide staged = plan.staged(oldest.place->address, oldest.batch.layer_count);
    const PageSide target = plan.target_from(oldest.batch.layer);
    move_by_cpu(plan, {staged, target, oldest.batch.layer_count}, oldest.batch.last - oldest.batch.first,
                [&](std::uint32_t i) {
                  return BlockPair{staged_pairs[i].target, pairs[i].target};
                });
  };
  for (const TransferSlot* piece = &slot; piece != nullptr; piece = piece->next_piece) {
    for_each_batch(plan, plan.layers, 0, piece->count, [&](const StagedBatch& batch) {
      if (filled.size() == ring_->size()) empty_first();
      StagingRing::Slot& place = ring_->next();
      enqueue_hop(*piece, plan, plan.staged(place.address, batch.layer_count), batch);
      device_->record(place.full.view(), stream_.view());
      filled.push_back({&place, piece, batch});
    });
  }
  while (!filled.empty()) empty_first();
}

}  // namespace kvbm
