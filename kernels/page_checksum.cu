#include <cuda_runtime_api.h>

#include <cub/warp/warp_reduce.cuh>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/launchers.hpp"
#include "kernels/page_checksum.cuh"
#include "kernels/warp_grid.cuh"

namespace kvbm::kernels {
namespace {

using Sum = unsigned long long;  // what atomicAdd takes
static_assert(sizeof(Sum) == sizeof(std::uint64_t));
using WarpSum = cub::WarpReduce<Sum>;

__global__ void __launch_bounds__(kGridThreads)
    checksum_pages_kernel(const __grid_constant__ PageParts parts, std::uint64_t* sums) {
  __shared__ WarpSum::TempStorage scratch[kGridWarps];
  for (std::uint64_t i = first_warp(); i < parts.count(); i += warps_of_grid()) {
    const PagePart part = parts.part(i);
    const Sum share = SumPart{}(part, lane_of_warp(), kWarpThreads);
    const Sum sum = WarpSum(scratch[threadIdx.x / kWarpThreads]).Sum(share);
    if (lane_of_warp() == 0) atomicAdd(reinterpret_cast<Sum*>(&sums[part.block_index]), sum);
    __syncwarp();  // before `scratch` is used again
  }
}

}  // namespace

void launch_checksum_pages(const ChecksumPages& checksum, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.checksum_pages");
  if (checksum.count == 0) return;
  KVBM_CUDA_TRY(cudaMemsetAsync(checksum.sums, 0, checksum.count * sizeof(std::uint64_t), stream.handle()));
  const PageParts parts(checksum.pages, checksum.blocks, checksum.count, checksum.layers);
  if (parts.count() == 0) return;
  checksum_pages_kernel<<<warp_grid(parts.count()), kGridThreads, 0, stream.handle()>>>(parts, checksum.sums);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace kvbm::kernels
