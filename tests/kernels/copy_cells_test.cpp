#include "kernels/copy_cells.cuh"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "tests/kernels/copy_checks.hpp"

namespace kvbm::kernels {
namespace {

using test::HostWorld;

static_assert(std::is_trivially_copyable_v<CopyPieces> && std::is_trivially_copyable_v<CopyPiece>);

class CopyCellsOnHost : public testing::Test {
 protected:
  HostWorld world_;
};

TEST_F(CopyCellsOnHost, MovesCellsOfAnySizeBetweenAllKinds) {
  test::check_copy_between_all_kinds(world_, copy_cells,
                                     {1, 2, 3, 15, 16, 17, 999, 4096, 8191, 8192, 8192 + 17, 40960});
}

TEST_F(CopyCellsOnHost, MovesSomeLayersAndNoOthers) { test::check_copy_of_some_layers(world_, copy_cells); }

TEST_F(CopyCellsOnHost, MovesKeysAndValuesAsOneFragment) { test::check_copy_of_folded_fragments(world_, copy_cells); }

TEST_F(CopyCellsOnHost, MovesBytesAtEveryMisalignment) { test::check_copy_at_every_misalignment(world_, copy_cells); }

TEST_F(CopyCellsOnHost, MovesMorePairsThanAnyGrid) { test::check_copy_of_many_pairs(world_, copy_cells, 70'001, 0); }

TEST_F(CopyCellsOnHost, TouchesNothingIfThereIsNothingToDo) { test::check_copy_of_nothing(world_, copy_cells); }

TEST_F(CopyCellsOnHost, BulkMovesCellsBetweenAllKinds) {
  test::check_copy_between_all_kinds(world_, bulk_copy_cells, {16, 4096, 16384, 16384 + 48});
}

TEST_F(CopyCellsOnHost, BulkMovesSomeLayersAndNoOthers) { test::check_copy_of_some_layers(world_, bulk_copy_cells); }

TEST_F(CopyCellsOnHost, BulkTouchesNothingIfThereIsNothingToDo) {
  test::check_copy_of_nothing(world_, bulk_copy_cells);
}

// What a warp does: lanes one after the other, none of which may count on another.
TEST(CopyPieces, AnySplitOverLanesMovesTheSameBytes) {
  for (std::size_t misalignment : {0u, 1u, 2u, 4u, 8u}) {
    for (std::uint32_t bytes : {1u, 15u, 16u, 512u, 4096u, 8191u, 8192u}) {
      HostWorld world;
      const test::PageShape shape{
          .blocks = 1, .layers = 1, .outer = 1, .cell_bytes = bytes, .misalignment = misalignment};
      test::TestPages source(world, shape);
      source.randomize(bytes);
      const std::vector<std::byte> expected = source.snapshot();
      for (std::uint32_t lanes : {1u, 2u, 7u, 32u}) {
        test::TestPages target(world, shape);
        for (std::uint32_t lane = 0; lane < lanes; ++lane) {
          MovePiece{}({source.view().base, target.view().base, bytes}, lane, lanes);
        }
        target.expect_equal(expected);
      }
    }
  }
}

TEST(CopyPieces, CoverAFragmentBeyond2To31BytesWithoutGap) {
  constexpr std::uint64_t kBytes = (std::uint64_t{5} << 30) + 123;
  std::byte* const base = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 40);
  const PageView view{.base = base, .block_stride = kBytes, .layers = 1, .outer = 1};
  const BlockPair pair{1, 0};
  const CopyPieces pieces({view, view, &pair, 1, {0, 1}, 1, kBytes, 0}, kWarpPieceBytes);

  std::uint64_t moved = 0;
  for (std::uint64_t i = 0; i < pieces.count(); ++i) {
    const CopyPiece piece = pieces.piece(i);
    ASSERT_EQ(piece.source, base + kBytes + moved);
    ASSERT_EQ(piece.target, base + moved);
    moved += piece.bytes;
  }
  EXPECT_EQ(moved, kBytes);
}

TEST(CopyPieces, ReachTheTopIdsOfALargeLayout) {
  constexpr std::uint32_t kMost = 0xFFFF'FFFEu;
  std::byte* const base = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 40);
  const PageView view{
      .base = base, .block_stride = 4096, .layer_stride = 64, .outer_stride = 32, .layers = 64, .outer = 2};
  const BlockPair pair{kMost, kMost - 1};
  const CopyPieces pieces({view, view, &pair, 1, {0, 64}, 2, 32, 0}, kWarpPieceBytes);

  ASSERT_EQ(pieces.count(), 128u);
  EXPECT_EQ(pieces.piece(127).source, base + std::uint64_t{kMost} * 4096 + 63 * 64 + 32);
  EXPECT_EQ(pieces.piece(127).target, base + std::uint64_t{kMost - 1} * 4096 + 63 * 64 + 32);
}

TEST(CopyPieces, ACountOf32BitsOfPairsIsCountedIn64) {
  constexpr std::uint32_t kPairs = 0xFFFF'FFFFu;
  const PageView view{.layers = 80, .outer = 2};
  const CopyPieces pieces({view, view, nullptr, kPairs, {0, 80}, 2, 8193, 0}, kWarpPieceBytes);

  EXPECT_EQ(pieces.count(), std::uint64_t{kPairs} * 80 * 2 * 2);
}

// Ids at the top of a layout of more than 4 GiB, of which only what is touched takes memory.
TEST(CopyCells, MovesPagesBeyond4GiB) {
  constexpr std::uint64_t kStride = std::uint64_t{1} << 30;
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(5 * kStride);
  const PageView view{.base = memory.get(), .block_stride = kStride, .cell_bytes = 100, .layers = 1, .outer = 1};
  const BlockPair pair{0, 4};
  for (int i = 0; i < 100; ++i) memory[i] = static_cast<std::byte>(i + 1);

  copy_cells({view, view, &pair, 1, {0, 1}, 1, 100, 0}).run_on_host();

  for (int i = 0; i < 100; ++i) ASSERT_EQ(memory[4 * kStride + i], static_cast<std::byte>(i + 1));
}

TEST(CopyCellsCall, NamesItselfAndSaysWhetherItRunsOnCuda) {
  const KernelCall call = copy_cells({{}, {}, nullptr, 0, {0, 0}, 0, 0, 0});

  EXPECT_STREQ(call.name(), "kvbm.copy_cells");
  EXPECT_FALSE(call.runs_on_cuda());  // nobody has opened a CUDA device
}

TEST(CopyCellsDeathTest, PairsThatAreNotThereAreABug) {
  EXPECT_DEATH(static_cast<void>(copy_cells({{}, {}, nullptr, 1, {0, 1}, 1, 64, 0})), "has block pairs");
  EXPECT_DEATH(static_cast<void>(bulk_copy_cells({{}, {}, nullptr, 1, {0, 1}, 1, 64, 0})), "has block pairs");
}

TEST(CopyCellsDeathTest, BulkCopiesOffMultiplesOf16AreABug) {
  const auto copy = [](std::uint64_t fragment_bytes, std::uint64_t block_stride) {
    const PageView view{.block_stride = block_stride};
    static_cast<void>(bulk_copy_cells({view, {}, nullptr, 0, {0, 1}, 1, fragment_bytes, 0}));
  };
  copy(32, 48);
  EXPECT_DEATH(copy(17, 48), "multiples of 16");
  EXPECT_DEATH(copy(32, 40), "multiples of 16");
}

}  // namespace
}  // namespace kvbm::kernels
