#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <vector>

#include "cuda/kernel_registration.hpp"
#include "kvbm/cuda/device_probe.hpp"
#include "kvbm/cuda/error.hpp"
#include "tests/kernels/checksum_checks.hpp"
#include "tests/kernels/copy_checks.hpp"
#include "tests/kernels/cub_reference.hpp"
#include "tests/kernels/permute_checks.hpp"

namespace kvbm::kernels {
namespace {

// A GPU, and memory that it and the CPU reach at the same addresses.
class GpuWorld {
 public:
  GpuWorld() {
    register_kernels();
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
  }
  GpuWorld(const GpuWorld&) = delete;
  GpuWorld& operator=(const GpuWorld&) = delete;
  ~GpuWorld() {
    for (void* memory : memory_) EXPECT_EQ(cudaFree(memory), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
  }

  std::byte* allocate(std::size_t bytes) {
    void* memory = nullptr;
    if (cudaMallocManaged(&memory, bytes) != cudaSuccess) throw std::bad_alloc();
    memory_.push_back(memory);
    return static_cast<std::byte*>(memory);
  }
  void run(const KernelCall& call) {
    call.launch(stream());
    ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess) << call.name();
  }
  StreamView stream() const { return StreamView(stream_); }

 private:
  cudaStream_t stream_ = nullptr;
  std::vector<void*> memory_;
};

class KernelsOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    const DeviceProbe probe = probe_devices();
    if (probe.devices.empty()) GTEST_SKIP() << probe.problem;
    has_bulk_copies_ = probe.devices[0].compute_major >= 9;
    world_.emplace();
  }

  std::optional<GpuWorld> world_;
  bool has_bulk_copies_ = false;
};

TEST(RegisterKernels, GivesEveryCallItsLauncher) {
  register_kernels();

  EXPECT_TRUE(copy_cells({{}, {}, nullptr, 0, {}, 0, 0, 0}).runs_on_cuda());
  EXPECT_TRUE(bulk_copy_cells({{}, {}, nullptr, 0, {}, 0, 0, 0}).runs_on_cuda());
  EXPECT_TRUE(
      permute_cells({{{}, InnerOrder::Nhd, {}}, {{}, InnerOrder::Hnd, {}}, nullptr, 0, {}, 0, {}, 0}).runs_on_cuda());
  EXPECT_TRUE(checksum_pages({{}, nullptr, 0, {}, nullptr}).runs_on_cuda());
  EXPECT_TRUE(fill_pages({{}, nullptr, 0, {}, FillPattern::Constant, 0}).runs_on_cuda());
}

TEST(RegisterKernels, ALaunchWithoutADeviceThrows) {
  if (!probe_devices().devices.empty()) GTEST_SKIP() << "there is a device";
  register_kernels();
  const BlockPair pair{0, 0};

  const CopyCells copy{{.layers = 1, .outer = 1}, {.layers = 1, .outer = 1}, &pair, 1, {0, 1}, 1, 64, 0};
  EXPECT_THROW(copy_cells(copy).launch(StreamView(nullptr)), CudaError);
  EXPECT_THROW(bulk_copy_cells(copy).launch(StreamView(nullptr)), CudaError);
  EXPECT_NO_THROW(copy_cells({{}, {}, nullptr, 0, {}, 0, 0, 0}).launch(StreamView(nullptr)));
}

// ---- copies ----

TEST_F(KernelsOnGpu, CopyMovesCellsOfAnySizeBetweenAllKinds) {
  test::check_copy_between_all_kinds(*world_, copy_cells,
                                     {1, 2, 3, 15, 16, 17, 999, 4096, 8191, 8192, 8192 + 17, 40960});
}

TEST_F(KernelsOnGpu, CopyMovesSomeLayersAndFoldedFragments) {
  test::check_copy_of_some_layers(*world_, copy_cells);
  test::check_copy_of_folded_fragments(*world_, copy_cells);
}

TEST_F(KernelsOnGpu, CopyMovesBytesAtEveryMisalignment) { test::check_copy_at_every_misalignment(*world_, copy_cells); }

