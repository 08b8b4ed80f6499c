#include "kvbm/device/emulated_device.hpp"
#include "tests/support/device_conformance.hpp"

namespace kvbm::test {
namespace {

constexpr std::uint64_t kMemory = 64u << 20;

std::vector<DeviceCase> cases() {
  std::vector<DeviceCase> all{
      {"AtOnce", [] { return EmulatedDevice::create({.memory_bytes = kMemory}); }},
      {"WithoutBatches", [] { return EmulatedDevice::create({.memory_bytes = kMemory, .batched_copy = false}); }},
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    all.push_back({"Seed" + std::to_string(seed),
                   [seed] { return EmulatedDevice::create({.memory_bytes = kMemory, .delay_seed = seed}); }});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Emulated, DeviceConformance, testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace kvbm::test
