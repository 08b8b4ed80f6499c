#include "kvbm/device/cuda_device.hpp"

namespace kvbm {

Result<std::shared_ptr<Device>, NoDevice> open_cuda_device(int /*ordinal*/, CudaDeviceOptions /*options*/) {
  return fail(NoDevice{"built without CUDA"});
}

}  // namespace kvbm
