#include "kernels/permute_cells.cuh"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "tests/kernels/permute_checks.hpp"

namespace kvbm::kernels {
namespace {

using test::HostWorld;

static_assert(std::is_trivially_copyable_v<PermutePieces>);

class PermuteCellsOnHost : public testing::Test {
 protected:
  HostWorld world_;
};

TEST_F(PermuteCellsOnHost, MovesRowsOfEveryWidthBetweenAllOrders) { test::check_permute_of_every_width(world_); }

TEST_F(PermuteCellsOnHost, MovesRowsOfUnusualShapes) { test::check_permute_of_unusual_shapes(world_); }

TEST_F(PermuteCellsOnHost, MovesSomeLayersAndNoOthers) { test::check_permute_of_some_layers(world_); }

TEST_F(PermuteCellsOnHost, MovesLayerSeparatePages) { test::check_permute_of_layer_separate_pages(world_); }

TEST_F(PermuteCellsOnHost, MovesRowsAtEveryMisalignment) { test::check_permute_at_every_misalignment(world_); }

TEST_F(PermuteCellsOnHost, MovesAProductionShape) { test::check_permute_of_a_production_shape(world_, 3, 8); }

TEST_F(PermuteCellsOnHost, TouchesNothingIfThereIsNothingToDo) { test::check_permute_of_nothing(world_); }

// What a warp does: lanes one after the other, pieces in any order.
TEST_F(PermuteCellsOnHost, AnySplitOverLanesMovesTheSameBytes) {
  test::for_each_order_pair({}, [&](const test::PermuteCase& c) {
    const test::PageShape shape{.blocks = 1, .layers = 2, .outer = 2, .cell_bytes = 16 * 8 * 48};
    test::TestPages source(world_, shape);
    source.randomize(5);
    const BlockPair pair{0, 0};
    std::vector<std::vector<std::byte>> results;
    for (std::uint32_t lanes : {1u, 3u, 32u}) {
      test::TestPages target(world_, shape);
      const PermutePieces pieces(
          {source.view(), target.view(), c.source_order, c.target_order, &pair, 1, {0, 2}, 2, 2, 16, 8, 48, 0});
      for (std::uint64_t i = pieces.count(); i-- > 0;) {
        for (std::uint32_t lane = 0; lane < lanes; ++lane) pieces(i, lane, lanes);
      }
      results.push_back(target.snapshot());
    }
    EXPECT_EQ(results[1], results[0]);
    EXPECT_EQ(results[2], results[0]);
  });
}

TEST(PermuteCells, GoesBetweenOrdersOfRowsOnly) {
  for (InnerOrder source : test::kRowOrders) {
    for (InnerOrder target : test::kRowOrders) EXPECT_TRUE(can_permute(source, target));
    for (InnerOrder none : {InnerOrder::Unknown, InnerOrder::UniversalPp}) {
      EXPECT_FALSE(can_permute(source, none));
      EXPECT_FALSE(can_permute(none, source));
    }
  }
}

TEST(PermuteCells, ThereIsAKernelForEveryTransform) {
  for (InnerOrder source : test::kRowOrders) {
    for (InnerOrder target : test::kRowOrders) {
      EXPECT_TRUE(transform_between(source, target).has_value() && can_permute(source, target));
    }
  }
}

TEST(PermuteCellsDeathTest, OrdersWithoutKernelAreABug) {
  const PermuteCells none{{}, {}, InnerOrder::Nhd, InnerOrder::UniversalPp, nullptr, 0, {0, 0}, 1, 1, 1, 1, 16, 0};
  EXPECT_DEATH(static_cast<void>(permute_cells(none)), "there is a kernel between these orders");
}

TEST(PermuteCellsDeathTest, LayersBeyondThePageAreABug) {
  const PermuteCells beyond{{}, {}, InnerOrder::Nhd, InnerOrder::Hnd, nullptr, 0, {0, 2}, 1, 1, 1, 1, 16, 0};
  EXPECT_DEATH(static_cast<void>(permute_cells(beyond)), "layers lie within the page");
}

}  // namespace
}  // namespace kvbm::kernels
