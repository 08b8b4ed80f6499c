#include "kvbm/layout/view_overlap.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "kvbm/layout/block_layout.hpp"
#include "tests/support/host_memory.hpp"

// 6.1: what two views have in common

namespace kvbm {
namespace {

using test::host_layout;
using test::kEveryLayoutKind;
using Code = LayoutError::Code;

/// What all ranks hold together.
constexpr LayoutConfig kGlobal{.blocks = 3,
                               .layers = 6,
                               .outer = 2,
                               .tokens = 4,
                               .inner = 30,
                               .heads = 6,
                               .element_bytes = 2,
                               .order = InnerOrder::Nhd};

LayoutView whole(const std::shared_ptr<const BlockLayout>& layout) { return LayoutView::of(*layout); }

TEST(ViewOverlap, IsAllOfTwoViewsOfOneShape) {
  for (const LayoutKind kind : kEveryLayoutKind) {
    LayoutConfig other = kGlobal;
    other.order = InnerOrder::UniversalTp;
    const auto a = host_layout(kGlobal, kind), b = host_layout(other, LayoutKind::FullyContiguous);

    const ViewOverlap overlap = intersect(whole(a), whole(b)).value().value();

    ASSERT_EQ(overlap.axes().size(), 6u);
    const LayoutView view = whole(a);
    for (std::size_t i = 0; i < 6; ++i) {
      const ViewAxis& axis = view.axes()[i];
      EXPECT_EQ(overlap.axes()[i], (AxisOverlap{axis.axis, 0, 0, axis.extent})) << to_text(axis.axis);
    }
  }
}

TEST(ViewOverlap, IsWhatSlicesShare) {
  const auto layout = host_layout(kGlobal, LayoutKind::FullyContiguous);
  const LayoutView a = whole(layout).slice(Axis::Head, 0, 4).value();
  const LayoutView b = whole(layout).slice(Axis::Head, 3, 3)->slice(Axis::Layer, 2, 2).value();

  const ViewOverlap overlap = intersect(a, b).value().value();

  for (const AxisOverlap& axis : overlap.axes()) {
    if (axis.axis == Axis::Head) {
      EXPECT_EQ(axis, (AxisOverlap{Axis::Head, 3, 0, 1}));
    } else if (axis.axis == Axis::Layer) {
      EXPECT_EQ(axis, (AxisOverlap{Axis::Layer, 2, 0, 2}));
    } else {
      EXPECT_EQ(axis.length, whole(layout).find(axis.axis)->extent);
    }
  }
}

TEST(ViewOverlap, IsNoneIfSlicesMeetNowhereAlongAnyOneAxis) {
  const auto layout = host_layout(kGlobal, LayoutKind::LayerSeparateBlockFirst);
  const LayoutView all = whole(layout);
  for (const ViewAxis& axis : all.axes()) {
    const LayoutView a = all.slice(axis.axis, 0, 1).value();
    const LayoutView b = all.slice(axis.axis, 1, 1).value();

    EXPECT_FALSE(intersect(a, b).value().has_value()) << to_text(axis.axis);
  }
}

TEST(ViewOverlap, NeedsTheSameAxes) {
  LayoutConfig opaque = kGlobal;
  opaque.order = InnerOrder::Unknown;
  const auto a = host_layout(kGlobal, LayoutKind::FullyContiguous);
  const auto b = host_layout(opaque, LayoutKind::FullyContiguous);
  const LayoutView without_layer = whole(a).at(Axis::Layer, 0).value();
  const LayoutView without_outer = whole(a).at(Axis::Outer, 0).value();

  EXPECT_EQ(intersect(whole(a), whole(b)).error().code, Code::ViewsDiffer);
  EXPECT_EQ(intersect(without_layer, without_outer).error().text, "axis outer is one of the first view only");
}

TEST(ViewOverlap, NeedsTheSameWholeAndTheSameElements) {
  LayoutConfig fewer = kGlobal, wider = kGlobal;
  fewer.tokens = 3;
  wider.element_bytes = 4;
  const auto a = host_layout(kGlobal, LayoutKind::FullyContiguous);
  const auto b = host_layout(fewer, LayoutKind::FullyContiguous);
  const auto c = host_layout(wider, LayoutKind::FullyContiguous);
  const LayoutView disjoint = whole(b).slice(Axis::Block, 1, 1).value();  // which is no way round

  EXPECT_EQ(intersect(whole(a), whole(b)).error().text, "whole extents of axis token differ: 4 and 3");
  EXPECT_EQ(intersect(whole(a).slice(Axis::Block, 0, 1).value(), disjoint).error().code, Code::ViewsDiffer);
  EXPECT_EQ(intersect(whole(a), whole(c)).error().text, "element widths differ: 2 and 4");
}

// ---- a page that moves from ranks which share it out one way to ranks which do it another way ----

/// A rank with memory of its own for its share of the pages.
struct Rank {
  std::shared_ptr<const BlockLayout> layout;
  Axis shared_out;
  std::uint64_t number, world;

