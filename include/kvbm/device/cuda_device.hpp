#pragma once

#include <memory>
#include <string>

#include "kvbm/base/result.hpp"
#include "kvbm/device/device.hpp"

namespace kvbm {

/// Forces capabilities off, for tests and comparisons.
struct CudaDeviceOptions {
  bool batched_copy = true;
  bool bulk_copy = true;
  bool coherent_host = true;
  bool host_register = true;
  bool memory_pools = true;
};

/// Why there is no such device: no driver, no GPU, no CUDA in this build.
struct NoDevice {
  std::string reason;
};

/// The GPU with that ordinal, through the CUDA runtime (linked statically; the driver is found at run time).
/// Part of kvbm::kvbm; in builds without CUDA, and on machines without a driver, it says so.
[[nodiscard]] Result<std::shared_ptr<Device>, NoDevice> open_cuda_device(int ordinal, CudaDeviceOptions options = {});

}  // namespace kvbm
