#include <cuda_runtime_api.h>

#include <algorithm>
#include <cub/device/device_for.cuh>
#include <cub/device/device_segmented_reduce.cuh>

#include "base/nvtx.hpp"
#include "cuda/cuda_try.hpp"
#include "kernels/launchers.hpp"
#include "kernels/prefix_count.cuh"
#include "kernels/prefix_match.cuh"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

constexpr unsigned kThreads = 128;
constexpr unsigned kWarps = kThreads / kWarpLanes;
/// Thread blocks per multiprocessor, which all are resident, so that equal shares end together: as many as registers
/// allow without spilling (-Xptxas -v: 71 of 72 for fingerprints, 94 of 102 for whole hashes).
template <class Slot>
constexpr unsigned kResident = sizeof(Slot) == 16 ? 7 : 5;

[[nodiscard]] std::uint32_t multiprocessors() {
  int device = 0, count = 0;
  KVBM_CUDA_TRY(cudaGetDevice(&device));
  KVBM_CUDA_TRY(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return static_cast<std::uint32_t>(count);
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
__global__ void __launch_bounds__(kThreads, kResident<typename Batch::Slot>)
    prefix_match_kernel(PrefixMatch<Batch> match) {
  note_begin(match.batch);
  __syncthreads();
  Warp warp;
  match(warp, blockIdx.x * kWarps + threadIdx.x / kWarpLanes, gridDim.x * kWarps);
  note_end(match.batch);
}

template <class Batch>
__global__ void __launch_bounds__(kThreads, kResident<typename Batch::Slot>)
    prefix_count_kernel(PrefixCount<Batch> count) {
  note_begin(count.batch);
  __syncthreads();
  Warp warp;
  count(warp, blockIdx.x * kWarps + threadIdx.x / kWarpLanes, gridDim.x * kWarps);
  note_end(count.batch);
}

template <class Batch>
void launch_count(const Batch& batch, StreamView stream) {
  const std::uint32_t resident = multiprocessors() * kResident<typename Batch::Slot>;
  const std::uint32_t grid = std::min((batch.requests - 1) / kWarps + 1, resident);
  prefix_count_kernel<<<grid, kThreads, 0, stream.handle()>>>(PrefixCount<Batch>{batch});
  KVBM_CUDA_TRY(cudaGetLastError());
}

template <class Batch>
void launch(const Batch& batch, StreamView stream) {
  const std::uint32_t resident = multiprocessors() * kResident<typename Batch::Slot>;
  const PrefixMatch<Batch> match{batch, chunk_for(batch, resident * kWarps)};
  const std::uint64_t tasks = std::uint64_t{batch.requests} * match.chunks();
  const auto grid = static_cast<std::uint32_t>(std::min<std::uint64_t>((tasks + kWarps - 1) / kWarps, resident));
  prefix_match_kernel<<<grid, kThreads, 0, stream.handle()>>>(match);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace

template <class Slot, class Input>
void launch_prefix_match(const PrefixMatchBatch<Slot, Input>& batch, StreamView stream) {
  KVBM_NVTX_RANGE("kvbm.prefix_match");
  KVBM_ASSERT(batch.done == nullptr || batch.blocks_left != nullptr, "completion is counted in a word");
  if (batch.requests == 0) return;
  if (batch.count_only) {
    launch_count(batch, stream);
  } else {
    launch(batch, stream);
  }
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
