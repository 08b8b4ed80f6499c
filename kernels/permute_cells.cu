#include <cuda_runtime_api.h>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/launchers.hpp"
#include "kernels/permute_cells.cuh"
#include "kernels/warp_grid.cuh"

namespace kvbm::kernels {
namespace {

__global__ void __launch_bounds__(kGridThreads) permute_cells_kernel(const __grid_constant__ PermutePieces pieces) {
  for (std::uint64_t i = first_warp(); i < pieces.count(); i += warps_of_grid()) {
    pieces(i, lane_of_warp(), kWarpThreads);
  }
}

}  // namespace

void launch_permute_cells(const PermuteCells& permute, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.permute_cells");
  const PermutePieces pieces(permute);
  if (pieces.count() == 0) return;
  permute_cells_kernel<<<warp_grid(pieces.count(), permute.grid_max), kGridThreads, 0, stream.handle()>>>(pieces);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace kvbm::kernels
