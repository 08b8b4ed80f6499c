#include "transfer/transfer_plan.hpp"

#include <algorithm>
#include <string>

#include "kvbm/layout/inner_order.hpp"
#include "transfer/transfer_box.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;
using Checked = Result<void, TransferError>;

Checked check_override(const char* side, const BlockLayout& layout, InnerOrder order) {
  if (order == layout.config().order || layout.kind() == LayoutKind::FullyContiguous) return {};
  return refuse(Code::Unsupported,
                "the order of the " + std::string(side) + " can be overridden in a fully contiguous layout only");
}

/// Extents of axes that both sides have were compared already if there are slices.
Checked check_permutation(const TransferRequest& request, TransferOrders orders) {
  const LayoutConfig& source = request.source->config();
  const LayoutConfig& target = request.target->config();
  if (!transform_between(orders.source, orders.target)) {
    return refuse(Code::NoKernel, no_transform_text(orders.source, orders.target, source.element_bytes));
  }
  if (!requires_transform(orders.source, orders.target) && is_made_of_cells(orders.source)) return {};
  const std::optional<std::uint32_t> heads = source.heads ? source.heads : target.heads;
  if (!heads || *heads == 0 || source.inner % *heads != 0) {
    return refuse(Code::ShapeMismatch, "from order " + std::string(to_text(orders.source)) + " to " +
                                           std::string(to_text(orders.target)) +
                                           " takes a number of heads, which divides inner");
  }
  if (!request.slices.empty() && source.heads && target.heads) return {};
  if (source.tokens == target.tokens && source.inner == target.inner) return {};
  return refuse(Code::ShapeMismatch, "tokens or inner differ, and the orders differ or are not by cells");
}

bool multiple_of_16(const PageView& view) noexcept {
  constexpr std::uintptr_t kWord = 16;
  if (((view.block_stride | view.layer_stride | view.outer_stride) % kWord) != 0) return false;
  if (view.layer_bases == nullptr) return reinterpret_cast<std::uintptr_t>(view.base) % kWord == 0;
  return std::all_of(view.layer_bases, view.layer_bases + view.layers,
                     [](const std::byte* base) { return reinterpret_cast<std::uintptr_t>(base) % kWord == 0; });
}

