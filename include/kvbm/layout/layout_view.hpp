#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "kvbm/base/result.hpp"
#include "kvbm/layout/layout_axis.hpp"
#include "kvbm/layout/layout_config.hpp"

namespace kvbm {

class BlockLayout;

/// The shape of a view without its addresses: axes, extents, strides, and which axis selects the region. Views that
/// differ in where their memory is, or where a slice of it begins, have the same. A key for what was planned for one.
struct ViewSignature {
  std::array<std::uint64_t, 13> words{};

  friend bool operator==(const ViewSignature&, const ViewSignature&) = default;
};

/// The elements of a layout, or some of them, as an array with named axes: says where each lies, whatever the layout
/// and the order of its pages, and what two ranks that cut the same cache differently have in common. A small value
/// that is copied freely; whoever narrows it gets another one.
///
/// Made by   of() a layout; create() over addresses alone.
/// Shape     axes slowest first, as they lie in memory: [block, layer, outer, token, head, head_dim] of a fully
///           contiguous layout in order Nhd, [layer, outer, block, ...] of a layer-separate one with outer first, where
///           the layer selects the region. [payload] stands for the elements of a cell if order or heads are unknown.
/// Lifetime  of the layout: a view reads its table of bases. Addresses are those for the CPU and copy calls.
/// Errors    LayoutError naming the axis.
/// Cost      nothing allocates but errors.
class LayoutView {
 public:
  static constexpr std::size_t kAxesMax = 6;

  [[nodiscard]] static LayoutView of(const BlockLayout& layout) noexcept;
  /// `bases` has one address for each index of `selects_region`, or one at all; it must outlive the view.
  /// Errors  NoSuchAxis (none at all, more than kAxesMax, selects_region not among them), AxisTwice, DimensionZero,
  ///         SizeOverflow, RegionCountMismatch.
  [[nodiscard]] static Result<LayoutView, LayoutError> create(std::span<const ViewAxis> axes,
                                                              std::uint32_t element_bytes,
                                                              std::span<std::byte* const> bases,
                                                              std::optional<Axis> selects_region);

  [[nodiscard]] std::span<const ViewAxis> axes() const& noexcept { return std::span(axes_).first(count_); }
  void axes() const&& = delete;  // they go with the view
  /// Null if the view has no such axis.
  [[nodiscard]] const ViewAxis* find(Axis axis) const noexcept;
  [[nodiscard]] std::uint32_t element_bytes() const noexcept { return element_bytes_; }
  [[nodiscard]] std::optional<Axis> region_axis() const noexcept { return region_axis_; }

  /// Indices [start, start + length) of an axis, from now on [0, length). Once for each axis.
  /// Errors  NoSuchAxis, AxisTwice, DimensionZero, IndexOutOfRange.
  [[nodiscard]] Result<LayoutView, LayoutError> slice(Axis axis, std::uint64_t start, std::uint64_t length) const;
  /// The share of `rank` among `world` equal ones. Errors  as slice; IndexOutOfRange for the rank; NotDivisible.
  [[nodiscard]] Result<LayoutView, LayoutError> shard(Axis axis, std::uint64_t rank, std::uint64_t world) const;
  /// The same bytes, known to hold indices [start, start + extent) of an axis with `whole` of them: what one rank has
  /// of the heads, or one stage of the layers. Errors  NoSuchAxis, AxisTwice (it is a part already), IndexOutOfRange.
  [[nodiscard]] Result<LayoutView, LayoutError> as_part_of(Axis axis, std::uint64_t start, std::uint64_t whole) const;
  /// What lies at one index of an axis, which goes: a page is a view at one index of Axis::Block.
  /// Errors  NoSuchAxis, IndexOutOfRange.
  [[nodiscard]] Result<LayoutView, LayoutError> at(Axis axis, std::uint64_t index) const;

  /// The address of one element. Errors  IndexMissing, NoSuchAxis (an index too many), IndexOutOfRange.
  [[nodiscard]] Result<std::byte*, LayoutError> address_of(const AxisIndices& indices) const;
  /// Bytes that lie together from index 0 of the fastest axes on, folded as far as these leave no gap; over blocks and
  /// regions never. Of a whole layout: the fragments that a copy of it is made of.
  [[nodiscard]] std::uint64_t run_bytes() const noexcept;
  [[nodiscard]] ViewSignature signature() const noexcept;

 private:
  LayoutView() noexcept = default;
  [[nodiscard]] Result<std::size_t, LayoutError> position_of(Axis axis) const;

  std::array<ViewAxis, kAxesMax> axes_{};
  std::uint32_t count_ = 0;
  std::uint32_t sliced_ = 0;  // a bit for each Axis
  std::uint32_t element_bytes_ = 0;
  std::optional<Axis> region_axis_;
  std::span<std::byte* const> bases_;
  std::uint64_t offset_ = 0;  // of index 0 of all axes, from a base
};

}  // namespace kvbm

template <>
struct std::hash<kvbm::ViewSignature> {
  [[nodiscard]] std::size_t operator()(const kvbm::ViewSignature& signature) const noexcept;
};
