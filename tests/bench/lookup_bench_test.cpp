#include "bench/support/lookup_bench.hpp"

#include <gtest/gtest.h>

#include "kvbm/device/emulated_device.hpp"

namespace kvbm::bench {
namespace {

constexpr LookupBenchOptions kQuick{.keys = 20'000, .load = 0.8, .threads = 2, .samples = 1};

// Every case verifies its answers and throws otherwise.
TEST(LookupBench, AllCasesRunAndAreRight) {
  const std::string table = lookup_table(kQuick, EmulatedDevice::create(), "");

  for (const char* name :
       {"host, all hit", "host, all miss", "plan 64k", "L1", "L3", "L4", "L5", "L6", "L7 crossover"}) {
    EXPECT_NE(table.find(name), std::string::npos) << name;
  }
}

TEST(LookupBench, WithoutADeviceItSaysWhyAndRunsTheHostsCases) {
  const std::string table = lookup_table(kQuick, nullptr, "no driver");

  EXPECT_NE(table.find("no device: no driver"), std::string::npos);
  EXPECT_NE(table.find("host, all hit"), std::string::npos);
  EXPECT_EQ(table.find("L1"), std::string::npos);
}

}  // namespace
}  // namespace kvbm::bench
