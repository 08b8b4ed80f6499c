#pragma once

#include "kvbm/base/result.hpp"
#include "kvbm/device/device.hpp"
#include "kvbm/transfer/transfer_request.hpp"
#include "transfer/transfer_plan.hpp"

namespace kvbm {

/// Whether copy calls of the one reach memory of the other, and streams of the one may wait for events of the other:
/// GPUs all, by unified addressing, and emulated devices all.
[[nodiscard]] inline bool are_peers(const Device& one, const Device& other) noexcept {
  return one.capabilities().emulated == other.capabilities().emulated;
}

/// Whether one side of the request is device memory of another device than the engine's.
[[nodiscard]] bool reaches_peer(const TransferRequest& request, const Device* device) noexcept;

/// As plan_transfer, for a request that reaches_peer. Only copy calls move its pages: whether kernels reach the other
/// device is not known. They go one by one, since no one has measured batches between devices, unless BatchedCopy is
/// asked for.
///
/// Errors  Unsupported too: naming the side, if the other one is not the engine's device memory; naming the orders, if
///         they differ; naming the mechanism, if it is no copy call.
[[nodiscard]] Result<TransferPlan, TransferError> plan_peer_copy(TransferRequest& request, const Device* device,
                                                                 const PlanningContext& context);

}  // namespace kvbm