  [[nodiscard]] LayoutView page(BlockId block) const {
    const std::uint64_t share = whole(layout).find(shared_out)->extent;
    return whole(layout).at(Axis::Block, block)->as_part_of(shared_out, number * share, world * share).value();
  }
};

std::vector<Rank> ranks(Axis shared_out, std::uint32_t world, InnerOrder order, LayoutKind kind) {
  LayoutConfig config = kGlobal;
  config.order = order;
  if (shared_out == Axis::Layer) config.layers /= world;
  if (shared_out == Axis::Head) {
    config.inner /= world;
    *config.heads /= world;
  }
  std::vector<Rank> made;
  for (std::uint32_t rank = 0; rank < world; ++rank) {
    made.push_back({host_layout(config, kind), shared_out, rank, world});
  }
  return made;
}

/// Calls visit(element) for the indices of every element of an overlap, counted from its start.
template <class Visit>
void for_each_element(const ViewOverlap& overlap, const Visit& visit) {
  std::uint64_t elements = 1;
  for (const AxisOverlap& axis : overlap.axes()) elements *= axis.length;
  for (std::uint64_t n = 0; n < elements; ++n) {
    AxisIndices indices;
    std::uint64_t rest = n;
    for (const AxisOverlap& axis : overlap.axes()) {
      indices[axis.axis] = rest % axis.length;
      rest /= axis.length;
    }
    visit(indices);
  }
}

AxisIndices moved_by(AxisIndices indices, const ViewOverlap& overlap, std::uint64_t AxisOverlap::*start) {
  for (const AxisOverlap& axis : overlap.axes()) *indices[axis.axis] += axis.*start;
  return indices;
}

/// A number that tells the element of the whole at these indices of a rank's page.
std::uint16_t content(const LayoutView& page, const AxisIndices& indices) {
  std::uint64_t number = 0;
  for (const Axis axis : {Axis::Layer, Axis::Outer, Axis::TokenInBlock, Axis::Head, Axis::HeadDim}) {
    number = number * page.find(axis)->whole + page.find(axis)->start + *indices[axis];
  }
  return static_cast<std::uint16_t>(number + 1);
}

template <class Visit>
void for_each_element_of(const LayoutView& page, const Visit& visit) {
  const ViewOverlap all = intersect(page, page).value().value();
  for_each_element(all, [&](const AxisIndices& indices) {
    std::uint16_t* const element = reinterpret_cast<std::uint16_t*>(page.address_of(indices).value());
    visit(*element, content(page, indices));
  });
}

void expect_resharded(const std::vector<Rank>& sources, const std::vector<Rank>& targets) {
  constexpr BlockId kFrom = 1, kTo = 2;
  for (const Rank& rank : sources) {
    for_each_element_of(rank.page(kFrom), [](std::uint16_t& element, std::uint16_t is) { element = is; });
  }
  for (const Rank& source : sources) {
    for (const Rank& target : targets) {
      const LayoutView from = source.page(kFrom), to = target.page(kTo);
      const auto overlap = intersect(from, to).value();
      if (!overlap) continue;
      for_each_element(*overlap, [&](const AxisIndices& indices) {
        std::memcpy(to.address_of(moved_by(indices, *overlap, &AxisOverlap::in_b)).value(),
                    from.address_of(moved_by(indices, *overlap, &AxisOverlap::in_a)).value(), kGlobal.element_bytes);
      });
    }
  }
  std::size_t wrong = 0;
  for (const Rank& rank : targets) {
    for_each_element_of(rank.page(kTo), [&](std::uint16_t element, std::uint16_t is) { wrong += element != is; });
  }
  EXPECT_EQ(wrong, 0u);
}

TEST(Resharding, MovesHeadsBetweenWorldsOfAnySize) {
  for (const std::uint32_t from : {1u, 2u, 3u, 6u}) {
    for (const std::uint32_t to : {1u, 2u, 3u, 6u}) {
      SCOPED_TRACE(testing::Message() << from << " ranks to " << to);
      expect_resharded(ranks(Axis::Head, from, InnerOrder::Nhd, LayoutKind::LayerSeparateOuterFirst),
                       ranks(Axis::Head, to, InnerOrder::UniversalTp, LayoutKind::FullyContiguous));
    }
  }
}

TEST(Resharding, MovesFromRanksOfHeadsToStagesOfLayers) {
  expect_resharded(ranks(Axis::Head, 2, InnerOrder::Hnd, LayoutKind::LayerSeparateBlockFirst),
                   ranks(Axis::Layer, 3, InnerOrder::UniversalPp, LayoutKind::FullyContiguous));
  expect_resharded(ranks(Axis::Layer, 2, InnerOrder::Hnd, LayoutKind::LayerSeparateOuterFirst),
                   ranks(Axis::Head, 3, InnerOrder::Nhd, LayoutKind::LayerSeparateBlockFirst));
}

}  // namespace
}  // namespace kvbm
