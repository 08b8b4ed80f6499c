#pragma once

#include "kvbm/device/emulated_device.hpp"
#include "tests/support/transfer_suite.hpp"

namespace kvbm::test {

/// In order, and late by two seeds.
[[nodiscard]] inline std::vector<TransferDevice> emulated_devices() {
  return {
      {"Prompt", [] { return EmulatedDevice::create(); }},
      {"Late1", [] { return EmulatedDevice::create({.delay_seed = 1}); }},
      {"Late2", [] { return EmulatedDevice::create({.delay_seed = 2, .batched_copy = false, .bulk_copy = false}); }},
      {"Coherent", [] { return EmulatedDevice::create({.coherent_host = true}); }}};
}

[[nodiscard]] inline std::string device_name(const testing::TestParamInfo<TransferDevice>& info) {
  return info.param.name;
}

}  // namespace kvbm::test
