#include "transfer/transfer_box.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace kvbm {
namespace {

using Code = TransferError::Code;
using Checked = Result<void, TransferError>;

/// What an axis of a layer-separate or contiguous layout is made of, as LayoutView has it for pages in `order`.
std::optional<std::uint64_t> extent_of(const LayoutConfig& config, InnerOrder order, Axis axis) noexcept {
  const bool has_rows = order != InnerOrder::Unknown && config.heads.has_value();
  switch (axis) {
    case Axis::Layer:
      return config.layers;
    case Axis::Outer:
      return config.outer;
    case Axis::TokenInBlock:
      return has_rows ? std::optional<std::uint64_t>(config.tokens) : std::nullopt;
    case Axis::Head:
      return has_rows ? std::optional<std::uint64_t>(*config.heads) : std::nullopt;
    case Axis::HeadDim:
      return has_rows ? std::optional<std::uint64_t>(config.head_dim()) : std::nullopt;
    case Axis::Payload:
      return has_rows ? std::nullopt : std::optional(std::uint64_t{config.tokens} * config.inner);
    case Axis::Block:
      break;
  }
  return std::nullopt;
}

std::string axis_text(Axis axis) { return "axis " + std::string(to_text(axis)); }

const AxisSlice* slice_of(const TransferRequest& request, Axis axis) noexcept {
  const auto found = std::find_if(request.slices.begin(), request.slices.end(),
                                  [axis](const AxisSlice& slice) { return slice.axis == axis; });
  return found != request.slices.end() ? &*found : nullptr;
}

Checked check_same(std::string_view what, std::uint64_t source, std::uint64_t target) {
  if (source == target) return {};
  return refuse(Code::ShapeMismatch,
                std::string(what) + " differ: source " + std::to_string(source) + ", target " + std::to_string(target));
}

Checked check_shapes(const LayoutConfig& source, const LayoutConfig& target) {
  if (auto checked = check_same("layers", source.layers, target.layers); !checked) return checked;
  if (auto checked = check_same("outer dimensions", source.outer, target.outer); !checked) return checked;
  if (auto checked = check_same("cell bytes", source.cell_bytes(), target.cell_bytes()); !checked) return checked;
  if (source.heads && target.heads) return check_same("heads", *source.heads, *target.heads);
  return {};
}

/// One side of a slice.
Checked check_part(const char* side, const LayoutConfig& config, InnerOrder order, Axis axis, std::uint64_t start,
                   std::uint64_t length) {
  const std::optional<std::uint64_t> extent = extent_of(config, order, axis);
  if (!extent) {
    return refuse(Code::InvalidSlice, "slice of " + axis_text(axis) + ", which pages of the " + side + " in order " +
                                          std::string(to_text(order)) + " do not have");
  }
  if (start <= *extent && length <= *extent - start) return {};
  return refuse(Code::InvalidSlice, "slice of " + axis_text(axis) + ": " + std::to_string(length) + " from " +
                                        std::to_string(start) + " on, and the " + side + " has " +
                                        std::to_string(*extent));
}

Checked check_slice(const TransferRequest& request, const AxisSlice& slice) {
  if (slice.axis == Axis::Block) {
    return refuse(Code::InvalidSlice, "slice of axis block: blocks are named one by one");
  }
  if (slice_of(request, slice.axis) != &slice) {
    return refuse(Code::InvalidSlice, axis_text(slice.axis) + " is sliced twice");
  }
  if (slice.axis == Axis::Layer && request.layers) {
    return refuse(Code::InvalidSlice, "layers are named by a range and by a slice of axis layer");
  }
  if (slice.length == 0) return refuse(Code::InvalidSlice, "slice of " + axis_text(slice.axis) + " is empty");
  const TransferOrders orders = orders_of(request);
  auto checked =
      check_part("source", request.source->config(), orders.source, slice.axis, slice.source_start, slice.length);
  if (!checked) return checked;
  return check_part("target", request.target->config(), orders.target, slice.axis, slice.target_start, slice.length);
}

/// The axes that are not sliced.
Checked check_extents(const TransferRequest& request) {
  const LayoutConfig& source = request.source->config();
  const LayoutConfig& target = request.target->config();
  const TransferOrders orders = orders_of(request);
  for (const Axis axis : {Axis::Layer, Axis::Outer, Axis::TokenInBlock, Axis::Head, Axis::HeadDim, Axis::Payload}) {
    if (slice_of(request, axis) != nullptr) continue;
    const std::optional<std::uint64_t> in_source = extent_of(source, orders.source, axis);
    const std::optional<std::uint64_t> in_target = extent_of(target, orders.target, axis);
    if (in_source && in_target) {
      if (*in_source == *in_target) continue;
      return check_same("extents of " + axis_text(axis), *in_source, *in_target);
    } else if (in_source || in_target) {  // one side does not tell what is in its cells
      auto checked = check_same("cell bytes", source.cell_bytes(), target.cell_bytes());
      if (!checked) return checked;
    }
  }
  return {};
}

Checked check_layers(const TransferRequest& request) {
  if (!request.layers) return {};
  const LayerRange layers = *request.layers;
  const std::uint32_t limit = request.source->config().layers;
  if (layers.begin <= layers.end && layers.end <= limit) return {};
  return refuse(Code::LayerRangeOutOfRange, "layers [" + std::to_string(layers.begin) + ", " +
                                                std::to_string(layers.end) + ") of a layout of " +
                                                std::to_string(limit));
}

/// Whether anything but whole cells moves from one place to another.
bool rows_matter(const TransferRequest& request, TransferOrders orders) noexcept {
  if (requires_transform(orders.source, orders.target) || !is_made_of_cells(orders.source)) return true;
  return std::any_of(request.slices.begin(), request.slices.end(), [](const AxisSlice& slice) {
    return slice.axis == Axis::TokenInBlock || slice.axis == Axis::Head || slice.axis == Axis::HeadDim;
  });
}

kernels::RowGrid rows_of(const LayoutConfig& config, std::optional<std::uint32_t> heads) noexcept {
  if (!heads) return {1, 1, config.cell_bytes()};
  return {config.tokens, *heads, std::uint64_t{config.inner / *heads} * config.element_bytes};
}

}  // namespace