/// Whether bulk copies, which go by 16 bytes, can do all of it.
bool bulk_possible(const TransferPlan& plan, const DeviceCapabilities& capabilities) noexcept {
  const std::uint64_t run_bytes = plan.layer_bytes() / plan.layer_runs(plan.source.order);
  return capabilities.bulk_copy && !plan.permutes() && run_bytes % 16 == 0 && plan.cell_bytes() % 16 == 0 &&
         multiple_of_16(plan.source.calls) && multiple_of_16(plan.target.calls);
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

/// The side that the link's other end is, of a transfer over it.
const PageSide& host_side(const TransferPlan& plan) noexcept {
  return plan.strategy.direction == Direction::HostToDevice ? plan.source : plan.target;
}

/// Copy calls between a ring and the host's pages take spans that these are made of.
bool can_stage(const TransferPlan& plan) noexcept {
  return plan.strategy.direction != Direction::DeviceToDevice && plan.batch.layers != 0 &&
         !plan.is_cut(host_side(plan));
}

/// Whether the link carries a block, or what fits a slot of it, in one piece on its way through a ring, and would not
/// without one.
bool worth_staging(const TransferPlan& plan) noexcept {
  if (!can_stage(plan)) return false;
  if (!plan.permutes() && plan.direct_shape(plan.layers).spans_per_block() == 1) return false;
  const bool from_host = plan.strategy.direction == Direction::HostToDevice;
  const PageSide host = from_host ? plan.source_from(plan.layers.begin) : plan.target_from(plan.layers.begin);
  return plan.shape(host, plan.staged({}, plan.batch.layers), plan.batch.layers).spans_per_block() == 1;
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
PageSide side_of(const BlockLayout& layout, InnerOrder order, const kernels::RowGrid& rows) noexcept {
  return {.calls = layout.host_view(),
          .kernels = layout.device_view(),
          .order = order,
          .rows = rows,
          .one_piece = layout.memory_kind() != MemoryKind::Pinned};
}

std::uint64_t start_of(const PageSide& side, const TransferBox& box, std::uint64_t BoxAxis::*start) noexcept {
  const kernels::PageStrides strides = kernels::page_strides(side.calls, side.order, side.rows);
  return box.outer.*start * strides.outer + box.tokens.*start * strides.token + box.heads.*start * strides.head +
         box.row.*start;
}

TransferPlan plan_of(const TransferRequest& request, TransferOrders orders, const PlanningContext& context) noexcept {
  const TransferBox box = box_of(request);
  const auto first_layer = static_cast<std::uint32_t>(box.layers.target_start);
  TransferPlan plan{
      .strategy = strategy_between(request.source->memory_kind(), request.target->memory_kind(), context.capabilities),
      .mechanism = {},
      .source = side_of(*request.source, orders.source, box.source_rows),
      .target = side_of(*request.target, orders.target, box.target_rows),
      .layers = {first_layer, first_layer + static_cast<std::uint32_t>(box.layers.length)},
      .source_layer = static_cast<std::uint32_t>(box.layers.source_start),
      .outer = static_cast<std::uint32_t>(box.outer.length),
      .rows = box.rows(),
      .batch = {},
      .bulk = false,
      .staged_order = {}};
  plan.source.start = start_of(plan.source, box, &BoxAxis::source_start);
  plan.target.start = start_of(plan.target, box, &BoxAxis::target_start);
  plan.bulk = bulk_possible(plan, context.capabilities);
  plan.batch = batch_for(plan, context.slot_bytes, request.layer_events);
  plan.staged_order = host_side(plan).order;
  return plan;
}

PageSide from_layer(const PageSide& side, std::uint32_t layer) noexcept {
  PageSide moved = side;
  for (PageView* view : {&moved.calls, &moved.kernels}) {
    if (view->layer_bases != nullptr) {
      view->layer_bases += layer;
    } else {
      view->base += layer * kernels::page_strides(*view, side.order, side.rows).layer;
    }
  }
  return moved;
}

}  // namespace

std::uint64_t TransferPlan::layer_runs(InnerOrder order) const noexcept {
  std::uint64_t runs = 1;
  if (is_made_of_cells(order)) return runs;
  for (const Axis axis : axes_of(order)) {
    if (axis == Axis::Layer) break;
    runs *= axis == Axis::Outer ? outer : axis == Axis::Head ? rows.heads : rows.tokens;
  }
  return runs;
}

PageSide TransferPlan::source_from(std::uint32_t layer) const noexcept {
  return from_layer(source, layer - layers.begin + source_layer);
}

PageSide TransferPlan::target_from(std::uint32_t layer) const noexcept { return from_layer(target, layer); }

PageSide TransferPlan::staged(const StagingSlot& slot, std::uint32_t layer_count) const noexcept {
  PageView view{.base = slot.calls,
                .layer_bases = nullptr,
                .block_stride = layer_count * layer_bytes(),
                .layer_stride = layer_bytes(),
                .outer_stride = cell_bytes(),
                .cell_bytes = cell_bytes(),
                .layers = layer_count,
                .outer = outer};
  PageSide side{.calls = view, .kernels = view, .order = staged_order, .rows = rows};
  side.kernels.base = slot.kernels;
  return side;
}

CopyShape TransferPlan::shape(const PageSide& from, const PageSide& to, std::uint32_t layer_count) const noexcept {
  const auto runs = static_cast<std::uint32_t>(layer_runs(from.order));
  const bool whole = from.calls.layers == layer_count && to.calls.layers == layer_count;
  if (runs == 1 || whole) return fold(from, to, {layer_count, outer, cell_bytes()});
  // Of each index of what is slower than layers, these lie together: such indices take the place of layers.
  const std::uint64_t run_bytes = layer_bytes() / runs;
  const auto by_run = [&](PageSide side) {
    for (PageView* view : {&side.calls, &side.kernels}) {
      view->layer_stride = view->layers * run_bytes;
      view->layers = runs;
      view->outer = 1;
      view->cell_bytes = layer_count * run_bytes;
    }
    return side;
  };
  return fold(by_run(from), by_run(to), {runs, 1, layer_count * run_bytes});
}

CopyShape TransferPlan::direct_shape(LayerRange part) const noexcept {
  return shape(source_from(part.begin), target_from(part.begin), part.size());
}

Result<TransferPlan, TransferError> plan_transfer(const TransferRequest& request, const PlanningContext& context) {
  const TransferOrders orders = orders_of(request);
  if (auto checked = check_override("source", *request.source, orders.source); !checked) return fail(checked.error());
  if (auto checked = check_override("target", *request.target, orders.target); !checked) return fail(checked.error());
  if (auto checked = check_permutation(request, orders); !checked) return fail(checked.error());
  TransferPlan plan = plan_of(request, orders, context);
  const bool can_count = plan.layer_runs(orders.source) <= UINT32_MAX && kernels::can_count(plan.rows);
  if (!can_count && (plan.permutes() || !is_made_of_cells(orders.source))) {
    return refuse(Code::Unsupported, "what moves of a layer is " + std::to_string(plan.rows.tokens) + " by " +
                                         std::to_string(plan.rows.heads) + " rows of " +
                                         std::to_string(plan.rows.row_bytes) +
                                         " bytes, which is too much for a kernel");
  }
  auto mechanism = choose_mechanism(plan, request, context);
  if (!mechanism) return fail(std::move(mechanism).error());
  plan.mechanism = *mechanism;
  return plan;
}

}  // namespace kvbm
