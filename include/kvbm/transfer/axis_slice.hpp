#pragma once

#include <cstdint>
#include <vector>

#include "kvbm/layout/layout_axis.hpp"
#include "kvbm/layout/view_overlap.hpp"

namespace kvbm {

/// Indices of an axis that a transfer moves, of the pages on each side: how ranks that share out heads or layers in
/// different ways hand pages over. Every axis but Block may have one; what a layout's axes are says LayoutView.
///
/// Units  indices of that axis; elements for HeadDim and Payload.
struct AxisSlice {
  Axis axis = Axis::Head;
  std::uint64_t source_start = 0;
  std::uint64_t target_start = 0;
  std::uint64_t length = 0;  ///< at least 1

  friend bool operator==(const AxisSlice&, const AxisSlice&) = default;
};

/// What has to move from the first of two views to the second, of each block that they have in common.
[[nodiscard]] std::vector<AxisSlice> slices_of(const ViewOverlap& overlap);

}  // namespace kvbm
