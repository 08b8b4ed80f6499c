#include <cuda_runtime_api.h>

#include <algorithm>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/page_pattern.cuh"

namespace kvbm::kernels {
namespace {

constexpr unsigned kThreads = 256;
constexpr std::uint32_t kGridMax = 2048;  // a few waves of any GPU; further pages come round in the loop

template <unsigned kBlockThreads>
__global__ void __launch_bounds__(kBlockThreads)
    fill_pages_kernel(FillPage fill_page, const PageSeed* seeds, std::uint32_t count) {
  for (std::uint32_t i = blockIdx.x; i < count; i += gridDim.x) fill_page(seeds[i], threadIdx.x, kBlockThreads);
}

template <unsigned kBlockThreads>
__global__ void __launch_bounds__(kBlockThreads) verify_pages_kernel(VerifyPage verify_page, const PageSeed* seeds,
                                                                     std::uint32_t count, std::uint32_t* wrong_words) {
  __shared__ std::uint32_t wrong_in_page;
  for (std::uint32_t i = blockIdx.x; i < count; i += gridDim.x) {
    if (threadIdx.x == 0) wrong_in_page = 0;
    __syncthreads();
    const std::uint32_t wrong = verify_page(seeds[i], threadIdx.x, kBlockThreads);
    if (wrong != 0) atomicAdd(&wrong_in_page, wrong);
    __syncthreads();
    if (threadIdx.x == 0) wrong_words[i] = wrong_in_page;
  }
}

}  // namespace

void launch_fill_pages(PageArray pages, const PageSeed* seeds, std::uint32_t count, std::size_t page_bytes,
                       StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.fill_pages");
  KVBM_ASSERT(page_bytes % sizeof(PatternWord) == 0, "a page is a whole number of 16-byte words");
  if (count == 0) return;
  const std::uint32_t grid = std::min(count, kGridMax);
  fill_pages_kernel<kThreads><<<grid, kThreads, 0, stream.handle()>>>({pages, page_bytes}, seeds, count);
  KVBM_CUDA_TRY(cudaGetLastError());
}

void launch_verify_pages(PageArray pages, const PageSeed* seeds, std::uint32_t count, std::size_t page_bytes,
                         std::uint32_t* wrong_words, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.verify_pages");
  KVBM_ASSERT(page_bytes % sizeof(PatternWord) == 0, "a page is a whole number of 16-byte words");
  if (count == 0) return;
  const std::uint32_t grid = std::min(count, kGridMax);
  verify_pages_kernel<kThreads><<<grid, kThreads, 0, stream.handle()>>>({pages, page_bytes}, seeds, count, wrong_words);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace kvbm::kernels
