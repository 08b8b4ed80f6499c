// Views do not hand out what goes with them, and elements are made of their bytes.
#include "kvbm/layout/view_overlap.hpp"
#include "kvbm/memory/host_bytes.hpp"

struct Empty {};

std::size_t use(const kvbm::LayoutView& view, const kvbm::Memory& memory) {
  using namespace kvbm;
  std::size_t sum = view.axes().size() + host_elements<float>(memory, 0, 4).size();
#if KVBM_CASE == 1  // fails: deleted
  for (const ViewAxis& axis : view.at(Axis::Block, 0).value().axes()) sum += axis.extent;
#endif
#if KVBM_CASE == 2  // fails: deleted
  sum += intersect(view, view).value().value().axes().size();
#endif
#if KVBM_CASE == 3  // fails: elements are made of their bytes
  sum += host_elements<Empty>(memory, 0, 4).size();
#endif
  return sum;
}
