#include <gtest/gtest.h>

#include "kvbm/cuda/device_probe.hpp"

namespace kvbm {
namespace {

TEST(DeviceProbe, FindsDevicesOrSaysWhyNot) {
  const DeviceProbe probe = probe_devices();

  EXPECT_EQ(probe.devices.empty(), !probe.problem.empty());
}

TEST(DeviceProbe, DescribesEveryDevice) {
  const DeviceProbe probe = probe_devices();

  for (const DeviceInfo& device : probe.devices) {
    EXPECT_FALSE(device.name.empty());
    EXPECT_GT(device.memory_bytes, 0u);
    EXPECT_GT(device.compute_major, 0);
    EXPECT_GT(device.multiprocessors, 0);
  }
}

TEST(DeviceProbe, AnswersTheSameASecondTime) {
  const DeviceProbe first = probe_devices();
  const DeviceProbe second = probe_devices();

  EXPECT_EQ(first.driver_version, second.driver_version);
  EXPECT_EQ(first.runtime_version, second.runtime_version);
  EXPECT_EQ(first.devices.size(), second.devices.size());
  EXPECT_EQ(first.problem, second.problem);
}

}  // namespace
}  // namespace kvbm
