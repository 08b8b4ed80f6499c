#include <cuda_runtime_api.h>

#include <string>

#include "kvbm/cuda/device_probe.hpp"

namespace kvbm {
namespace {

// The call's error as text, empty if it went well. Takes the error out of the runtime.
std::string taken_problem(const char* call, cudaError_t code) {
  if (code == cudaSuccess) return {};
  static_cast<void>(cudaGetLastError());
  return std::string(call) + ": " + cudaGetErrorName(code) + ", " + cudaGetErrorString(code);
}

DeviceInfo info_of(const cudaDeviceProp& properties) {
  return {.name = properties.name,
          .memory_bytes = properties.totalGlobalMem,
          .compute_major = properties.major,
          .compute_minor = properties.minor,
          .multiprocessors = properties.multiProcessorCount};
}

}  // namespace

DeviceProbe probe_devices() {
  DeviceProbe probe;
  // Neither fails where the driver is missing: its version reads 0.
  static_cast<void>(taken_problem("cudaRuntimeGetVersion", cudaRuntimeGetVersion(&probe.runtime_version)));
  static_cast<void>(taken_problem("cudaDriverGetVersion", cudaDriverGetVersion(&probe.driver_version)));

  int count = 0;
  probe.problem = taken_problem("cudaGetDeviceCount", cudaGetDeviceCount(&count));
  if (!probe.problem.empty()) count = 0;  // the call leaves it as it was on an error
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    const std::string problem = taken_problem("cudaGetDeviceProperties", cudaGetDeviceProperties(&properties, device));
    if (problem.empty()) {
      probe.devices.push_back(info_of(properties));
    } else {
      probe.problem = problem;
    }
  }
  if (!probe.devices.empty()) {
    probe.problem.clear();
  } else if (probe.driver_version == 0) {
    probe.problem = "no NVIDIA driver";
  } else if (probe.problem.empty()) {
    probe.problem = "the driver reports no device";
  }
  return probe;
}

}  // namespace kvbm
