#include "kvbm/device/cuda_device.hpp"
#include "tests/support/transfer_copies.hpp"
#include "tests/support/transfer_orders.hpp"
#include "tests/support/transfer_slices.hpp"

// The suites of the emulated device, on the GPU. They skip where there is none.

namespace kvbm::test {
namespace {

std::vector<TransferDevice> gpus() {
  const auto open = [](CudaDeviceOptions options) {
    return [options]() -> std::shared_ptr<Device> {
      auto opened = open_cuda_device(0, options);
      return opened ? *opened : nullptr;
    };
  };
  return {{"Gpu", open({})}, {"Plain", open({.batched_copy = false, .bulk_copy = false, .coherent_host = false})}};
}

std::string device_name(const testing::TestParamInfo<TransferDevice>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Cuda, TransferCopies, testing::ValuesIn(gpus()), device_name);
INSTANTIATE_TEST_SUITE_P(Cuda, TransferOrders, testing::ValuesIn(gpus()), device_name);
INSTANTIATE_TEST_SUITE_P(Cuda, TransferSlices, testing::ValuesIn(gpus()), device_name);

}  // namespace
}  // namespace kvbm::test
