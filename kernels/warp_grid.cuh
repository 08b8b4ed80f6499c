#pragma once

#include <algorithm>
#include <cstdint>

namespace kvbm::kernels {

/// A grid of warps that take work by number, warp after warp, until it runs out: neighbouring warps work on
/// neighbouring addresses. For .cu files.
inline constexpr unsigned kWarpThreads = 32;
inline constexpr unsigned kGridThreads = 256;  // of a thread block
inline constexpr unsigned kGridWarps = kGridThreads / kWarpThreads;
inline constexpr std::uint32_t kGridMax = 1024;  // thread blocks: a wave or more of any GPU; further work comes round

/// Thread blocks for `count` pieces of work for a warp. `grid_max` 0: as many as pay.
inline std::uint32_t warp_grid(std::uint64_t count, std::uint32_t grid_max = 0) {
  const std::uint64_t wanted = (count + kGridWarps - 1) / kGridWarps;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, grid_max == 0 ? kGridMax : grid_max));
}

__device__ __forceinline__ std::uint64_t first_warp() {
  return (std::uint64_t{blockIdx.x} * kGridThreads + threadIdx.x) / kWarpThreads;
}
__device__ __forceinline__ std::uint64_t warps_of_grid() { return std::uint64_t{gridDim.x} * kGridWarps; }
__device__ __forceinline__ std::uint32_t lane_of_warp() { return threadIdx.x % kWarpThreads; }

}  // namespace kvbm::kernels
