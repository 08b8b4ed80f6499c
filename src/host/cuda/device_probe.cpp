#include "kvbm/cuda/device.hpp"

namespace kvbm {

DeviceProbe probe_devices() {
  DeviceProbe probe;
  probe.problem = "built without CUDA";
  return probe;
}

}  // namespace kvbm
