#include <cuda_runtime_api.h>

#include <algorithm>
#include <cub/device/device_for.cuh>
#include <cub/device/device_segmented_reduce.cuh>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/launchers.hpp"
#include "kernels/prefix_match.cuh"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

constexpr unsigned kThreads = 256;
constexpr unsigned kWarps = kThreads / kWarpLanes;
constexpr unsigned kBlocksPerMultiprocessor = 3;  // which all are resident, so that equal shares end together

[[nodiscard]] std::uint32_t resident_blocks() {
  int device = 0, multiprocessors = 0;
  KVBM_CUDA_TRY(cudaGetDevice(&device));
  KVBM_CUDA_TRY(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  return static_cast<std::uint32_t>(multiprocessors) * kBlocksPerMultiprocessor;
}

__device__ std::uint64_t load_epoch(const std::uint64_t* epoch) {
  return *static_cast<const volatile std::uint64_t*>(epoch);
}

template <class Batch>
__device__ void note_begin(const Batch& batch) {
  if (batch.epochs == nullptr || threadIdx.x != 0) return;
  atomicMin(reinterpret_cast<unsigned long long*>(&batch.epochs->before), load_epoch(&batch.table.header()->finished));
}

/// All threads of the block are through with the table, and their answers are on the way.
template <class Batch>
__device__ void note_end(const Batch& batch) {
  if (batch.epochs == nullptr && batch.done == nullptr) return;
  __threadfence_system();
  __syncthreads();
  if (threadIdx.x != 0) return;
  if (batch.epochs != nullptr) {
    atomicMax(reinterpret_cast<unsigned long long*>(&batch.epochs->after), load_epoch(&batch.table.header()->begun));
  }
  if (batch.done == nullptr) return;
  __threadfence_system();
  if (atomicAdd(batch.blocks_left, 1) != gridDim.x - 1) return;
  *batch.blocks_left = 0;
  __threadfence_system();
  *static_cast<volatile std::uint64_t*>(batch.done) = batch.done_value;
}

template <class Batch>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor) prefix_match_kernel(PrefixMatch<Batch> match) {
  note_begin(match.batch);
  __syncthreads();
  Warp warp;
  match(warp, blockIdx.x * kWarps + threadIdx.x / kWarpLanes, gridDim.x * kWarps);
  note_end(match.batch);
}

}  // namespace

template <class Slot, class Input>
void launch_prefix_match(const PrefixMatchBatch<Slot, Input>& batch, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.prefix_match");
  KVBM_ASSERT(batch.done == nullptr || batch.blocks_left != nullptr, "completion is counted in a word");
  if (batch.requests == 0) return;
  const PrefixMatch<PrefixMatchBatch<Slot, Input>> match{batch};
  const std::uint64_t tasks = std::uint64_t{batch.requests} * match.chunks();
  const auto grid =
      static_cast<std::uint32_t>(std::min<std::uint64_t>((tasks + kWarps - 1) / kWarps, resident_blocks()));
  prefix_match_kernel<<<grid, kThreads, 0, stream.handle()>>>(match);
  KVBM_CUDA_TRY(cudaGetLastError());
}

template <class Slot, class Input>
void launch_prefix_match_in_passes(const PrefixMatchBatch<Slot, Input>& batch, std::uint32_t keys,
                                   std::uint32_t* misses, void* scratch, std::size_t& scratch_bytes,
                                   StreamView stream) {
  using Batch = PrefixMatchBatch<Slot, Input>;
  KVBM_NVTX_RANGE("kvbm.prefix_match_in_passes");
  if (scratch != nullptr && batch.requests == 0) return;
  if (scratch != nullptr) {
    KVBM_CUDA_TRY(cub::DeviceFor::Bulk(keys, MatchOneKey<Batch>{batch, misses}, stream.handle()));
  }
  KVBM_CUDA_TRY(cub::DeviceSegmentedReduce::Min(scratch, scratch_bytes, misses, batch.prefixes, batch.requests,
                                                batch.offsets, batch.offsets + 1, stream.handle()));
  if (scratch == nullptr) return;
  KVBM_CUDA_TRY(cub::DeviceFor::Bulk(batch.requests, MissToPrefix<Batch>{batch}, stream.handle()));
}

#define KVBM_PREFIX_MATCH(Slot, Input)                                                                             \
  template void launch_prefix_match(const PrefixMatchBatch<Slot, Input>&, StreamView);                             \
  template void launch_prefix_match_in_passes(const PrefixMatchBatch<Slot, Input>&, std::uint32_t, std::uint32_t*, \
                                              void*, std::size_t&, StreamView)
KVBM_PREFIX_MATCH(FingerprintSlot, std::uint64_t);
KVBM_PREFIX_MATCH(FingerprintSlot, SequenceHash);
KVBM_PREFIX_MATCH(ExactSlot, SequenceHash);
#undef KVBM_PREFIX_MATCH

}  // namespace kvbm::kernels
