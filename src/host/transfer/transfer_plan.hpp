#pragma once

#include <cstddef>
#include <cstdint>

#include "kvbm/base/result.hpp"
#include "kvbm/device/device.hpp"
#include "kvbm/transfer/transfer_request.hpp"
#include "transfer/copy_shape.hpp"
#include "transfer/mechanism_table.hpp"
#include "transfer/strategy.hpp"

namespace kvbm {

/// A part of a ring: where a batch of blocks lies between two hops.
struct StagingSlot {
  std::byte* calls = nullptr;
  std::byte* kernels = nullptr;
};

/// How a batch lies in a slot: so many layers of so many blocks.
struct StagingBatch {
  std::uint32_t layers = 0;  ///< 0: not even one layer fits
  std::uint32_t blocks = 0;
};

/// A request put into numbers: what every step of its transfer needs. Refers to the layouts' views.
///
/// Lifetime  of the two layouts.
struct TransferPlan {
  Strategy strategy;
  Mechanism mechanism;      ///< between the two sides; on the pinned ring's far side where one is used
  PageSide source, target;  ///< of whole pages
  InnerOrder source_order, target_order;
  LayerRange layers;
  std::uint32_t layers_total, outer, tokens, heads;  ///< heads: 0 if nobody named them
  std::uint64_t cell_bytes;
  StagingBatch batch;       ///< if a ring is used
  bool bulk;                ///< kernels of this transfer may be bulk copies
  InnerOrder staged_order;  ///< of the pages in the ring: that of the host's side

  [[nodiscard]] bool permutes() const noexcept { return source_order != target_order; }
  [[nodiscard]] bool uses_ring() const noexcept {
    return mechanism == Mechanism::Staged || strategy.path == TransferPath::ThroughPinned;
  }
  [[nodiscard]] std::uint64_t layer_bytes() const noexcept { return outer * cell_bytes; }
  [[nodiscard]] std::uint64_t block_bytes() const noexcept { return layers.size() * layer_bytes(); }
  /// Of one layer and head, which lie together in a universal order. Precondition: heads are known.
  [[nodiscard]] std::uint64_t head_layer_bytes() const noexcept { return layer_bytes() / heads; }
  [[nodiscard]] std::uint32_t row_bytes() const noexcept {
    return static_cast<std::uint32_t>(cell_bytes / (std::uint64_t{tokens} * heads));
  }

  /// One side with `layer` as its first. Of pages in `order`. The view's number of layers stays that of a whole page.
  [[nodiscard]] PageSide from_layer(const PageSide& side, InnerOrder order, std::uint32_t layer) const noexcept;
  /// A slot as pages of `layer_count` layers in staged_order.
  [[nodiscard]] PageSide staged(const StagingSlot& slot, std::uint32_t layer_count) const noexcept;
  /// A copy of `layer_count` layers between sides that begin with the first of them and have this order.
  [[nodiscard]] CopyShape shape(const PageSide& from, const PageSide& to, InnerOrder order,
                                std::uint32_t layer_count) const noexcept;
  /// The copy of `part` from the source to the target, which have the same order.
  [[nodiscard]] CopyShape direct_shape(LayerRange part) const noexcept;
};

/// What a planner knows of its device.
struct PlanningContext {
  const DeviceCapabilities& capabilities;
  const MechanismTable& table;
  std::size_t slot_bytes;  ///< of one slot of a staging ring; 0: there is none
};

/// Precondition: check_request found nothing.
/// Errors        NoKernel naming the orders and the width; Unsupported naming the mechanism and the kinds of memory.
[[nodiscard]] Result<TransferPlan, TransferError> plan_transfer(const TransferRequest& request,
                                                                const PlanningContext& context);

}  // namespace kvbm
