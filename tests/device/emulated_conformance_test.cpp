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

TEST(EmulatedDevice, CanDoWhatItIsToldToAndNoMore) {
  const auto able = EmulatedDevice::create({.coherent_host = true});
  EXPECT_TRUE(able->capabilities().batched_copy && able->capabilities().bulk_copy);
  EXPECT_TRUE(able->capabilities().coherent_host && able->capabilities().host_register);
  EXPECT_TRUE(able->capabilities().memory_pools);

  EXPECT_FALSE(EmulatedDevice::create()->capabilities().coherent_host);
  EXPECT_FALSE(EmulatedDevice::create({.batched_copy = false})->capabilities().batched_copy);
  EXPECT_FALSE(EmulatedDevice::create({.bulk_copy = false})->capabilities().bulk_copy);
  EXPECT_FALSE(EmulatedDevice::create({.host_register = false})->capabilities().host_register);
  EXPECT_FALSE(EmulatedDevice::create({.memory_pools = false})->capabilities().memory_pools);
}

TEST(DeviceCapabilities, AreNoneUnlessSaid) {
  const DeviceCapabilities none;
  EXPECT_FALSE(none.batched_copy || none.bulk_copy || none.coherent_host || none.host_register || none.memory_pools);
}

INSTANTIATE_TEST_SUITE_P(Emulated, DeviceConformance, testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace kvbm::test
