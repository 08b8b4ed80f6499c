#include "kvbm/device/cuda_device.hpp"

#include <gtest/gtest.h>

#include <string>

#include "kvbm/cuda/device_probe.hpp"
#include "kvbm/cuda/error.hpp"

namespace kvbm {
namespace {

TEST(CudaDevice, IsThereOrSaysWhyNot) {
  const auto device = open_cuda_device(0);

  EXPECT_EQ(device.has_value(), !probe_devices().devices.empty());
  EXPECT_EQ(device ? std::string() : device.error().reason, probe_devices().problem);
}

TEST(CudaDevice, OfAnOrdinalThatIsNotThereIsRefused) {
  for (const int ordinal : {-1, 1000}) {
    const auto device = open_cuda_device(ordinal);
    ASSERT_FALSE(device);
    EXPECT_FALSE(device.error().reason.empty());
  }
}

TEST(CudaDevice, ErrorIsADeviceErrorWithACode) {
  const CudaError error(DeviceError::Kind::Broken, 700, "text");
  const DeviceError& base = error;

  EXPECT_EQ(base.kind(), DeviceError::Kind::Broken);
  EXPECT_EQ(error.code(), 700);
}

}  // namespace
}  // namespace kvbm
