#include <cuda_runtime_api.h>

#include <algorithm>
#include <string>

#include "kvbm/device/device_error.hpp"
#include "stages.cuh"

namespace engine {
namespace {

constexpr std::uint32_t kThreads = 128;
constexpr std::uint32_t kGridMax = 1024;

template <class Stage>
__global__ void __launch_bounds__(kThreads) stage_kernel(Stage stage, std::uint32_t count) {
  for (std::uint32_t item = blockIdx.x * kThreads + threadIdx.x; item < count; item += gridDim.x * kThreads) {
    stage(item);
  }
}

}  // namespace

template <class Stage>
void launch_stage(const Stage& stage, kvbm::StreamView stream) {
  const std::uint32_t count = stage.count();
  if (count == 0) return;
  const std::uint32_t grid = std::min((count + kThreads - 1) / kThreads, kGridMax);
  stage_kernel<<<grid, kThreads, 0, stream.handle()>>>(stage, count);
  if (const cudaError_t code = cudaGetLastError(); code != cudaSuccess) {
    throw kvbm::DeviceError(kvbm::DeviceError::Kind::Refused,
                            std::string(Stage::kName) + ": " + cudaGetErrorString(code));
  }
}

template void launch_stage(const Embed&, kvbm::StreamView);
template void launch_stage(const Normalize&, kvbm::StreamView);
template void launch_stage(const ProjectQkv&, kvbm::StreamView);
template void launch_stage(const Attend&, kvbm::StreamView);
template void launch_stage(const ProjectOutput&, kvbm::StreamView);
template void launch_stage(const ProjectUp&, kvbm::StreamView);
template void launch_stage(const ProjectDown&, kvbm::StreamView);
template void launch_stage(const Unembed&, kvbm::StreamView);
template void launch_stage(const PickLargest&, kvbm::StreamView);

}  // namespace engine
