#include "transfer/peer_copy.hpp"

#include <string>

#include "kvbm/layout/inner_order.hpp"
#include "transfer/transfer_box.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;
using Checked = Result<void, TransferError>;

bool is_peers(const BlockLayout& layout, const Device* device) noexcept {
  return layout.memory_kind() == MemoryKind::Device && layout.device().get() != device;
}

Checked check_sides(const TransferRequest& request, const Device* device) {
  const bool from_peer = is_peers(*request.source, device);
  const BlockLayout& other = from_peer ? *request.target : *request.source;
  if (other.memory_kind() == MemoryKind::Device && other.device().get() == device) return {};
  return refuse(Code::Unsupported, std::string("the ") + (from_peer ? "source" : "target") +
                                       " is memory of another device, so that the " +
                                       (from_peer ? "target" : "source") + " must be memory of the engine's, not " +
                                       name_of(other.memory_kind()) + " memory");
}

Checked check_orders(const TransferRequest& request) {
  const TransferOrders orders = orders_of(request);
  if (orders.source == orders.target) return {};
  return refuse(Code::Unsupported, "from order " + std::string(to_text(orders.source)) + " to " +
                                       std::string(to_text(orders.target)) +
                                       ": pages are not permuted on their way to another device");
}

Checked check_mechanism(const std::optional<Mechanism>& mechanism) {
  if (!mechanism || *mechanism == Mechanism::Copies || *mechanism == Mechanism::BatchedCopy) return {};
  return refuse(Code::Unsupported,
                std::string(to_text(*mechanism)) + " cannot move pages between two devices: copy calls can");
}

/// Asks for copy calls while it lives.
class Asking {
 public:
  explicit Asking(TransferRequest& request) noexcept : request_(request), before_(request.mechanism) {
    if (!before_) request.mechanism = Mechanism::Copies;
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  ~Asking() { request_.mechanism = before_; }

 private:
  TransferRequest& request_;
  const std::optional<Mechanism> before_;
};

}  // namespace

bool reaches_peer(const TransferRequest& request, const Device* device) noexcept {
  return is_peers(*request.source, device) || is_peers(*request.target, device);
}

Result<TransferPlan, TransferError> plan_peer_copy(TransferRequest& request, const Device* device,
                                                   const PlanningContext& context) {
  if (auto checked = check_sides(request, device); !checked) return fail(std::move(checked).error());
  if (auto checked = check_orders(request); !checked) return fail(std::move(checked).error());
  if (auto checked = check_mechanism(request.mechanism); !checked) return fail(std::move(checked).error());
  const Asking asking(request);
  return plan_transfer(request, context);
}

}  // namespace kvbm
