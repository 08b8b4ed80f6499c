#include "transfer/enqueuer.hpp"

#include <utility>

namespace kvbm {

Enqueuer::Enqueuer(std::shared_ptr<Device> device, Direction direction, std::optional<StagingRing> ring,
                   KernelLimits limits)
    : device_(std::move(device)), limits_(limits), batch_(std::make_unique<BatchArguments>()) {
  if (!ring) return;
  // The kernel's hop takes few instructions and must not wait for the model's; the engine ignores priorities.
  const bool kernel_is_second = direction == Direction::HostToDevice;
  const auto priority = [](bool kernel) { return kernel ? StreamPriority::High : StreamPriority::Normal; };
  ring_.emplace(Ring{std::move(*ring), Stream(device_, priority(!kernel_is_second), "kvbm.hop_1"),
                     Stream(device_, priority(kernel_is_second), "kvbm.hop_2"), Event(device_)});
}

StreamView Enqueuer::first_stream(const TransferPlan& plan, StreamView lane) const noexcept {
  return plan.mechanism == Mechanism::Staged ? ring_->first.view() : lane;
}

StreamView Enqueuer::last_stream(const TransferPlan& plan, StreamView lane) const noexcept {
  return plan.mechanism == Mechanism::Staged ? ring_->second.view() : lane;
}

void Enqueuer::enqueue(const Slice& slice, StreamView lane) {
  TransferSlot& slot = *slice.slot;
  const TransferPlan& plan = slot.plan;
  batch_->expect_all_taken();
  if (slot.has_dependency && slice.begin == slot.start()) {
    device_->wait(first_stream(plan, lane), slot.dependency.view());
  }
  if (slot.layerwise()) {
    for (std::uint32_t layer = slice.begin.layer; layer < slice.end.layer; ++layer) {
      for (const TransferSlot* piece = &slot; piece != nullptr; piece = piece->next_piece) {
        enqueue_part(*piece, plan, {layer, layer + 1}, 0, piece->count, lane);
      }
      device_->record(slot.layer_events[layer - plan.layers.begin].view(), last_stream(plan, lane));
    }
    return;
  }
  std::uint32_t first = slice.begin.pair;
  for (const TransferSlot* piece = slice.begin.piece; piece != nullptr; piece = piece->next_piece, first = 0) {
    const bool is_last = piece == slice.end.piece;
    enqueue_part(*piece, plan, plan.layers, first, is_last ? slice.end.pair : piece->count, lane);
    if (is_last) return;
  }
}

void Enqueuer::record(const Slice& slice, StreamView lane) {
  device_->record(slice.event.view(), last_stream(slice.slot->plan, lane));
}

void Enqueuer::synchronize(StreamView lane) {
  device_->synchronize(lane);
  if (!ring_) return;
  device_->synchronize(ring_->first.view());
  device_->synchronize(ring_->second.view());
}

template <class PairAt>
void Enqueuer::copy_spans(const CopyShape& shape, std::uint32_t count, const PairAt& pair_at, StreamView stream) {
  if (device_->capabilities().batched_copy && count * shape.spans_per_block() > 1) {
    copy_by_batches(*device_, *batch_, shape, count, pair_at, stream);
  } else {
    copy_by_calls(*device_, shape, count, pair_at, stream);
  }
}

void Enqueuer::enqueue_part(const TransferSlot& piece, const TransferPlan& plan, LayerRange part, std::uint32_t first,
                            std::uint32_t last, StreamView lane) {
  if (first == last) return;
  if (plan.mechanism == Mechanism::Staged) return enqueue_staged(piece, plan, part, first, last);
  const std::uint32_t count = last - first;
  if (plan.mechanism == Mechanism::PermuteKernel) {
    const Permutation permutation{plan.source_from(part.begin), plan.target_from(part.begin), part.size()};
    return permute_by_kernel(*device_, plan, permutation, piece.device_pairs + first, count, limits_.permute, lane);
  }
  const CopyShape shape = plan.direct_shape(part);
  const auto pair_at = [pairs = piece.pairs + first](std::uint32_t i) { return pairs[i]; };
  switch (plan.mechanism) {
    case Mechanism::Copies:
      return copy_by_calls(*device_, shape, count, pair_at, lane);
    case Mechanism::BatchedCopy:
      return copy_by_batches(*device_, *batch_, shape, count, pair_at, lane);
    default:
      return copy_by_kernel(*device_, shape, piece.device_pairs + first, count,
                            plan.mechanism == Mechanism::BulkCopyKernel, limits_.copy, lane);
  }
}

void Enqueuer::enqueue_staged(const TransferSlot& piece, const TransferPlan& plan, LayerRange part, std::uint32_t first,
                              std::uint32_t last) {
  if (ring_->uncertain) {
    device_->record(ring_->join.view(), ring_->second.view());
    device_->wait(ring_->first.view(), ring_->join.view());
  }
  ring_->uncertain = true;  // until all calls below have gone well
  for_each_batch(plan, part, first, last, [&](const StagedBatch& batch) {
    plan.strategy.direction == Direction::HostToDevice ? enqueue_from_host(piece, plan, batch)
                                                       : enqueue_to_host(piece, plan, batch);
  });
  ring_->uncertain = false;
}

void Enqueuer::enqueue_from_host(const TransferSlot& piece, const TransferPlan& plan, const StagedBatch& batch) {
  StagingRing::Slot& slot = ring_->slots.next();
  const std::uint32_t count = batch.last - batch.first;
  const PageSide source = plan.source_from(batch.layer);
  const PageSide staged = plan.staged(slot.address, batch.layer_count);
  const PageSide target = plan.target_from(batch.layer);
  const BlockPair* const pairs = piece.pairs + batch.first;
  const BlockPair* const staged_pairs = piece.staged_pairs + batch.first;
  const StreamView first = ring_->first.view();
  const StreamView second = ring_->second.view();

  device_->wait(first, slot.vacant.view());
  copy_spans(
      plan.shape(source, staged, batch.layer_count), count,
      [&](std::uint32_t i) {
        return BlockPair{pairs[i].source, staged_pairs[i].source};
      },
      first);
  device_->record(slot.full.view(), first);
  device_->wait(second, slot.full.view());
  const BlockPair* const kernel_pairs = piece.device_staged_pairs + batch.first;
  if (plan.permutes()) {
    permute_by_kernel(*device_, plan, {staged, target, batch.layer_count}, kernel_pairs, count, limits_.hop, second);
  } else {
    copy_by_kernel(*device_, plan.shape(staged, target, batch.layer_count), kernel_pairs, count, plan.bulk, limits_.hop,
                   second);
  }
  device_->record(slot.vacant.view(), second);
}

void Enqueuer::enqueue_to_host(const TransferSlot& piece, const TransferPlan& plan, const StagedBatch& batch) {
  StagingRing::Slot& slot = ring_->slots.next();
  const std::uint32_t count = batch.last - batch.first;
  const PageSide source = plan.source_from(batch.layer);
  const PageSide staged = plan.staged(slot.address, batch.layer_count);
  const PageSide target = plan.target_from(batch.layer);
  const BlockPair* const pairs = piece.pairs + batch.first;
  const BlockPair* const staged_pairs = piece.staged_pairs + batch.first;
  const BlockPair* const kernel_pairs = piece.device_staged_pairs + batch.first;
  const StreamView first = ring_->first.view();
  const StreamView second = ring_->second.view();

  device_->wait(first, slot.vacant.view());
  if (plan.permutes()) {
    permute_by_kernel(*device_, plan, {source, staged, batch.layer_count}, kernel_pairs, count, limits_.hop, first);
  } else {
    copy_by_kernel(*device_, plan.shape(source, staged, batch.layer_count), kernel_pairs, count, plan.bulk, limits_.hop,
                   first);
  }
  device_->record(slot.full.view(), first);
  device_->wait(second, slot.full.view());
  copy_spans(
      plan.shape(staged, target, batch.layer_count), count,
      [&](std::uint32_t i) {
        return BlockPair{staged_pairs[i].target, pairs[i].target};
      },
      second);
  device_->record(slot.vacant.view(), second);
}

}  // namespace kvbm
