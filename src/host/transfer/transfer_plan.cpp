#include "transfer/transfer_plan.hpp"

#include <algorithm>
#include <string>

#include "kvbm/layout/inner_order.hpp"
#include "transfer/check_request.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;
using Checked = Result<void, TransferError>;

struct Orders {
  InnerOrder source;
  InnerOrder target;
};

Result<InnerOrder, TransferError> order_of(const char* side, const BlockLayout& layout,
                                           const std::optional<InnerOrder>& wanted) {
  const InnerOrder declared = layout.config().order;
  if (!wanted || *wanted == declared) return declared;
  if (layout.kind() == LayoutKind::FullyContiguous) return *wanted;
  return refuse(Code::Unsupported,
                "the order of the " + std::string(side) + " can be overridden in a fully contiguous layout only");
}

bool by_heads(InnerOrder order) noexcept { return order == InnerOrder::UniversalTp; }

Checked check_permutation(const LayoutConfig& source, const LayoutConfig& target, Orders orders) {
  if (!transform_between(orders.source, orders.target)) {
    return refuse(Code::NoKernel, no_transform_text(orders.source, orders.target, source.element_bytes));
  }
  if (!requires_transform(orders.source, orders.target) && !by_heads(orders.source)) return {};
  const std::optional<std::uint32_t> heads = source.heads ? source.heads : target.heads;
  if (!heads || *heads == 0 || source.inner % *heads != 0) {
    return refuse(Code::ShapeMismatch, "from order " + std::string(to_text(orders.source)) + " to " +
                                           std::string(to_text(orders.target)) +
                                           " takes a number of heads, which divides inner");
  }
  if (source.tokens == target.tokens && source.inner == target.inner) return {};
  return refuse(Code::ShapeMismatch, "tokens or inner differ, and the orders differ or are by heads");
}

bool multiple_of_16(const PageView& view, std::uint32_t layers) noexcept {
  constexpr std::uintptr_t kWord = 16;
  if (((view.block_stride | view.layer_stride | view.outer_stride) % kWord) != 0) return false;
  if (view.layer_bases == nullptr) return reinterpret_cast<std::uintptr_t>(view.base) % kWord == 0;
  return std::all_of(view.layer_bases, view.layer_bases + layers,
                     [](const std::byte* base) { return reinterpret_cast<std::uintptr_t>(base) % kWord == 0; });
}

/// Whether bulk copies, which go by 16 bytes, can do all of it.
bool bulk_possible(const TransferPlan& plan, const DeviceCapabilities& capabilities) noexcept {
  const bool heads_fit = !by_heads(plan.source_order) || plan.head_layer_bytes() % 16 == 0;
  return capabilities.bulk_copy && !plan.permutes() && heads_fit && plan.cell_bytes % 16 == 0 &&
         multiple_of_16(plan.source.calls, plan.layers_total) && multiple_of_16(plan.target.calls, plan.layers_total);
}

StagingBatch batch_for(const TransferPlan& plan, std::size_t slot_bytes, bool layerwise) noexcept {
  const std::uint64_t layers_that_fit = slot_bytes / plan.layer_bytes();
  StagingBatch batch;
  batch.layers = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(layers_that_fit, layerwise ? 1 : std::max<std::uint32_t>(plan.layers.size(), 1)));
  if (batch.layers != 0) {
    batch.blocks = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(slot_bytes / (batch.layers * plan.layer_bytes()), UINT32_MAX));
  }
  return batch;
}

bool can_stage(const TransferPlan& plan) noexcept {
  return plan.strategy.direction != Direction::DeviceToDevice && plan.batch.layers != 0;
}

/// Whether the link carries a block, or what fits a slot of it, in one piece on its way through a ring, and would not
/// without one.
bool worth_staging(const TransferPlan& plan) noexcept {
  if (plan.batch.layers == 0) return false;
  if (!plan.permutes() && plan.direct_shape(plan.layers).spans_per_block() == 1) return false;
  const bool from_host = plan.strategy.direction == Direction::HostToDevice;
  const InnerOrder order = from_host ? plan.source_order : plan.target_order;
  const PageSide host = plan.from_layer(from_host ? plan.source : plan.target, order, plan.layers.begin);
  return plan.shape(host, plan.staged({}, plan.batch.layers), order, plan.batch.layers).spans_per_block() == 1;
}

MechanismSet possible_on_device(const TransferPlan& plan, const PlanningContext& context) noexcept {
  MechanismSet set;
  const bool kernels_only = plan.strategy.path == TransferPath::KernelsOnly;
  if (plan.permutes()) {
    set.insert(Mechanism::PermuteKernel);
  } else {
    set.insert(Mechanism::CopyKernel);
    if (plan.bulk) set.insert(Mechanism::BulkCopyKernel);
    if (!kernels_only) set.insert(Mechanism::Copies);
    if (!kernels_only && context.capabilities.batched_copy) set.insert(Mechanism::BatchedCopy);
  }
  if (!kernels_only && can_stage(plan)) set.insert(Mechanism::Staged);
  return set;
}

MechanismSet possible_for(const TransferPlan& plan, const PlanningContext& context) noexcept {
  switch (plan.strategy.path) {
    case TransferPath::HostCopy:
      return {plan.permutes() ? Mechanism::PermuteKernel : Mechanism::HostCopy};
    case TransferPath::ThroughPinned:
      return plan.batch.layers != 0 ? MechanismSet{Mechanism::Staged} : MechanismSet{};
    default:
      return possible_on_device(plan, context);
  }
}

