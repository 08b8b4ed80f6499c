#include "kvbm/layout/layout_view.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "kvbm/layout/block_layout.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/host_memory.hpp"

// 6.1: views of layouts, and the addresses they give

namespace kvbm {
namespace {

using test::host_layout;
using test::kEveryLayoutKind;
using Code = LayoutError::Code;

static_assert(std::is_trivially_copyable_v<LayoutView>);

constexpr LayoutConfig viewed(InnerOrder order) {
  return {
      .blocks = 3, .layers = 4, .outer = 2, .tokens = 5, .inner = 21, .heads = 3, .element_bytes = 2, .order = order};
}

/// Every layout that can be: each kind in each order it may have.
std::vector<std::shared_ptr<const BlockLayout>> every_layout() {
  std::vector<std::shared_ptr<const BlockLayout>> layouts;
  for (const InnerOrder order : {InnerOrder::Unknown, InnerOrder::Nhd, InnerOrder::Hnd}) {
    for (const LayoutKind kind : kEveryLayoutKind) layouts.push_back(host_layout(viewed(order), kind));
  }
  for (std::size_t order = 0; order < kInnerOrders; ++order) {
    if (is_made_of_cells(static_cast<InnerOrder>(order))) continue;
    layouts.push_back(host_layout(viewed(static_cast<InnerOrder>(order)), LayoutKind::FullyContiguous));
  }
  return layouts;
}

std::string text_of(const BlockLayout& layout) {
  return std::string(to_text(layout.config().order)) + ", kind " + std::to_string(static_cast<int>(layout.kind()));
}

std::string axes_text(const LayoutView& view) {
  std::string text;
  for (const ViewAxis& axis : view.axes()) {
    if (!text.empty()) text += ' ';
    text += to_text(axis.axis);
  }
  return text;
}

/// The definition of each order, in elements from the start of a page, or of a cell where there are cells.
std::uint64_t place_in_page(const LayoutConfig& c, std::uint64_t l, std::uint64_t o, std::uint64_t t, std::uint64_t h,
                            std::uint64_t d) {
  const std::uint64_t heads = *c.heads, head_dim = c.head_dim();
  switch (c.order) {
    case InnerOrder::Nhd:
      return (t * heads + h) * head_dim + d;
    case InnerOrder::Hnd:
      return (h * c.tokens + t) * head_dim + d;
    case InnerOrder::UniversalTp:
      return (((h * c.layers + l) * c.outer + o) * c.tokens + t) * head_dim + d;
    case InnerOrder::UniversalPp:
      return (((l * heads + h) * c.outer + o) * c.tokens + t) * head_dim + d;
    default:
      break;
  }
  std::uint64_t place = 0;
  for (const Axis axis : axes_of(c.order)) {
    if (axis == Axis::Layer) place = place * c.layers + l;
    if (axis == Axis::Outer) place = place * c.outer + o;
    if (axis == Axis::TokenInBlock) place = place * c.tokens + t;
    if (axis == Axis::Head) place = place * heads + h;
  }
  return place * head_dim + d;
}

std::byte* expected_address(const BlockLayout& layout, std::uint32_t b, std::uint32_t l, std::uint32_t o,
                            std::uint64_t place) {
  const bool by_cells = is_made_of_cells(layout.config().order);
  return (by_cells ? layout.cell(b, l, o) : layout.cell(b, 0, 0)).value() + place * layout.config().element_bytes;
}

TEST(LayoutView, NamesItsAxesSlowestFirst) {
  const auto axes = [](InnerOrder order, LayoutKind kind) {
    const auto layout = host_layout(viewed(order), kind);
    return axes_text(LayoutView::of(*layout));
  };
  using enum LayoutKind;
  EXPECT_EQ(axes(InnerOrder::Nhd, FullyContiguous), "block layer outer token head head_dim");
  EXPECT_EQ(axes(InnerOrder::Hnd, FullyContiguous), "block layer outer head token head_dim");
  EXPECT_EQ(axes(InnerOrder::UniversalTp, FullyContiguous), "block head layer outer token head_dim");
  EXPECT_EQ(axes(InnerOrder::UniversalPp, FullyContiguous), "block layer head outer token head_dim");
  const InnerOrder custom = custom_order({Axis::TokenInBlock, Axis::Outer, Axis::Head, Axis::Layer}).value();
  EXPECT_EQ(axes(custom, FullyContiguous), "block token outer head layer head_dim");
  EXPECT_EQ(axes(InnerOrder::Hnd, LayerSeparateBlockFirst), "layer block outer head token head_dim");
  EXPECT_EQ(axes(InnerOrder::Nhd, LayerSeparateOuterFirst), "layer outer block token head head_dim");
}

TEST(LayoutView, HasTheStridesOfItsLayout) {
  for (const auto& layout : every_layout()) {
    SCOPED_TRACE(text_of(*layout));
    const LayoutView view = LayoutView::of(*layout);
    const PageView& pages = layout->host_view();

    EXPECT_EQ(view.element_bytes(), 2u);
    EXPECT_EQ(view.find(Axis::Block)->stride, pages.block_stride);
    EXPECT_EQ(view.find(Axis::Block)->extent, 3u);
    EXPECT_EQ(view.region_axis().has_value(), pages.layer_bases != nullptr);
    if (!is_made_of_cells(layout->config().order)) continue;
    EXPECT_EQ(view.find(Axis::Layer)->stride, pages.layer_stride);
    EXPECT_EQ(view.find(Axis::Outer)->stride, pages.outer_stride);
  }
}

TEST(LayoutView, AddressesEveryElementOfEveryOrder) {
  for (const auto& layout : every_layout()) {
    const LayoutConfig& c = layout->config();
    if (c.order == InnerOrder::Unknown) continue;
    SCOPED_TRACE(text_of(*layout));
    const LayoutView view = LayoutView::of(*layout);
    for (std::uint32_t b = 0; b < c.blocks; ++b) {
      for (std::uint32_t l = 0; l < c.layers; ++l) {
        for (std::uint32_t o = 0; o < c.outer; ++o) {
          for (std::uint32_t t = 0; t < c.tokens; ++t) {
            for (std::uint32_t h = 0; h < *c.heads; ++h) {
              for (std::uint32_t d = 0; d < c.head_dim(); ++d) {
                ASSERT_EQ(
                    view.address_of({.block = b, .layer = l, .outer = o, .token = t, .head = h, .head_dim = d}).value(),
                    expected_address(*layout, b, l, o, place_in_page(c, l, o, t, h, d)));
              }
            }
          }
        }
      }
    }
  }
}

TEST(LayoutView, CellsOfUnknownOrderOrHeadsAreOnePayload) {
  LayoutConfig without_heads = viewed(InnerOrder::Nhd);
  without_heads.heads.reset();
  for (const LayoutConfig& config : {viewed(InnerOrder::Unknown), without_heads}) {
    for (const LayoutKind kind : kEveryLayoutKind) {
      const auto layout = host_layout(config, kind);
      const LayoutView view = LayoutView::of(*layout);

      EXPECT_EQ(view.axes().size(), 4u);
      EXPECT_EQ(view.find(Axis::Payload)->extent, 5u * 21);
      EXPECT_EQ(view.address_of({.block = 2, .layer = 3, .outer = 1, .payload = 104}).value(),
                layout->cell(2, 3, 1).value() + 104 * 2);
    }
  }
}

TEST(LayoutView, AnAddressTakesAnIndexOfEachAxisAndNoOther) {
  const auto layout = host_layout(viewed(InnerOrder::Unknown), LayoutKind::LayerSeparateBlockFirst);
  const LayoutView view = LayoutView::of(*layout);
  const auto refused = [&](const AxisIndices& indices) { return view.address_of(indices).error(); };

  EXPECT_EQ(refused({.layer = 0, .outer = 0, .payload = 0}).code, Code::IndexMissing);
  EXPECT_EQ(refused({.layer = 0, .outer = 0, .payload = 0}).text, "axis block has no index");
  EXPECT_EQ(refused({.block = 0, .outer = 0, .payload = 0}).text, "axis layer has no index");  // selects the region
  EXPECT_EQ(refused({.block = 0, .layer = 0, .outer = 0, .token = 0, .payload = 0}).code, Code::NoSuchAxis);
}

TEST(LayoutView, AnIndexBeyondItsAxisIsNamedWithTheLimit) {
  const auto layout = host_layout(viewed(InnerOrder::Hnd), LayoutKind::FullyContiguous);
  const LayoutView view = LayoutView::of(*layout);
  const AxisIndices first{.block = 0, .layer = 0, .outer = 0, .token = 0, .head = 0, .head_dim = 0};
  for (const ViewAxis& axis : view.axes()) {
    for (const std::uint64_t index : {axis.extent, axis.extent + 1, std::numeric_limits<std::uint64_t>::max()}) {
      AxisIndices indices = first;
      indices[axis.axis] = index;

      const auto address = view.address_of(indices);

      ASSERT_FALSE(address);
      EXPECT_EQ(address.error().code, Code::IndexOutOfRange);
      EXPECT_EQ(address.error().text, std::string(to_text(axis.axis)) + " " + std::to_string(index) +
                                          " is out of range, limit " + std::to_string(axis.extent));
    }
  }
}

TEST(LayoutView, AtOneIndexItIsWhatLiesThere) {
  for (const auto& layout : every_layout()) {
    SCOPED_TRACE(text_of(*layout));
    if (layout->config().order == InnerOrder::Unknown) continue;
    const LayoutView all = LayoutView::of(*layout);
    const LayoutView page = all.at(Axis::Block, 2).value();
    const LayoutView layer = page.at(Axis::Layer, 3).value();
    const AxisIndices indices{.outer = 1, .token = 4, .head = 2, .head_dim = 6};
    AxisIndices in_page = indices, in_all = indices;
    in_page.layer = in_all.layer = 3;
    in_all.block = 2;

    EXPECT_EQ(layer.address_of(indices).value(), all.address_of(in_all).value());
    EXPECT_EQ(page.address_of(in_page).value(), all.address_of(in_all).value());
    EXPECT_EQ(layer.region_axis(), std::nullopt);
    EXPECT_EQ(page.at(Axis::Block, 0).error().code, Code::NoSuchAxis);
    EXPECT_EQ(all.at(Axis::Block, 3).error().text, "block 3 is out of range, limit 3");
  }
}

TEST(LayoutView, FoldsTheAxesThatLeaveNoGap) {
  const std::uint64_t head = 7 * 2, cell = 5 * 21 * 2;
  const auto run = [](InnerOrder order, LayoutKind kind) {
    const auto layout = host_layout(viewed(order), kind);
    return LayoutView::of(*layout).run_bytes();
  };
  for (const InnerOrder order : {InnerOrder::Unknown, InnerOrder::Nhd, InnerOrder::Hnd}) {
    EXPECT_EQ(run(order, LayoutKind::FullyContiguous), 8 * cell);  // a block, and never two
    EXPECT_EQ(run(order, LayoutKind::LayerSeparateBlockFirst), 2 * cell);
    EXPECT_EQ(run(order, LayoutKind::LayerSeparateOuterFirst), cell);
  }
  EXPECT_EQ(run(InnerOrder::UniversalTp, LayoutKind::FullyContiguous), 8 * cell);
  const auto heads = [](InnerOrder order) {
    const auto layout = host_layout(viewed(order), LayoutKind::FullyContiguous);
    return LayoutView::of(*layout).slice(Axis::Head, 1, 2)->run_bytes();
  };
  EXPECT_EQ(heads(InnerOrder::Nhd), 2 * head);
  EXPECT_EQ(heads(InnerOrder::Hnd), 2 * 5 * head);
  EXPECT_EQ(heads(InnerOrder::UniversalTp), 2 * 4 * 2 * 5 * head);  // what the order is for
}

TEST(LayoutView, HasTheSameSignatureWhereverItsMemoryIs) {
  std::unordered_map<ViewSignature, std::string> plans;
  for (const auto& layout : every_layout()) {
    EXPECT_TRUE(plans.emplace(LayoutView::of(*layout).signature(), text_of(*layout)).second) << text_of(*layout);
  }
  for (const auto& layout : every_layout()) EXPECT_EQ(plans.at(LayoutView::of(*layout).signature()), text_of(*layout));
}

TEST(LayoutView, HasAnotherSignatureIfItsShapeDiffers) {
  const auto signature = [](LayoutConfig config) {
    const auto layout = host_layout(config, LayoutKind::LayerSeparateBlockFirst);
    return LayoutView::of(*layout).signature();
  };
  const LayoutConfig config = viewed(InnerOrder::Hnd);
  for (std::uint32_t LayoutConfig::*changed : {&LayoutConfig::blocks, &LayoutConfig::layers, &LayoutConfig::tokens}) {
    LayoutConfig other = config;
    other.*changed += 1;
    EXPECT_NE(signature(other), signature(config));
  }
  LayoutConfig other = config;
  other.element_bytes = 4;
  EXPECT_NE(signature(other), signature(config));
}

TEST(LayoutView, TakesNothingFromTheHeap) {
  const auto layout = host_layout(viewed(InnerOrder::Nhd), LayoutKind::LayerSeparateOuterFirst);
  const test::AllocationFault fault(0);

  const LayoutView view = LayoutView::of(*layout).at(Axis::Block, 1)->shard(Axis::Head, 2, 3).value();
  const auto address = view.address_of({.layer = 3, .outer = 1, .token = 4, .head = 0, .head_dim = 6});
  const std::size_t hash = std::hash<ViewSignature>()(view.signature());

  EXPECT_FALSE(fault.fired());
  EXPECT_TRUE(address);
  EXPECT_NE(hash, 0u);
}

}  // namespace
}  // namespace kvbm
