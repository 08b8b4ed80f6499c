#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "kvbm/cuda/device_probe.hpp"

namespace kvbm {
namespace {

TEST(DeviceProbe, KnowsTheRuntimeItWasBuiltWith) { EXPECT_GE(probe_devices().runtime_version, 12000); }

TEST(DeviceProbe, LeavesNoErrorInTheRuntime) {
  if (probe_devices().devices.empty()) GTEST_SKIP() << "without a driver the runtime reports an error whenever asked";

  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

}  // namespace
}  // namespace kvbm
