#include "kvbm/cuda/device_probe.hpp"

namespace kvbm {

DeviceProbe probe_devices() {
  DeviceProbe probe;
  probe.problem = "built without CUDA";
  return probe;
}

}  // namespace kvbm
