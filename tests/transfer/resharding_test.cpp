#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/layout/layout_view.hpp"
#include "kvbm/layout/view_overlap.hpp"
#include "kvbm/transfer/transfer_engine.hpp"
#include "tests/support/guarded_pages.hpp"

// Ranks that share a cache out one way hand its pages over to ranks that do it another way: what two of them have in
// common is what moves between them.

namespace kvbm {
namespace {

using test::GuardedPages;

constexpr LayoutConfig kWhole{
    .blocks = 5, .layers = 12, .outer = 2, .tokens = 3, .inner = 60, .heads = 12, .element_bytes = 2};

/// The pages of one rank, and what they are of the whole.
struct Rank {
  GuardedPages pages;
  LayoutView view;
};

/// The pages of a rank as the whole has them: [block, layer, outer, token, head, head_dim] counted through.
std::uint16_t content(const LayoutView& view, const AxisIndices& indices) {
  std::uint64_t number = 0;
  for (const Axis axis : {Axis::Block, Axis::Layer, Axis::Outer, Axis::TokenInBlock, Axis::Head, Axis::HeadDim}) {
    const ViewAxis& each = *view.find(axis);
    number = number * each.whole + each.start + *indices[axis];
  }
  return static_cast<std::uint16_t>(number * 40'503 + 1);
}

class Resharding : public testing::Test {
 protected:
  /// `world` ranks that have equal shares of an axis.
  std::deque<Rank> ranks(Axis axis, std::uint32_t world, InnerOrder order, GuardedPages::Place place) {
    LayoutConfig config = kWhole;
    config.order = order;
    if (axis == Axis::Layer) config.layers /= world;
    if (axis == Axis::Head) config.heads = *config.heads / world;
    if (axis == Axis::Head) config.inner /= world;
    std::deque<Rank> made;
    for (std::uint32_t rank = 0; rank < world; ++rank) {
      GuardedPages pages(device_, config, place);
      LayoutView view = LayoutView::of(*pages.layout());
      const std::uint64_t extent = view.find(axis)->extent;
      view = view.as_part_of(axis, rank * extent, world * extent).value();
      made.push_back({std::move(pages), view});
    }
    return made;
  }

  /// Calls visit(element of the memory of an emulated device or the host, what the whole has there).
  template <class Visit>
  static void for_each_element(const Rank& rank, const Visit& visit) {
    AxisIndices at;
    const auto along = [&](const auto& self, std::span<const ViewAxis> axes) -> void {
      if (axes.empty()) {
        return visit(*reinterpret_cast<std::uint16_t*>(rank.view.address_of(at).value()), content(rank.view, at));
      }
      for (std::uint64_t i = 0; i < axes.front().extent; ++i) {
        at[axes.front().axis] = i;
        self(self, axes.subspan(1));
      }
    };
    along(along, rank.view.axes());
  }

  /// Every source sends every target what they have in common.
  void expect_handed_over(std::deque<Rank> sources, std::deque<Rank> targets) {
    for (const Rank& rank : sources) {
      for_each_element(rank, [](std::uint16_t& element, std::uint16_t is) { element = is; });
    }
    for (Rank& rank : targets) static_cast<void>(rank.pages.fill(random_));
    std::vector<BlockPair> blocks;
    for (BlockId block = 0; block < kWhole.blocks; ++block) blocks.push_back({block, block});
    std::vector<Completion> completions;
    for (const Rank& source : sources) {
      for (const Rank& target : targets) {
        const auto overlap = intersect(source.view, target.view).value();
        if (!overlap) continue;
        const std::vector<AxisSlice> slices = slices_of(*overlap);
        completions.push_back(engine_
                                  .submit({.source = source.pages.layout(),
                                           .target = target.pages.layout(),
                                           .blocks = blocks,
                                           .slices = slices})
                                  .value());
      }
    }
    ASSERT_FALSE(Completion::all(completions).wait().error);

    std::size_t wrong = 0;
    for (const Rank& rank : targets) {
      for_each_element(rank, [&](std::uint16_t element, std::uint16_t is) { wrong += element != is; });
    }
    EXPECT_EQ(wrong, 0u);
  }

  std::mt19937_64 random_{5};
  std::shared_ptr<Device> device_ = EmulatedDevice::create({.delay_seed = 3});
  TransferEngine engine_{device_, {.transfers_max = 8, .calibrate = false}};
};

constexpr GuardedPages::Place kCache{LayoutKind::LayerSeparateOuterFirst, MemoryKind::Device};
constexpr GuardedPages::Place kStore{LayoutKind::FullyContiguous, MemoryKind::Pinned};

TEST(SlicesOf, AreAllAxesOfAnOverlapButBlocks) {
  ViewOverlap overlap;
  overlap.parts = {{{Axis::Head, 1, 2, 3}, {Axis::Block, 0, 0, 9}, {Axis::Layer, 0, 4, 2}}};
  overlap.count = 3;
  EXPECT_EQ(slices_of(overlap), (std::vector<AxisSlice>{{Axis::Head, 1, 2, 3}, {Axis::Layer, 0, 4, 2}}));
}

TEST_F(Resharding, BetweenWorldsOfHeadsOfAnySize) {
  for (const std::uint32_t from : {1u, 2u, 3u, 4u}) {
    for (const std::uint32_t to : {1u, 2u, 3u, 4u, 6u}) {
      SCOPED_TRACE(testing::Message() << from << " ranks to " << to);
      expect_handed_over(ranks(Axis::Head, from, InnerOrder::Nhd, kCache),
                         ranks(Axis::Head, to, InnerOrder::Hnd, kStore));
    }
  }
}

TEST_F(Resharding, FromTwoRanksOfHeadsToFourByAUniversalStore) {
  expect_handed_over(ranks(Axis::Head, 2, InnerOrder::Nhd, kCache),
                     ranks(Axis::Head, 1, InnerOrder::UniversalTp, kStore));
  expect_handed_over(ranks(Axis::Head, 1, InnerOrder::UniversalTp, kStore),
                     ranks(Axis::Head, 4, InnerOrder::Nhd, kCache));
}

TEST_F(Resharding, FromRanksOfHeadsToStagesOfLayersAndBack) {
  expect_handed_over(ranks(Axis::Head, 3, InnerOrder::Hnd, kCache), ranks(Axis::Layer, 4, InnerOrder::Hnd, kStore));
  expect_handed_over(ranks(Axis::Layer, 4, InnerOrder::UniversalTp, kStore),
                     ranks(Axis::Head, 3, InnerOrder::Nhd, kCache));
}

}  // namespace
}  // namespace kvbm