Mechanism fastest(const TransferPlan& plan, const TransferRequest& request, const PlanningContext& context,
                  MechanismSet possible) {
  if (plan.strategy.path == TransferPath::ThroughPinned) return Mechanism::Staged;
  if (!worth_staging(plan)) possible.erase(Mechanism::Staged);
  if (plan.strategy.path == TransferPath::HostCopy || plan.permutes()) {
    if (possible.contains(Mechanism::Staged)) return Mechanism::Staged;  // the link carries whole spans
    return plan.permutes() ? Mechanism::PermuteKernel : Mechanism::HostCopy;
  }
  const CopyShape shape = plan.direct_shape(plan.layers);
  const auto blocks = static_cast<std::uint32_t>(request.blocks.size());
  const std::uint64_t spans = count_spans(shape, blocks, [&](std::uint32_t i) { return request.blocks[i]; });
  if (spans == 0) return Mechanism::CopyKernel;  // of a set that has it always
  const std::uint64_t mean_bytes = blocks * plan.block_bytes() / spans;
  return context.table.choose(plan.strategy.direction, mean_bytes, spans, possible);
}

Result<Mechanism, TransferError> choose_mechanism(const TransferPlan& plan, const TransferRequest& request,
                                                  const PlanningContext& context) {
  const MechanismSet possible = possible_for(plan, context);
  const auto between = [&] {
    return std::string(" from ") + name_of(request.source->memory_kind()) + " to " +
           name_of(request.target->memory_kind());
  };
  if (request.mechanism) {
    if (possible.contains(*request.mechanism)) return *request.mechanism;
    return refuse(Code::Unsupported, std::string(to_text(*request.mechanism)) + " cannot move these pages" + between());
  }
  if (plan.strategy.path == TransferPath::ThroughPinned && !possible.contains(Mechanism::Staged)) {
    return refuse(Code::Unsupported, "a layer of a page does not fit a slot of the staging ring," + between());
  }
  return fastest(plan, request, context, possible);
}

/// Pinned memory may be registered in pieces. No page lies in two, but neighbours may, and a device refuses a copy that
/// does.
PageSide side_of(const BlockLayout& layout) noexcept {
  return {layout.host_view(), layout.device_view(), layout.memory_kind() != MemoryKind::Pinned};
}

}  // namespace

PageSide TransferPlan::from_layer(const PageSide& side, InnerOrder order, std::uint32_t layer) const noexcept {
  PageSide moved = side;
  for (PageView* view : {&moved.calls, &moved.kernels}) {
    if (view->layer_bases != nullptr) {
      view->layer_bases += layer;
    } else {
      view->base += layer * (by_heads(order) ? head_layer_bytes() : view->layer_stride);
    }
  }
  return moved;
}

PageSide TransferPlan::staged(const StagingSlot& slot, std::uint32_t layer_count) const noexcept {
  PageView view{.base = slot.calls,
                .layer_bases = nullptr,
                .block_stride = layer_count * layer_bytes(),
                .layer_stride = layer_bytes(),
                .outer_stride = cell_bytes,
                .cell_bytes = cell_bytes,
                .layers = layer_count,
                .outer = outer};
  PageSide side{view, view, true};
  side.kernels.base = slot.kernels;
  return side;
}

CopyShape TransferPlan::shape(const PageSide& from, const PageSide& to, InnerOrder order,
                              std::uint32_t layer_count) const noexcept {
  if (!by_heads(order) || layer_count == layers_total) return fold(from, to, {layer_count, outer, cell_bytes});
  // Of each head, these layers lie together: heads take the place of layers.
  const auto by_head = [&](PageSide side) {
    for (PageView* view : {&side.calls, &side.kernels}) {
      view->layer_stride = view->layers * head_layer_bytes();
      view->layers = heads;
      view->outer = 1;
      view->cell_bytes = layer_count * head_layer_bytes();
    }
    return side;
  };
  return fold(by_head(from), by_head(to), {heads, 1, layer_count * head_layer_bytes()});
}

CopyShape TransferPlan::direct_shape(LayerRange part) const noexcept {
  return shape(from_layer(source, source_order, part.begin), from_layer(target, target_order, part.begin), source_order,
               part.size());
}

Result<TransferPlan, TransferError> plan_transfer(const TransferRequest& request, const PlanningContext& context) {
  const BlockLayout& source = *request.source;
  const BlockLayout& target = *request.target;
  auto source_order = order_of("source", source, request.source_order);
  if (!source_order) return fail(std::move(source_order).error());
  auto target_order = order_of("target", target, request.target_order);
  if (!target_order) return fail(std::move(target_order).error());
  const Orders orders{*source_order, *target_order};
  const LayoutConfig& config = source.config();
  if (auto checked = check_permutation(config, target.config(), orders); !checked) return fail(checked.error());

  TransferPlan plan{.strategy = strategy_between(source.memory_kind(), target.memory_kind(), context.capabilities),
                    .mechanism = {},
                    .source = side_of(source),
                    .target = side_of(target),
                    .source_order = orders.source,
                    .target_order = orders.target,
                    .layers = layers_of(request),
                    .layers_total = config.layers,
                    .outer = config.outer,
                    .tokens = config.tokens,
                    .heads = config.heads.value_or(target.config().heads.value_or(0)),
                    .cell_bytes = config.cell_bytes(),
                    .batch = {},
                    .bulk = false,
                    .staged_order = {}};
  plan.bulk = bulk_possible(plan, context.capabilities);
  plan.batch = batch_for(plan, context.slot_bytes, request.layer_events);
  plan.staged_order = plan.strategy.direction == Direction::HostToDevice ? orders.source : orders.target;
  auto mechanism = choose_mechanism(plan, request, context);
  if (!mechanism) return fail(std::move(mechanism).error());
  plan.mechanism = *mechanism;
  return plan;
}

}  // namespace kvbm