TEST_F(KernelsOnGpu, CopyMovesMorePairsThanTheGridHasWarps) {
  test::check_copy_of_many_pairs(*world_, copy_cells, 70'001, 0);
  test::check_copy_of_many_pairs(*world_, copy_cells, 70'001, 2);
}

TEST_F(KernelsOnGpu, CopyTouchesNothingIfThereIsNothingToDo) { test::check_copy_of_nothing(*world_, copy_cells); }

TEST_F(KernelsOnGpu, BulkCopyMovesCellsBetweenAllKinds) {
  if (!has_bulk_copies_) GTEST_SKIP() << "below compute capability 9.0";
  test::check_copy_between_all_kinds(*world_, bulk_copy_cells, {16, 4096, 16384, 16384 + 48, 524288});
  test::check_copy_of_some_layers(*world_, bulk_copy_cells);
  test::check_copy_of_folded_fragments(*world_, bulk_copy_cells);
  test::check_copy_of_nothing(*world_, bulk_copy_cells);
}

// More pieces than one ring has stages, for one thread block and for more than there are multiprocessors.
TEST_F(KernelsOnGpu, BulkCopyMovesManyPairsOnAnyGrid) {
  if (!has_bulk_copies_) GTEST_SKIP() << "below compute capability 9.0";
  for (std::uint32_t grid_max : {0u, 1u, 3u, 500u}) {
    test::check_copy_of_many_pairs(*world_, bulk_copy_cells, 5000, grid_max);
  }
}

TEST_F(KernelsOnGpu, BulkCopyIsRefusedBelowComputeCapability9) {
  if (has_bulk_copies_) GTEST_SKIP() << "it works here";
  const BlockPair pair{0, 0};
  EXPECT_THROW(bulk_copy_cells({{}, {}, &pair, 1, {0, 1}, 1, 64, 0}).launch(world_->stream()), CudaError);
}

TEST_F(KernelsOnGpu, CopyMovesAFragmentBeyond2To31Bytes) {
  constexpr std::uint64_t kBytes = (std::uint64_t{1} << 31) + 4096 + 48;
  const PageView view{
      .base = world_->allocate(2 * kBytes), .block_stride = kBytes, .cell_bytes = kBytes, .layers = 1, .outer = 1};
  const auto* blocks = test::copied_to(*world_, std::vector<BlockId>{0, 1});
  const auto* pair = test::copied_to(*world_, std::vector<BlockPair>{{0, 1}});
  auto* sums = test::copied_to(*world_, std::vector<std::uint64_t>{0, 0});

  world_->run(fill_pages({view, blocks, 2, {0, 1}, FillPattern::Random, 5}));
  world_->run(checksum_pages({view, blocks, 2, {0, 1}, sums}));
  ASSERT_NE(sums[0], sums[1]);
  world_->run(copy_cells({view, view, pair, 1, {0, 1}, 1, kBytes, 0}));
  world_->run(checksum_pages({view, blocks, 2, {0, 1}, sums}));

  EXPECT_EQ(sums[0], sums[1]);
}

TEST_F(KernelsOnGpu, CopyReachesPagesBeyond4GiB) {
  constexpr std::uint64_t kStride = std::uint64_t{1} << 30;
  std::byte* base = world_->allocate(5 * kStride);
  const PageView view{.base = base, .block_stride = kStride, .cell_bytes = 96, .layers = 1, .outer = 1};
  const auto* pair = test::copied_to(*world_, std::vector<BlockPair>{{0, 4}});
  for (int i = 0; i < 96; ++i) base[i] = static_cast<std::byte>(i + 1);

  world_->run(copy_cells({view, view, pair, 1, {0, 1}, 1, 96, 0}));

  for (int i = 0; i < 96; ++i) ASSERT_EQ(base[4 * kStride + i], static_cast<std::byte>(i + 1));
}

// ---- permutations ----

TEST_F(KernelsOnGpu, PermuteMovesRowsOfEveryWidthAndShape) {
  test::check_permute_of_every_width(*world_);
  test::check_permute_of_unusual_shapes(*world_);
}

TEST_F(KernelsOnGpu, PermuteMovesSomeLayersOfAnyLayout) {
  test::check_permute_of_some_layers(*world_);
  test::check_permute_of_layer_separate_pages(*world_);
}

TEST_F(KernelsOnGpu, PermuteMovesRowsAtEveryMisalignment) { test::check_permute_at_every_misalignment(*world_); }

TEST_F(KernelsOnGpu, PermuteMovesPartsOfPages) { test::check_permute_of_parts(*world_); }

TEST_F(KernelsOnGpu, PermuteMovesAProductionShape) { test::check_permute_of_a_production_shape(*world_, 6, 80); }

TEST_F(KernelsOnGpu, PermuteTouchesNothingIfThereIsNothingToDo) { test::check_permute_of_nothing(*world_); }

// ---- checksums and fills ----

TEST_F(KernelsOnGpu, SumsAreTheHosts) { test::check_sums_are_the_hosts(*world_); }

TEST_F(KernelsOnGpu, FillsWriteTheHostsBytesAndNothingBeside) {
  test::check_fills_of_known_bytes(*world_, fill_pages);
  test::check_random_fill_is_the_hosts(*world_, fill_pages);
}

TEST_F(KernelsOnGpu, SumsAndFillsTouchNothingIfThereIsNothingToDo) { test::check_sums_and_fills_of_nothing(*world_); }

// ---- the same functors under CUB ----

TEST_F(KernelsOnGpu, CubMovesTheSameBytesAsTheCopyKernel) {
  test::check_copy_between_all_kinds(*world_, test::cub_copy_cells, {1, 17, 999, 8192 + 17});
  test::check_copy_at_every_misalignment(*world_, test::cub_copy_cells);
}

TEST_F(KernelsOnGpu, CubMovesTheSameRowsAsThePermuteKernel) {
  test::for_each_order_pair({.make = &test::cub_permute_cells, .row_bytes = 48},
                            [&](const test::PermuteCase& c) { test::expect_permuted(*world_, c); });
}

TEST_F(KernelsOnGpu, CubFillsTheSameBytes) {
  test::check_fills_of_known_bytes(*world_, test::cub_fill_pages);
  test::check_random_fill_is_the_hosts(*world_, test::cub_fill_pages);
}

// An oracle that shares no code with kvbm: CUB's batched copy, from the addresses of the cells.
TEST_F(KernelsOnGpu, CopyMovesWhatABatchOfCubMoves) {
  const test::PageShape shape{.kind = LayoutKind::LayerSeparateOuterFirst, .blocks = 40, .cell_bytes = 1000};
  test::TestPages source(*world_, shape), ours(*world_, shape), theirs(*world_, shape);
  source.randomize(1);
  std::vector<BlockPair> pairs;
  std::vector<const std::byte*> from;
  std::vector<std::byte*> to;
  for (BlockId block = 0; block < 40; ++block) pairs.push_back({block, 39 - block});
  for (BlockPair pair : pairs) {
    for (std::uint32_t layer = 0; layer < 3; ++layer) {
      for (std::uint32_t outer = 0; outer < 2; ++outer) {
        from.push_back(source.view().cell(pair.source, layer, outer));
        to.push_back(theirs.view().cell(pair.target, layer, outer));
      }
    }
  }
  const auto count = static_cast<std::uint32_t>(from.size());
  const auto* from_there = test::copied_to(*world_, from);
  const auto* to_there = test::copied_to(*world_, to);
  const auto* bytes = test::copied_to(*world_, std::vector<std::uint32_t>(count, 1000));
  std::size_t scratch_bytes = 0;
  ASSERT_EQ(test::cub_copy_batch(nullptr, scratch_bytes, from_there, to_there, bytes, count, world_->stream()), 0);
  ASSERT_EQ(test::cub_copy_batch(world_->allocate(scratch_bytes), scratch_bytes, from_there, to_there, bytes, count,
                                 world_->stream()),
            0);
  world_->run(copy_cells({source.view(), ours.view(), test::copied_to(*world_, pairs), 40, {0, 3}, 2, 1000, 0}));

  ours.expect_equal(theirs.snapshot());
}

}  // namespace
}  // namespace kvbm::kernels
