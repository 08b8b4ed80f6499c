#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "kvbm/layout/layout_view.hpp"

namespace kvbm {

/// Indices of an axis that two views have both.
struct AxisOverlap {
  Axis axis = Axis::Block;
  std::uint64_t in_a = 0;  ///< the first of them, as each view counts
  std::uint64_t in_b = 0;
  std::uint64_t length = 0;

  friend bool operator==(const AxisOverlap&, const AxisOverlap&) = default;
};

/// What two views have in common, axis by axis in the order of the first.
struct ViewOverlap {
  std::array<AxisOverlap, LayoutView::kAxesMax> parts{};
  std::uint32_t count = 0;

  [[nodiscard]] std::span<const AxisOverlap> axes() const& noexcept { return std::span(parts).first(count); }
  void axes() const&& = delete;  // they go with it
};

/// What `a` and `b` both hold of one whole, however each cuts it and in whatever order it lies there: what has to move
/// from ranks that share it out one way to ranks that do it another way. Absent if they have nothing in common.
///
/// Errors  LayoutError::ViewsDiffer naming what does: axes, the extents of the whole, or the width of elements.
[[nodiscard]] Result<std::optional<ViewOverlap>, LayoutError> intersect(const LayoutView& a, const LayoutView& b);

}  // namespace kvbm
