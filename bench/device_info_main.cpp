// kvbm-device-info: one line per GPU this build can use, or one line that says why there is none.

#include <fmt/format.h>

#include "kvbm/cuda/device_probe.hpp"

int main() {
  const kvbm::DeviceProbe probe = kvbm::probe_devices();
  const auto version = [](int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); };
  if (probe.devices.empty()) {
    fmt::print("no GPU: {} (CUDA runtime {}, driver {})\n", probe.problem, version(probe.runtime_version),
               version(probe.driver_version));
    return 0;
  }
  for (const kvbm::DeviceInfo& device : probe.devices) {
    fmt::print("GPU: {}, {:.1f} GiB, compute capability {}.{}, {} multiprocessors (CUDA runtime {}, driver {})\n",
               device.name, static_cast<double>(device.memory_bytes) / (1u << 30), device.compute_major,
               device.compute_minor, device.multiprocessors, version(probe.runtime_version),
               version(probe.driver_version));
  }
  return 0;
}
