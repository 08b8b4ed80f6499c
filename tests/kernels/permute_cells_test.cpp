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

TEST_F(PermuteCellsOnHost, MovesPartsOfPagesBetweenPlacesOfAnyAlignment) { test::check_permute_of_parts(world_); }

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
      const RowGrid rows{16, 8, 48};
      const PermutePieces pieces(
          {{source.view(), c.source_order, rows}, {target.view(), c.target_order, rows}, &pair, 1, {0, 2}, 2, rows, 0});
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

TEST(PermuteCells, EveryOrderGoesToItself) {
  for (InnerOrder order : {InnerOrder::Unknown, InnerOrder::UniversalPp}) EXPECT_TRUE(can_permute(order, order));
}

TEST(PermuteCells, CountsRowsAndTheirBytesIn32Bits) {
  EXPECT_TRUE(can_count({1, 1, 0x7FFF'FFFF}));
  EXPECT_FALSE(can_count({1, 1, 0x8000'0000}));
  EXPECT_TRUE(can_count({0xFFFF, 0x1'0001, 16}));
  EXPECT_FALSE(can_count({0x1'0000, 0x1'0000, 16}));
}

TEST(PermuteCells, ThereIsAKernelForEveryTransform) {
  for (InnerOrder source : test::kRowOrders) {
    for (InnerOrder target : test::kRowOrders) {
      EXPECT_TRUE(transform_between(source, target).has_value() && can_permute(source, target));
    }
  }
}

constexpr RowGrid kOneRow{1, 1, 16};

PermuteCells nothing(InnerOrder source, InnerOrder target, LayerRange layers) {
  const PageView view{.layers = 1, .outer = 1};
  return {{view, source, kOneRow}, {view, target, kOneRow}, nullptr, 0, layers, 1, kOneRow, 0};
}

TEST(PermuteCellsDeathTest, OrdersWithoutKernelAreABug) {
  const PermuteCells none = nothing(InnerOrder::Nhd, InnerOrder::UniversalPp, {0, 0});
  EXPECT_DEATH(static_cast<void>(permute_cells(none)), "there is a kernel between these orders");
}

TEST(PermuteCellsDeathTest, APartBeyondThePageIsABug) {
  const PermuteCells layers = nothing(InnerOrder::Nhd, InnerOrder::Hnd, {0, 2});
  EXPECT_DEATH(static_cast<void>(permute_cells(layers)), "what moves lies within the page");
  PermuteCells heads = nothing(InnerOrder::Nhd, InnerOrder::Hnd, {0, 1});
  heads.rows.heads = 2;
  heads.source.rows.heads = 2;
  EXPECT_DEATH(static_cast<void>(permute_cells(heads)), "what moves lies within the page");
}

}  // namespace
}  // namespace kvbm::kernels
