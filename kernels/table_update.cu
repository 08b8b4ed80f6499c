#include <cuda_runtime_api.h>

#include <algorithm>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/launchers.hpp"
#include "kernels/table_update.cuh"

namespace kvbm::kernels {
namespace {

constexpr unsigned kThreads = 256;
constexpr std::uint32_t kGridMax = 2048;

__global__ void mark_epoch_kernel(MarkEpoch mark) { mark(); }

__global__ void __launch_bounds__(kThreads) scatter_kernel(ScatterWord scatter) {
  for (std::uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < scatter.update.count; i += gridDim.x * kThreads) {
    scatter(i);
  }
}

}  // namespace

void launch_table_update(const TableUpdate& update, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.table_update");
  mark_epoch_kernel<<<1, 1, 0, stream.handle()>>>({update, false});
  KVBM_CUDA_TRY(cudaGetLastError());
  if (update.count != 0) {
    const std::uint32_t grid = std::min((update.count - 1) / kThreads + 1, kGridMax);
    scatter_kernel<<<grid, kThreads, 0, stream.handle()>>>({update});
    KVBM_CUDA_TRY(cudaGetLastError());
  }
  mark_epoch_kernel<<<1, 1, 0, stream.handle()>>>({update, true});
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace kvbm::kernels
