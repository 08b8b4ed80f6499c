#include <cuda_runtime_api.h>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/launchers.hpp"
#include "kernels/token_hash.cuh"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

constexpr unsigned kThreads = 128;

/// Calls body(i) for i of [0, count), a thread each.
template <class Body>
__global__ void __launch_bounds__(kThreads) for_each_kernel(Body body, std::uint32_t count) {
  const std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i < count) body(i);
}

template <class Body>
void for_each(Body body, std::uint32_t count, StreamView stream) {
  const std::uint32_t grid = count / kThreads + (count % kThreads != 0 ? 1 : 0);
  for_each_kernel<<<grid, kThreads, 0, stream.handle()>>>(body, count);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace

void launch_token_hash(const TokenHashBatch& batch, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.token_hash");
  KVBM_ASSERT(batch.block_size != 0, "a block of no tokens");
  if (batch.blocks == 0) return;
  for_each(HashBlock{batch}, batch.blocks, stream);
  for_each(LinkRequest{batch}, batch.requests, stream);
}

}  // namespace kvbm::kernels
