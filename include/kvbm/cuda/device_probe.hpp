#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvbm {

/// What the driver says about one GPU.
struct DeviceInfo {
  std::string name;
  std::uint64_t memory_bytes = 0;
  int compute_major = 0;
  int compute_minor = 0;
  int multiprocessors = 0;
};

/// The GPUs this process can use, and if there are none, why.
///
/// Units    versions as CUDA counts them: 1000 * major + 10 * minor; 0 if there is no driver, or no CUDA in this build.
struct DeviceProbe {
  int driver_version = 0;   ///< the newest CUDA that the driver serves
  int runtime_version = 0;  ///< the CUDA this library was built with
  std::vector<DeviceInfo> devices;
  std::string problem;  ///< empty exactly if `devices` is not
};

/// Asks runtime and driver; works on machines that have neither, and leaves no error behind in the runtime.
/// Part of kvbm::kvbm; kvbm::host has it only in builds without CUDA.
///
/// Threads  any.
/// Cost     the first call loads the driver: up to a second.
[[nodiscard]] DeviceProbe probe_devices();

}  // namespace kvbm
