#include "bench/support/lookup_bench.hpp"

#include <gtest/gtest.h>

#include "bench/support/lookup_rows.hpp"
#include "kvbm/device/emulated_device.hpp"

namespace kvbm::bench {
namespace {

std::string rows_of(LookupBenchOptions options, const std::shared_ptr<Device>& device, const std::string& reason) {
  options.threads = 2;
  options.samples = 1;
  options.launches = 2;
  options.requests = 40;
  std::string text;
  run_lookup_bench(options, device, reason, [&](const std::string& more) { text += more; });
  return text;
}

// Every case verifies its answers and throws otherwise.
TEST(LookupBench, AllCasesRunAndAreRight) {
  const std::string text = rows_of({.keys = {20'000}, .loads = {0.8}}, EmulatedDevice::create(), "");

  for (const char* name : {"host, all hit", "host, all miss", "plan 64k", "\nG ", "\nL1", "\nL2", "\nL3", "\nL4",
                           "\nL5", "\nL6", "crossover", "times and ratios mean nothing"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

TEST(LookupBench, EachNumberOfKeysIsMeasuredAtEachLoad) {
  const std::string text = rows_of({.keys = {10'000, 20'000}, .loads = {0.5, 0.8}}, nullptr, "no driver");

  for (const char* title :
       {"10000 keys at load 0.50", "10000 keys at load 0.80", "20000 keys at load 0.50", "20000 keys at load 0.80"}) {
    EXPECT_NE(text.find(title), std::string::npos) << title;
  }
}

TEST(LookupBench, WithoutADeviceItSaysWhyAndRunsTheHostsCases) {
  const std::string text = rows_of({.keys = {10'000}, .loads = {0.8}}, nullptr, "no driver");

  EXPECT_NE(text.find("no device: no driver"), std::string::npos);
  EXPECT_NE(text.find("host, all hit"), std::string::npos);
  EXPECT_EQ(text.find("\nL1"), std::string::npos);
}

TEST(LookupRows, AGoalIsJudgedByTheRatioWhereTimesMeanSomething) {
  std::string text;
  const auto print = [&](const std::string& more) { text += more; };
  LookupRows judged(print, true), not_judged(print, false);
  judged.add({.id = "L1", .name = "a", .value = 1, .unit = "us", .ratio = 0.81, .goal = at_least(0.8)});
  EXPECT_NE(text.find(">= 0.80  yes"), std::string::npos) << text;
  judged.add({.id = "L4", .name = "b", .value = 1, .unit = "us", .ratio = 0.16, .goal = at_most(0.15)});
  EXPECT_NE(text.find("<= 0.15   NO"), std::string::npos) << text;
  text.clear();
  not_judged.add({.id = "L4", .name = "c", .value = 1, .unit = "us", .ratio = 0.16, .goal = at_most(0.15)});
  EXPECT_EQ(text.find("NO"), std::string::npos) << text;
}

}  // namespace
}  // namespace kvbm::bench
