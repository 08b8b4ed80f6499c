#include <cstdio>

#include "kvbm/base/assert.hpp"
#include "kvbm/cuda/device_probe.hpp"

int main() {
  const kvbm::DeviceProbe probe = kvbm::probe_devices();
  KVBM_ASSERT(probe.devices.empty() != probe.problem.empty(), "a probe finds devices or says why not");
  std::printf("%zu devices\n", probe.devices.size());
}
