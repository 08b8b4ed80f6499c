#include <cuda_runtime_api.h>

#include <algorithm>
#include <cuda/ptx>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/copy_cells.cuh"
#include "kernels/launchers.hpp"
#include "kernels/warp_grid.cuh"

namespace kvbm::kernels {
namespace {

namespace ptx = cuda::ptx;

__global__ void __launch_bounds__(kGridThreads) copy_cells_kernel(const __grid_constant__ CopyPieces pieces) {
  for (std::uint64_t i = first_warp(); i < pieces.count(); i += warps_of_grid()) {
    MovePiece{}(pieces.piece(i), lane_of_warp(), kWarpThreads);
  }
}

constexpr unsigned kStages = 12;
constexpr unsigned kRingBytes = kStages * kBulkPieceBytes;  // 192 KiB: one thread block per multiprocessor
constexpr std::uint32_t kBulkGridMax = 8;                   // keeps a link to the host busy

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
// Stages in shared memory, each between a bulk copy in, whose end a barrier tells, and one out, counted as a bulk
// group. One thread drives the ring.
class BulkRing {
 public:
  __device__ BulkRing(const CopyPieces& pieces, unsigned char* stages, std::uint64_t* arrived)
      : pieces_(pieces), stages_(stages), arrived_(arrived), next_in_(blockIdx.x), next_out_(blockIdx.x) {
    for (unsigned i = 0; i < kStages; ++i) ptx::mbarrier_init(&arrived_[i], 1);
    ptx::fence_proxy_async(ptx::space_shared);  // bulk copies see the barriers
  }

  __device__ void run() {
    for (unsigned i = 0; i + 1 < kStages; ++i) copy_in();
    while (next_out_ < pieces_.count()) {
      copy_out();
      // The next copy in takes the stage of the copy out before the last, which must have been read.
      ptx::cp_async_bulk_wait_group_read(ptx::n32_t<1>{});
      copy_in();
    }
    ptx::cp_async_bulk_wait_group(ptx::n32_t<0>{});
  }

 private:
  __device__ void copy_in() {
    if (next_in_ >= pieces_.count()) return;
    const CopyPiece piece = pieces_.piece(next_in_);
    next_in_ += gridDim.x;
    ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta, ptx::space_shared, &arrived_[stage_in_],
                                   piece.bytes);
    ptx::cp_async_bulk(ptx::space_cluster, ptx::space_global, stages_ + stage_in_ * kBulkPieceBytes, piece.source,
                       piece.bytes, &arrived_[stage_in_]);
    stage_in_ = stage_in_ + 1 == kStages ? 0 : stage_in_ + 1;
  }

  __device__ void copy_out() {
    const CopyPiece piece = pieces_.piece(next_out_);
    next_out_ += gridDim.x;
    while (!ptx::mbarrier_try_wait_parity(&arrived_[stage_out_], round_ & 1)) continue;
    ptx::cp_async_bulk(ptx::space_global, ptx::space_shared, piece.target, stages_ + stage_out_ * kBulkPieceBytes,
                       piece.bytes);
    ptx::cp_async_bulk_commit_group();
    if (++stage_out_ == kStages) {
      stage_out_ = 0;
      ++round_;
    }
  }

  const CopyPieces& pieces_;
  unsigned char* stages_;
  std::uint64_t* arrived_;
  std::uint64_t next_in_;  // pieces
  std::uint64_t next_out_;
  unsigned stage_in_ = 0;
  unsigned stage_out_ = 0;
  std::uint32_t round_ = 0;
};
#endif

__global__ void __launch_bounds__(kWarpThreads) bulk_copy_cells_kernel(const __grid_constant__ CopyPieces pieces) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) unsigned char stages[];
  __shared__ std::uint64_t arrived[kStages];
  if (threadIdx.x == 0) BulkRing(pieces, stages, arrived).run();
#else
  __trap();  // the launcher refuses
#endif
}

void require_bulk_copies() {
  int device = 0;
  int major = 0;
  KVBM_CUDA_TRY(cudaGetDevice(&device));
  KVBM_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  if (major < 9) throw_cuda_error(cudaErrorNotSupported, "bulk copy below compute capability 9.0", __FILE__, __LINE__);
}

}  // namespace

void launch_copy_cells(const CopyCells& copy, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.copy_cells");
  const CopyPieces pieces(copy, kWarpPieceBytes);
  if (pieces.count() == 0) return;
  copy_cells_kernel<<<warp_grid(pieces.count(), copy.grid_max), kGridThreads, 0, stream.handle()>>>(pieces);
  KVBM_CUDA_TRY(cudaGetLastError());
}

void launch_bulk_copy_cells(const CopyCells& copy, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.bulk_copy_cells");
  const CopyPieces pieces(copy, kBulkPieceBytes);
  if (pieces.count() == 0) return;
  require_bulk_copies();
  KVBM_CUDA_TRY(cudaFuncSetAttribute(bulk_copy_cells_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kRingBytes));
  const std::uint64_t grid_max = copy.grid_max == 0 ? kBulkGridMax : copy.grid_max;
  const auto grid = static_cast<unsigned>(std::min(pieces.count(), grid_max));
  bulk_copy_cells_kernel<<<grid, kWarpThreads, kRingBytes, stream.handle()>>>(pieces);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace kvbm::kernels
