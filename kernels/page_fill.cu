#include <cuda_runtime_api.h>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/launchers.hpp"
#include "kernels/page_fill.cuh"
#include "kernels/warp_grid.cuh"

namespace kvbm::kernels {
namespace {

__global__ void __launch_bounds__(kGridThreads)
    fill_parts_kernel(const __grid_constant__ PageParts parts, FillPart fill_part) {
  for (std::uint64_t i = first_warp(); i < parts.count(); i += warps_of_grid()) {
    fill_part(parts.part(i), lane_of_warp(), kWarpThreads);
  }
}

}  // namespace

void launch_fill_pages(const FillPages& fill, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.fill_pages");
  const PageParts parts(fill.pages, fill.blocks, fill.count, fill.layers);
  if (parts.count() == 0) return;
  const FillPart fill_part{fill.pattern, fill.value, fill.pages.cell_bytes};
  fill_parts_kernel<<<warp_grid(parts.count()), kGridThreads, 0, stream.handle()>>>(parts, fill_part);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace kvbm::kernels
