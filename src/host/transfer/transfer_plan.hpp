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
  Mechanism mechanism;         ///< between the two sides; on the pinned ring's far side where one is used
  PageSide source, target;     ///< of whole pages
  LayerRange layers;           ///< as the target counts them
  std::uint32_t source_layer;  ///< the first, as the source counts
  std::uint32_t outer;         ///< that move
  kernels::RowGrid rows;       ///< that move, of each (layer, outer)
  StagingBatch batch;          ///< if a ring is used
  bool bulk;                   ///< kernels of this transfer may be bulk copies
  InnerOrder staged_order;     ///< of the pages in the ring: that of the host's side

  /// Whether less than whole layers of a side moves.
  [[nodiscard]] bool is_cut(const PageSide& side) const noexcept {
    return side.start != 0 || side.rows != rows || side.calls.outer != outer;
  }
  /// Whether rows change places: what moves is not the same bytes of both sides' layers.
  [[nodiscard]] bool permutes() const noexcept {
    return source.order != target.order || is_cut(source) || is_cut(target);
  }
  [[nodiscard]] bool uses_ring() const noexcept {
    return mechanism == Mechanism::Staged || strategy.path == TransferPath::ThroughPinned;
  }
  /// Of what moves.
  [[nodiscard]] std::uint64_t cell_bytes() const noexcept {
    return std::uint64_t{rows.tokens} * rows.heads * rows.row_bytes;
  }
  [[nodiscard]] std::uint64_t layer_bytes() const noexcept { return outer * cell_bytes(); }
  [[nodiscard]] std::uint64_t block_bytes() const noexcept { return layers.size() * layer_bytes(); }
  /// Spans that a layer of a page in `order` is made of: as many as what is slower than layers has indices. Of uncut
  /// pages.
  [[nodiscard]] std::uint64_t layer_runs(InnerOrder order) const noexcept;

  /// A side from that layer on, as the target counts. The view's number of layers stays that of a whole page.
  [[nodiscard]] PageSide source_from(std::uint32_t layer) const noexcept;
  [[nodiscard]] PageSide target_from(std::uint32_t layer) const noexcept;
  /// A slot as pages of `layer_count` layers in staged_order.
  [[nodiscard]] PageSide staged(const StagingSlot& slot, std::uint32_t layer_count) const noexcept;
  /// A copy of `layer_count` layers between sides that begin with the first of them, have the same order and are uncut.
  [[nodiscard]] CopyShape shape(const PageSide& from, const PageSide& to, std::uint32_t layer_count) const noexcept;
  /// The copy of `part` from the source to the target, which have the same order and are uncut.
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
