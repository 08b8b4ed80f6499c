#pragma once

#include <memory>
#include <optional>

#include "kvbm/device/stream_owner.hpp"
#include "transfer/device_copies.hpp"
#include "transfer/staging_ring.hpp"
#include "transfer/transfer_slot.hpp"

namespace kvbm {

/// Turns slices into calls of the device, for one direction.
///
/// Threads  one at a time, but for synchronize().
/// Cost     no allocation, no waiting for the device.
class Enqueuer {
 public:
  /// A ring if there is one, and the limits of kernels.
  Enqueuer(std::shared_ptr<Device> device, Direction direction, std::optional<StagingRing> ring, KernelLimits limits);

  /// Errors  DeviceError: part of the slice may be enqueued, and only synchronize() tells when that is over.
  void enqueue(const Slice& slice, StreamView lane);
  /// Whether the driver has taken the batches of that slice as such.
  [[nodiscard]] bool batches_were_taken() const noexcept { return batch_->all_taken(); }
  /// Records the slice's event behind everything that enqueue() enqueued. Errors  DeviceError.
  void record(const Slice& slice, StreamView lane);
  /// Blocks until all that was enqueued for a lane has run. Errors  DeviceError.
  void synchronize(StreamView lane);

 private:
  struct Ring {
    StagingRing slots;
    Stream first;   // hop 1
    Stream second;  // hop 2
    Event join;
    bool uncertain = false;  // a slot may be in use although its events do not say so
  };

  void enqueue_part(const TransferSlot& piece, const TransferPlan& plan, LayerRange part, std::uint32_t first,
                    std::uint32_t last, StreamView lane);
  void enqueue_staged(const TransferSlot& piece, const TransferPlan& plan, LayerRange part, std::uint32_t first,
                      std::uint32_t last);
  void enqueue_from_host(const TransferSlot& piece, const TransferPlan& plan, const StagedBatch& batch);
  void enqueue_to_host(const TransferSlot& piece, const TransferPlan& plan, const StagedBatch& batch);
  template <class PairAt>
  void copy_spans(const CopyShape& shape, std::uint32_t count, const PairAt& pair_at, StreamView stream);
  [[nodiscard]] StreamView first_stream(const TransferPlan& plan, StreamView lane) const noexcept;
  [[nodiscard]] StreamView last_stream(const TransferPlan& plan, StreamView lane) const noexcept;

  const std::shared_ptr<Device> device_;
  const KernelLimits limits_;
  const std::unique_ptr<BatchArguments> batch_;
  std::optional<Ring> ring_;
};

}  // namespace kvbm
