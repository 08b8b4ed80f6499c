#include "kvbm/layout/layout_view.hpp"

#include <algorithm>
#include <string>

#include "kvbm/base/xxh3.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "layout/layout_error.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;

struct AxisList {
  std::array<Axis, LayoutView::kAxesMax> axes;
  std::uint32_t count;
};

/// The axes of a layout, slowest first. Of a layer-separate one, the first selects the region.
AxisList axes_of(LayoutKind kind, const LayoutConfig& config) noexcept {
  using enum Axis;
  if (!is_made_of_cells(config.order)) {
    AxisList list{{Block}, LayoutView::kAxesMax};
    const OrderAxes& axes = axes_of(config.order);
    std::copy(axes.begin(), axes.end(), list.axes.begin() + 1);
    list.axes.back() = HeadDim;
    return list;
  }
  AxisList list{{Block, Layer, Outer, Payload}, 4};
  if (kind == LayoutKind::LayerSeparateBlockFirst) list = {{Layer, Block, Outer, Payload}, 4};
  if (kind == LayoutKind::LayerSeparateOuterFirst) list = {{Layer, Outer, Block, Payload}, 4};
  if (config.order == InnerOrder::Unknown || !config.heads) return list;
  const OrderAxes& axes = axes_of(config.order);
  list.axes[3] = axes[2];
  list.axes[4] = axes[3];
  list.axes[5] = HeadDim;
  list.count = 6;
  return list;
}

std::uint64_t extent_of(Axis axis, const LayoutConfig& config) noexcept {
  switch (axis) {
    case Axis::Block:
      return config.blocks;
    case Axis::Layer:
      return config.layers;
    case Axis::Outer:
      return config.outer;
    case Axis::TokenInBlock:
      return config.tokens;
    case Axis::Head:
      return *config.heads;
    case Axis::HeadDim:
      return config.head_dim();
    case Axis::Payload:
      break;
  }
  return std::uint64_t{config.tokens} * config.inner;
}

std::uint32_t bit_of(Axis axis) noexcept { return 1u << static_cast<unsigned>(axis); }

std::string axis_name(Axis axis) { return "axis " + std::string(to_text(axis)); }

LayoutError axis_error(Code code, Axis axis, const char* what) { return {code, axis_name(axis) + ' ' + what}; }

/// Axes that are each named once, have indices, and do not reach beyond 64 bits.
Result<void, LayoutError> check_axes(std::span<const ViewAxis> axes, std::uint32_t element_bytes) {
  if (axes.empty() || axes.size() > LayoutView::kAxesMax) {
    return fail(numbers_error(Code::NoSuchAxis, "axes of a view, from 1 to", LayoutView::kAxesMax, axes.size()));
  }
  std::uint32_t named = 0;
  std::uint64_t bytes = element_bytes;
  for (const ViewAxis& axis : axes) {
    if ((named & bit_of(axis.axis)) != 0) return fail(axis_error(Code::AxisTwice, axis.axis, "is named twice"));
    named |= bit_of(axis.axis);
    if (axis.extent == 0) return fail(axis_error(Code::DimensionZero, axis.axis, "has no index"));
    if (axis.start > axis.whole || axis.extent > axis.whole - axis.start) {
      return fail(axis_error(Code::IndexOutOfRange, axis.axis, "is larger than the whole that it is a part of"));
    }
    std::uint64_t reach = 0;
    if (__builtin_mul_overflow(axis.extent - 1, axis.stride, &reach) || __builtin_add_overflow(bytes, reach, &bytes)) {
      return fail(axis_error(Code::SizeOverflow, axis.axis, "reaches beyond 64 bits"));
    }
  }
  return {};
}

}  // namespace

LayoutView LayoutView::of(const BlockLayout& layout) noexcept {
  const LayoutConfig& config = layout.config();
  const PageView& pages = layout.host_view();
  const AxisList list = axes_of(layout.kind(), config);
  LayoutView view;
  view.count_ = list.count;
  view.element_bytes_ = config.element_bytes;
  std::uint64_t stride = config.element_bytes;
  for (std::size_t i = list.count; i-- > 0;) {
    const std::uint64_t extent = extent_of(list.axes[i], config);
    view.axes_[i] = ViewAxis(list.axes[i], extent, stride);
    stride *= extent;
  }
  if (pages.layer_bases == nullptr) {
    view.bases_ = {&pages.base, 1};
  } else {
    view.axes_[0].stride = 0;
    view.region_axis_ = view.axes_[0].axis;
    view.bases_ = {pages.layer_bases, config.layers};
  }
  return view;
}

Result<LayoutView, LayoutError> LayoutView::create(std::span<const ViewAxis> axes, std::uint32_t element_bytes,
                                                   std::span<std::byte* const> bases,
                                                   std::optional<Axis> selects_region) {
  if (auto checked = check_axes(axes, element_bytes); !checked) return fail(checked.error());
  LayoutView view;
  std::copy(axes.begin(), axes.end(), view.axes_.begin());
  view.count_ = static_cast<std::uint32_t>(axes.size());
  view.element_bytes_ = element_bytes;
  view.region_axis_ = selects_region;
  view.bases_ = bases;
  std::uint64_t regions = 1;
  if (selects_region) {
    const auto position = view.position_of(*selects_region);
    if (!position) return fail(position.error());
    view.axes_[*position].stride = 0;
    regions = view.axes_[*position].extent;
  }
  if (bases.size() != regions) {
    return fail(numbers_error(Code::RegionCountMismatch, "regions of a view", regions, bases.size()));
  }
  return view;
}

const ViewAxis* LayoutView::find(Axis axis) const noexcept {
  const auto all = axes();
  const auto found = std::find_if(all.begin(), all.end(), [axis](const ViewAxis& each) { return each.axis == axis; });
  return found != all.end() ? &*found : nullptr;
}