TransferOrders orders_of(const TransferRequest& request) noexcept {
  return {request.source_order.value_or(request.source->config().order),
          request.target_order.value_or(request.target->config().order)};
}

Result<void, TransferError> check_box(const TransferRequest& request) {
  const LayoutConfig& source = request.source->config();
  const LayoutConfig& target = request.target->config();
  if (auto checked = check_same("element widths", source.element_bytes, target.element_bytes); !checked) return checked;
  for (const AxisSlice& slice : request.slices) {
    if (auto checked = check_slice(request, slice); !checked) return checked;
  }
  auto checked = request.slices.empty() ? check_shapes(source, target) : check_extents(request);
  if (!checked) return checked;
  return check_layers(request);
}

TransferBox box_of(const TransferRequest& request) noexcept {
  const LayoutConfig& source = request.source->config();
  const LayoutConfig& target = request.target->config();
  const auto side_of = [](const std::optional<std::uint32_t>& heads, const std::optional<std::uint32_t>& others) {
    return heads ? heads : others;
  };
  TransferBox box;
  if (rows_matter(request, orders_of(request))) {
    box.source_rows = rows_of(source, side_of(source.heads, target.heads));
    box.target_rows = rows_of(target, side_of(target.heads, source.heads));
  } else {
    box.source_rows = rows_of(source, std::nullopt);
    box.target_rows = rows_of(target, std::nullopt);
  }
  const LayerRange layers = request.layers.value_or(LayerRange{0, source.layers});
  box.layers = {layers.begin, layers.begin, layers.size()};
  box.outer.length = source.outer;
  box.tokens.length = box.source_rows.tokens;
  box.heads.length = box.source_rows.heads;
  box.row.length = box.source_rows.row_bytes;
  for (const AxisSlice& slice : request.slices) {
    const bool in_elements = slice.axis == Axis::HeadDim || slice.axis == Axis::Payload;
    const std::uint64_t unit = in_elements ? source.element_bytes : 1;
    const BoxAxis part{slice.source_start * unit, slice.target_start * unit, slice.length * unit};
    if (slice.axis == Axis::Layer) box.layers = part;
    if (slice.axis == Axis::Outer) box.outer = part;
    if (slice.axis == Axis::TokenInBlock) box.tokens = part;
    if (slice.axis == Axis::Head) box.heads = part;
    if (in_elements) box.row = part;
  }
  return box;
}

}  // namespace kvbm
