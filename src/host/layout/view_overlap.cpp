#include "kvbm/layout/view_overlap.hpp"

#include <algorithm>
#include <string>

namespace kvbm {
namespace {

Failure<LayoutError> views_differ(const std::string& what, std::uint64_t in_a, std::uint64_t in_b) {
  return fail(LayoutError{LayoutError::Code::ViewsDiffer,
                          what + " differ: " + std::to_string(in_a) + " and " + std::to_string(in_b), in_a, in_b});
}

}  // namespace

Result<std::optional<ViewOverlap>, LayoutError> intersect(const LayoutView& a, const LayoutView& b) {
  if (a.axes().size() != b.axes().size()) return views_differ("numbers of axes", a.axes().size(), b.axes().size());
  if (a.element_bytes() != b.element_bytes()) {
    return views_differ("element widths", a.element_bytes(), b.element_bytes());
  }
  ViewOverlap overlap;
  bool disjoint = false;
  for (const ViewAxis& of_a : a.axes()) {
    const std::string name(to_text(of_a.axis));
    const ViewAxis* const of_b = b.find(of_a.axis);
    if (of_b == nullptr) {
      return fail(LayoutError{LayoutError::Code::ViewsDiffer, "axis " + name + " is one of the first view only"});
    }
    if (of_a.whole != of_b->whole) return views_differ("whole extents of axis " + name, of_a.whole, of_b->whole);
    const std::uint64_t begin = std::max(of_a.start, of_b->start);
    const std::uint64_t end = std::min(of_a.start + of_a.extent, of_b->start + of_b->extent);
    disjoint = disjoint || begin >= end;
    if (!disjoint) {
      overlap.parts[overlap.count++] = {of_a.axis, begin - of_a.start, begin - of_b->start, end - begin};
    }
  }
  if (disjoint) return std::optional<ViewOverlap>();
  return std::optional(overlap);
}

}  // namespace kvbm