Result<std::size_t, LayoutError> LayoutView::position_of(Axis axis) const {
  const ViewAxis* const found = find(axis);
  if (found == nullptr) return fail(axis_error(Code::NoSuchAxis, axis, "is none of this view"));
  return static_cast<std::size_t>(found - axes_.data());
}

Result<LayoutView, LayoutError> LayoutView::slice(Axis axis, std::uint64_t start, std::uint64_t length) const {
  const auto position = position_of(axis);
  if (!position) return fail(position.error());
  if ((sliced_ & bit_of(axis)) != 0) return fail(axis_error(Code::AxisTwice, axis, "is sliced already"));
  if (length == 0) return fail(axis_error(Code::DimensionZero, axis, "is to have no index"));
  LayoutView view = *this;
  ViewAxis& part = view.axes_[*position];
  if (start >= part.extent) return fail(index_error(to_text(axis), start, part.extent));
  if (length > part.extent - start) {
    return fail(numbers_error(Code::IndexOutOfRange, "length of a slice of " + axis_name(axis) + ", at most",
                              part.extent - start, length));
  }
  if (axis == region_axis_) view.bases_ = bases_.subspan(start, length);
  view.offset_ += start * part.stride;
  part.start += start;
  part.extent = length;
  view.sliced_ |= bit_of(axis);
  return view;
}

Result<LayoutView, LayoutError> LayoutView::shard(Axis axis, std::uint64_t rank, std::uint64_t world) const {
  const auto position = position_of(axis);
  if (!position) return fail(position.error());
  if (rank >= world) return fail(index_error("rank", rank, world));
  const std::uint64_t extent = axes_[*position].extent;
  if (extent % world != 0) {
    return fail(LayoutError{Code::NotDivisible,
                            "the " + std::to_string(extent) + " indices of " + axis_name(axis) +
                                " cannot be shared out to " + std::to_string(world) + " ranks",
                            world, extent});
  }
  return slice(axis, rank * (extent / world), extent / world);
}

Result<LayoutView, LayoutError> LayoutView::as_part_of(Axis axis, std::uint64_t start, std::uint64_t whole) const {
  const auto position = position_of(axis);
  if (!position) return fail(position.error());
  LayoutView view = *this;
  ViewAxis& part = view.axes_[*position];
  if (part.extent != part.whole) return fail(axis_error(Code::AxisTwice, axis, "shows a part of a whole already"));
  if (start > whole || part.extent > whole - start) {
    return fail(index_error(to_text(axis), start < whole ? start + part.extent - 1 : start, whole));
  }
  part.start = start;
  part.whole = whole;
  return view;
}

Result<LayoutView, LayoutError> LayoutView::at(Axis axis, std::uint64_t index) const {
  const auto position = position_of(axis);
  if (!position) return fail(position.error());
  const ViewAxis& fixed = axes_[*position];
  if (index >= fixed.extent) return fail(index_error(to_text(axis), index, fixed.extent));
  LayoutView view = *this;
  view.offset_ += index * fixed.stride;
  if (axis == region_axis_) {
    view.bases_ = bases_.subspan(index, 1);
    view.region_axis_.reset();
  }
  std::copy(axes_.begin() + *position + 1, axes_.end(), view.axes_.begin() + *position);
  --view.count_;
  return view;
}

Result<std::byte*, LayoutError> LayoutView::address_of(const AxisIndices& indices) const {
  std::uint64_t offset = offset_;
  std::size_t region = 0;
  for (const ViewAxis& axis : axes()) {
    const std::optional<std::uint64_t>& index = indices[axis.axis];
    if (!index) return fail(axis_error(Code::IndexMissing, axis.axis, "has no index"));
    if (*index >= axis.extent) return fail(index_error(to_text(axis.axis), *index, axis.extent));
    if (axis.axis == region_axis_) region = *index;
    offset += *index * axis.stride;
  }
  if (indices.count() != count_) {
    return fail(
        LayoutError{Code::NoSuchAxis, "an index is for an axis that the view does not have", count_, indices.count()});
  }
  return bases_[region] + offset;
}

std::uint64_t LayoutView::run_bytes() const noexcept {
  std::uint64_t bytes = element_bytes_;
  for (std::size_t i = count_; i-- > 0;) {
    const ViewAxis& axis = axes_[i];
    if (axis.axis == Axis::Block || axis.axis == region_axis_) break;
    if (axis.extent == 1) continue;
    if (axis.stride != bytes) break;
    bytes *= axis.extent;
  }
  return bytes;
}

ViewSignature LayoutView::signature() const noexcept {
  constexpr std::uint64_t kNoRegionAxis = 0xF;
  ViewSignature signature;
  std::uint64_t names = region_axis_ ? static_cast<std::uint64_t>(*region_axis_) : kNoRegionAxis;
  auto* word = signature.words.data() + 1;
  for (const ViewAxis& axis : axes()) {
    names = names << 4 | static_cast<std::uint64_t>(axis.axis);
    *word++ = axis.extent;
    *word++ = axis.stride;
  }
  signature.words[0] = std::uint64_t{element_bytes_} << 32 | names;  // at most 7 names of 4 bits
  return signature;
}

std::string_view to_text(Axis axis) noexcept {
  constexpr std::array<std::string_view, 7> kNames{"block", "layer", "outer", "token", "head", "head_dim", "payload"};
  return kNames[static_cast<std::size_t>(axis)];
}

}  // namespace kvbm

std::size_t std::hash<kvbm::ViewSignature>::operator()(const kvbm::ViewSignature& signature) const noexcept {
  return static_cast<std::size_t>(kvbm::xxh3_64(std::as_bytes(std::span(signature.words)), 0));
}
