#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "kvbm/layout/block_layout.hpp"
#include "kvbm/layout/layout_view.hpp"
#include "tests/support/host_memory.hpp"

// 6.1: parts of views, and views over addresses alone

namespace kvbm {
namespace {

using test::host_layout;
using test::kEveryLayoutKind;
using Code = LayoutError::Code;

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
constexpr LayoutConfig kSliced{.blocks = 6,
                               .layers = 4,
                               .outer = 2,
                               .tokens = 5,
                               .inner = 24,
                               .heads = 3,
                               .element_bytes = 2,
                               .order = InnerOrder::Nhd};
constexpr AxisIndices kFirst{.block = 0, .layer = 0, .outer = 0, .token = 0, .head = 0, .head_dim = 0};

AxisIndices moved(AxisIndices indices, Axis axis, std::uint64_t by) {
  *indices[axis] += by;
  return indices;
}

TEST(ViewSlice, BeginsWhereItIsToldToAlongEachAxis) {
  for (const LayoutKind kind : kEveryLayoutKind) {
    const auto layout = host_layout(kSliced, kind);
    const LayoutView view = LayoutView::of(*layout);
    for (const ViewAxis& axis : view.axes()) {
      SCOPED_TRACE(to_text(axis.axis));
      const LayoutView slice = view.slice(axis.axis, 1, axis.extent - 1).value();

      EXPECT_EQ(slice.find(axis.axis)->extent, axis.extent - 1);
      EXPECT_EQ(slice.find(axis.axis)->start, 1u);
      EXPECT_EQ(slice.find(axis.axis)->whole, axis.extent);
      for (std::uint64_t index = 0; index + 1 < axis.extent; ++index) {
        EXPECT_EQ(slice.address_of(moved(kFirst, axis.axis, index)).value(),
                  view.address_of(moved(kFirst, axis.axis, index + 1)).value());
      }
      EXPECT_EQ(slice.address_of(moved(kFirst, axis.axis, axis.extent - 1)).error().code, Code::IndexOutOfRange);
    }
  }
}

TEST(ViewSlice, OfSeveralAxesAddsUp) {
  for (const LayoutKind kind : kEveryLayoutKind) {
    const auto layout = host_layout(kSliced, kind);
    const LayoutView view = LayoutView::of(*layout);
    const LayoutView slice = view.slice(Axis::Head, 1, 2)->slice(Axis::Layer, 2, 1)->slice(Axis::Block, 3, 3).value();

    EXPECT_EQ(slice.address_of({.block = 1, .layer = 0, .outer = 1, .token = 4, .head = 1, .head_dim = 7}).value(),
              view.address_of({.block = 4, .layer = 2, .outer = 1, .token = 4, .head = 2, .head_dim = 7}).value());
  }
}

TEST(ViewSlice, OfAnAxisIsTakenOnce) {
  const auto layout = host_layout(kSliced, LayoutKind::FullyContiguous);
  const LayoutView slice = LayoutView::of(*layout).slice(Axis::Head, 0, 3).value();

  EXPECT_EQ(slice.slice(Axis::Head, 0, 1).error().code, Code::AxisTwice);
  EXPECT_EQ(slice.shard(Axis::Head, 0, 1).error().text, "axis head is sliced already");
  EXPECT_TRUE(slice.slice(Axis::TokenInBlock, 0, 1));
}

TEST(ViewSlice, LiesWithinItsAxis) {
  const auto layout = host_layout(kSliced, LayoutKind::LayerSeparateOuterFirst);
  const LayoutView view = LayoutView::of(*layout);
  const auto refused = [&](std::uint64_t start, std::uint64_t length) {
    return view.slice(Axis::Layer, start, length).error().code;
  };
  EXPECT_TRUE(view.slice(Axis::Layer, 0, 4));
  EXPECT_TRUE(view.slice(Axis::Layer, 3, 1));
  EXPECT_EQ(refused(4, 1), Code::IndexOutOfRange);
  EXPECT_EQ(refused(0, 5), Code::IndexOutOfRange);
  EXPECT_EQ(refused(3, 2), Code::IndexOutOfRange);
  EXPECT_EQ(refused(1, kHuge), Code::IndexOutOfRange);
  EXPECT_EQ(refused(kHuge, 2), Code::IndexOutOfRange);
  EXPECT_EQ(refused(2, 0), Code::DimensionZero);
  EXPECT_EQ(view.slice(Axis::Payload, 0, 1).error().code, Code::NoSuchAxis);
}

TEST(ViewShard, IsAnEqualShareOfEachRank) {
  const auto layout = host_layout(kSliced, LayoutKind::FullyContiguous);
  const LayoutView view = LayoutView::of(*layout);
  for (std::uint64_t rank = 0; rank < 3; ++rank) {
    const LayoutView shard = view.shard(Axis::Block, rank, 3).value();

    EXPECT_EQ(shard.find(Axis::Block)->extent, 2u);
    EXPECT_EQ(shard.address_of(kFirst).value(), view.address_of(moved(kFirst, Axis::Block, 2 * rank)).value());
  }
}

TEST(ViewShard, TakesARankOfTheWorldAndAnAxisThatDivides) {
  const auto layout = host_layout(kSliced, LayoutKind::FullyContiguous);
  const LayoutView view = LayoutView::of(*layout);

  EXPECT_EQ(view.shard(Axis::Head, 0, 2).error().code, Code::NotDivisible);
  EXPECT_EQ(view.shard(Axis::Head, 0, 6).error().text, "the 3 indices of axis head cannot be shared out to 6 ranks");
  EXPECT_EQ(view.shard(Axis::Head, 3, 3).error().text, "rank 3 is out of range, limit 3");
  EXPECT_EQ(view.shard(Axis::Head, 0, 0).error().code, Code::IndexOutOfRange);
  EXPECT_EQ(view.shard(Axis::Payload, 0, 1).error().code, Code::NoSuchAxis);
}

TEST(ViewPart, KeepsItsAddressesAndKnowsItsWhole) {
  const auto layout = host_layout(kSliced, LayoutKind::LayerSeparateBlockFirst);
  const LayoutView view = LayoutView::of(*layout);
  const LayoutView part = view.as_part_of(Axis::Head, 6, 12).value();
  const AxisIndices last{.block = 5, .layer = 3, .outer = 1, .token = 4, .head = 2, .head_dim = 7};

  EXPECT_EQ(part.address_of(last).value(), view.address_of(last).value());
  EXPECT_EQ(part.find(Axis::Head)->start, 6u);
  EXPECT_EQ(part.find(Axis::Head)->whole, 12u);
  EXPECT_EQ(part.slice(Axis::Head, 2, 1)->find(Axis::Head)->start, 8u);
}

TEST(ViewPart, LiesWithinItsWholeAndIsOfOne) {
  const auto layout = host_layout(kSliced, LayoutKind::FullyContiguous);
  const LayoutView view = LayoutView::of(*layout);
  const LayoutView part = view.as_part_of(Axis::Head, 0, 6).value();

  EXPECT_EQ(view.as_part_of(Axis::Head, 4, 6).error().text, "head 6 is out of range, limit 6");
  EXPECT_EQ(view.as_part_of(Axis::Head, 0, 2).error().code, Code::IndexOutOfRange);
  EXPECT_EQ(view.as_part_of(Axis::Head, kHuge, 6).error().code, Code::IndexOutOfRange);
  EXPECT_EQ(part.as_part_of(Axis::Head, 0, 6).error().code, Code::AxisTwice);
  EXPECT_EQ(view.slice(Axis::Head, 0, 1)->as_part_of(Axis::Head, 0, 6).error().code, Code::AxisTwice);
  EXPECT_EQ(view.as_part_of(Axis::Payload, 0, 6).error().code, Code::NoSuchAxis);
}

TEST(ViewSignature, IsThatOfEverySliceOfTheSameSize) {
  const auto layout = host_layout(kSliced, LayoutKind::LayerSeparateBlockFirst);
  const LayoutView view = LayoutView::of(*layout);
  const auto heads = [&](std::uint64_t rank) { return view.shard(Axis::Head, rank, 3)->signature(); };

  EXPECT_EQ(heads(0), heads(2));
  EXPECT_EQ(view.slice(Axis::Layer, 0, 2)->signature(), view.slice(Axis::Layer, 2, 2)->signature());
  EXPECT_NE(heads(0), view.signature());
  EXPECT_NE(view.slice(Axis::Layer, 0, 2)->signature(), view.slice(Axis::Layer, 0, 3)->signature());
  EXPECT_NE(view.at(Axis::Layer, 0)->signature(), view.slice(Axis::Layer, 0, 1)->signature());
}

// ---- over addresses alone ----

const std::array<ViewAxis, 3> kAxes{ViewAxis(Axis::Layer, 3, 0), {Axis::Block, 4, 100}, {Axis::Payload, 50, 2}};

TEST(LayoutViewOfAddresses, SelectsTheBaseByTheRegionsAxis) {
  std::array<std::byte, 4096> memory;
  std::byte* const bases[]{memory.data() + 3000, memory.data(), memory.data() + 1000};
  const LayoutView view = LayoutView::create(kAxes, 2, bases, Axis::Layer).value();

  EXPECT_EQ(view.address_of({.block = 3, .layer = 2, .payload = 7}).value(), memory.data() + 1000 + 300 + 14);
  EXPECT_EQ(view.at(Axis::Layer, 0)->address_of({.block = 3, .payload = 0}).value(), memory.data() + 3000 + 300);
}

TEST(LayoutViewOfAddresses, HasASignatureOfNamesRegionAndWidthToo) {
  std::byte* const base = nullptr;
  const auto signature = [&](Axis first, Axis second, std::uint32_t width, std::optional<Axis> selects) {
    const ViewAxis axes[]{{first, 1, 0}, {second, 6, 4}};
    return LayoutView::create(axes, width, std::span(&base, 1), selects)->signature();
  };
  const ViewSignature one = signature(Axis::Layer, Axis::TokenInBlock, 4, Axis::Layer);

  EXPECT_EQ(one, signature(Axis::Layer, Axis::TokenInBlock, 4, Axis::Layer));
  EXPECT_NE(one, signature(Axis::Layer, Axis::Head, 4, Axis::Layer));
  EXPECT_NE(one, signature(Axis::Layer, Axis::TokenInBlock, 4, std::nullopt));
  EXPECT_NE(one, signature(Axis::Layer, Axis::TokenInBlock, 2, Axis::Layer));
  EXPECT_NE(one, signature(Axis::Outer, Axis::TokenInBlock, 4, Axis::Outer));
}

TEST(LayoutViewOfAddresses, HasARegionForEachIndexOfTheAxisThatSelectsIt) {
  std::byte* const bases[4]{};
  const auto refused = [&](std::size_t regions, std::optional<Axis> selects) {
    return LayoutView::create(kAxes, 2, std::span(bases).first(regions), selects).error();
  };
  EXPECT_TRUE(LayoutView::create(kAxes, 2, std::span(bases).first(3), Axis::Layer));
  EXPECT_TRUE(LayoutView::create(kAxes, 2, std::span(bases).first(1), std::nullopt));
  EXPECT_EQ(refused(2, Axis::Layer).code, Code::RegionCountMismatch);
  EXPECT_EQ(refused(4, Axis::Layer).text, "regions of a view: needed 3, got 4");
  EXPECT_EQ(refused(0, std::nullopt).code, Code::RegionCountMismatch);
  EXPECT_EQ(refused(2, std::nullopt).code, Code::RegionCountMismatch);
  EXPECT_EQ(refused(1, Axis::Outer).code, Code::NoSuchAxis);
}

TEST(LayoutViewOfAddresses, HasAxesThatMakeSense) {
  std::byte* const base = nullptr;
  const auto refused = [&](const std::vector<ViewAxis>& axes) {
    return LayoutView::create(axes, 2, std::span(&base, 1), std::nullopt).error().code;
  };
  const std::vector<ViewAxis> too_many{{Axis::Block, 1, 1},        {Axis::Layer, 1, 1}, {Axis::Outer, 1, 1},
                                       {Axis::TokenInBlock, 1, 1}, {Axis::Head, 1, 1},  {Axis::HeadDim, 1, 1},
                                       {Axis::Payload, 1, 1}};
  ViewAxis beyond(Axis::Head, 4, 2);
  beyond.start = 1;

  EXPECT_EQ(refused({}), Code::NoSuchAxis);
  EXPECT_EQ(refused(too_many), Code::NoSuchAxis);
  EXPECT_EQ(refused({{Axis::Block, 2, 8}, {Axis::Block, 4, 2}}), Code::AxisTwice);
  EXPECT_EQ(refused({{Axis::Block, 0, 8}}), Code::DimensionZero);
  EXPECT_EQ(refused({{Axis::Block, 3, kHuge / 2}}), Code::SizeOverflow);
  EXPECT_EQ(refused({{Axis::Block, 2, kHuge / 2}, {Axis::TokenInBlock, 3, kHuge / 4 + 1}}), Code::SizeOverflow);
  EXPECT_EQ(refused({beyond}), Code::IndexOutOfRange);
}

}  // namespace
}  // namespace kvbm
