#include "kvbm/transfer/axis_slice.hpp"

namespace kvbm {

std::vector<AxisSlice> slices_of(const ViewOverlap& overlap) {
  std::vector<AxisSlice> slices;
  for (const AxisOverlap& part : overlap.axes()) {
    if (part.axis != Axis::Block) slices.push_back({part.axis, part.in_a, part.in_b, part.length});
  }
  return slices;
}

}  // namespace kvbm
