#include <cuda_runtime_api.h>

#include <algorithm>
#include <cub/device/device_segmented_reduce.cuh>

#include "bench/support/lookup_reference.cuh"
#include "cuda/cuda_try.hpp"

namespace kvbm::bench {
namespace {

constexpr unsigned kThreads = 256;

using kernels::Tiles;

/// Tiles of lanes read a unit each; four are on the way before the first is used.
__global__ void gather_kernel(GatherUnits gather) {
  constexpr unsigned kSteps = Tiles::kSteps;
  const std::uint32_t tiles = gridDim.x * blockDim.x / Tiles::kTile;
  const std::uint32_t tile = (blockIdx.x * blockDim.x + threadIdx.x) / Tiles::kTile;
  const std::uint32_t first_of_warp = tile / Tiles::kTiles * Tiles::kTiles;
  const unsigned lane = threadIdx.x % Tiles::kTile;
  for (std::uint64_t base = 0; base + first_of_warp < gather.count; base += std::uint64_t{kSteps} * tiles) {
    std::uint64_t part[kSteps];
#pragma unroll
    for (unsigned step = 0; step < kSteps; ++step) {
      const std::uint64_t place = base + tile + std::uint64_t{step} * tiles;
      part[step] = place < gather.count ? gather_part(gather, kernels::load_once(gather.keys + place), lane) : 0;
    }
#pragma unroll
    for (unsigned step = 0; step < kSteps; ++step) {
      const std::uint64_t place = base + tile + std::uint64_t{step} * tiles;
      unsigned long long all = part[step];
#pragma unroll
      for (unsigned apart = Tiles::kTile / 2; apart != 0; apart /= 2) all ^= __shfl_xor_sync(0xFFFF'FFFFu, all, apart);
      if (lane == 0 && place < gather.count) __stcs(reinterpret_cast<unsigned long long*>(gather.out) + place, all);
    }
  }
}

template <class Slot>
__global__ void __launch_bounds__(kThreads) fill_kernel(FillLinearly<Slot> fill) {
  const std::uint64_t number = std::uint64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (number >= fill.fill.known) return;
  fill(number, [](std::uint64_t& value, std::uint64_t bits) {
    return atomicCAS(reinterpret_cast<unsigned long long*>(&value), 0ull, static_cast<unsigned long long>(bits)) == 0;
  });
}

/// Calls body(i) for i of [0, count), a thread each.
template <class Body>
__global__ void __launch_bounds__(kThreads) for_each_kernel(Body body, std::uint32_t count) {
  const std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i < count) body(i);
}

std::uint32_t blocks_for(std::uint64_t count) { return static_cast<std::uint32_t>((count + kThreads - 1) / kThreads); }

template <class Body>
void for_each(const Body& body, std::uint32_t count, StreamView stream) {
  if (count == 0) return;
  for_each_kernel<<<blocks_for(count), kThreads, 0, stream.handle()>>>(body, count);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace

void launch_gather_units(const GatherUnits& gather, StreamView stream) {
  int device = 0, multiprocessors = 0;
  KVBM_CUDA_TRY(cudaGetDevice(&device));
  KVBM_CUDA_TRY(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  const auto grid = static_cast<std::uint32_t>(multiprocessors) * gather.resident_blocks;
  gather_kernel<<<grid, gather.block_threads, 0, stream.handle()>>>(gather);
  KVBM_CUDA_TRY(cudaGetLastError());
}

template <class Slot>
void launch_linear_fill(const LinearFill<Slot>& fill, StreamView stream) {
  fill_kernel<<<blocks_for(fill.known), kThreads, 0, stream.handle()>>>(FillLinearly<Slot>{fill});
  KVBM_CUDA_TRY(cudaGetLastError());
}

template <class Slot>
void launch_linear_find(const LinearFind<Slot>& find, StreamView stream) {
  for_each(FindLinearly<Slot>{find}, find.count, stream);
  if (find.prefixes == nullptr) return;
  std::size_t bytes = find.scratch_bytes;
  KVBM_CUDA_TRY(cub::DeviceSegmentedReduce::Min(find.scratch, bytes, find.misses, find.prefixes, find.requests,
                                                find.offsets, find.offsets + 1, stream.handle()));
  for_each(LinearPrefix<Slot>{find}, find.requests, stream);
}

std::size_t linear_scratch_bytes(std::uint32_t requests) {
  std::size_t bytes = 0;
  const std::uint32_t* const none = nullptr;
  KVBM_CUDA_TRY(cub::DeviceSegmentedReduce::Min(nullptr, bytes, none, static_cast<std::uint32_t*>(nullptr), requests,
                                                none, none));
  return std::max<std::size_t>(bytes, 1);
}

template void launch_linear_fill(const LinearFill<kernels::FingerprintSlot>&, StreamView);
template void launch_linear_fill(const LinearFill<kernels::ExactSlot>&, StreamView);
template void launch_linear_find(const LinearFind<kernels::FingerprintSlot>&, StreamView);
template void launch_linear_find(const LinearFind<kernels::ExactSlot>&, StreamView);

}  // namespace kvbm::bench
