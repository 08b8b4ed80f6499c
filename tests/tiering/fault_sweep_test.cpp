// The n-th copy, allocation, launch or event fails, for every n until none is left to fail: no page is lost, no guard
// stuck, no byte wrong, and each failure is told once. KVBM_SWEEP=all takes every n of several replays.

#include <gtest/gtest.h>

#include <string>

#include "kvbm/device/device_error.hpp"
#include "tests/tiering/sweep.hpp"
#include "tests/tiering/tiered_client.hpp"

namespace kvbm::test {
namespace {

struct Swept {
  std::uint64_t calls = 0;     // of the kind, in this run
  std::uint64_t failures = 0;  // told to somebody
  bool built = true;
};

struct FaultCase {
  const char* name;
  FaultKind kind;
  DeviceFault::Effect effect;
  TierMode mode;
  std::uint64_t stride;
  bool cancelling = false;  // every other request is given up
};

TieredWorld::Options options_for_fault(const FaultCase& tested) {
  TieredWorld::Options options{.g1_blocks = 5,
                               .g2_blocks = 9,
                               .mode = tested.mode,
                               .staging_blocks = 2,
                               .g1_layout = LayoutKind::LayerSeparateBlockFirst};
  if (tested.mode == TierMode::Inclusive) options.offload = OffloadPolicy::WhenAsked;
  if (tested.kind == FaultKind::Copy) options.mechanism = Mechanism::Copies;  // pages this small go by kernel else
  if (tested.cancelling) options.bytes_in_flight_max = 256;                   // a page, so that the engine has a queue
  return options;
}

/// One replay with one fault. Everything is checked but the number of failures.
Swept run_with_fault(const FaultCase& tested, std::uint64_t n, const Prompts& prompts) {
  TieredWorld::Options options = options_for_fault(tested);
  options.device.faults = {{tested.kind, n, tested.effect}};
  Swept swept;
  try {
    TieredWorld world(options);
    TieredClient client(world, tested.mode, tested.cancelling ? 2 : 0);
    for (const auto& request : prompts.requests) EXPECT_TRUE(client.serve(request));
    const std::vector<TieringFailure> failures = world.cache().take_failures();
    for (const TieringFailure& failure : failures) EXPECT_NE(failure.text.find(", block "), std::string::npos);
    swept.failures = failures.size() + client.failures();
    EXPECT_EQ(world.cache().counts().failures, swept.failures);
    EXPECT_EQ(client.corrupt(), 0u);
    world.expect_sound(prompts.universe);
    swept.calls = world.device()->call_counts().of(tested.kind);
  } catch (const DeviceError&) {
    swept.built = false;  // it hit the setting up, which takes everything back: the device's end checks that
  }
  return swept;
}

class FaultSweep : public testing::TestWithParam<FaultCase> {};

TEST_P(FaultSweep, NothingIsLost) {
  const FaultCase& tested = GetParam();
  std::uint64_t told = 0, faults = 0;
  for (std::uint64_t replay = 0; replay < swept_replays(); ++replay) {
    const Prompts prompts = random_prompts(7 + replay, kSweptRequests, 6);
    const std::uint64_t calls = run_with_fault(tested, UINT64_MAX, prompts).calls;
    for (std::uint64_t n = 1; n <= calls; n += sweep_stride(tested.stride)) {
      SCOPED_TRACE(std::string(tested.name) + ", replay " + std::to_string(replay) + ", n = " + std::to_string(n));
      const Swept swept = run_with_fault(tested, n, prompts);
      if (testing::Test::HasFailure()) return;
      if (!swept.built) continue;
      ++faults;
      told += swept.failures;
      if (tested.effect == DeviceFault::Effect::Refuse) {
        EXPECT_LE(swept.failures, 1u);
      }
      if (tested.effect == DeviceFault::Effect::Late) {
        EXPECT_EQ(swept.failures, 0u);
      }
    }
  }
  const bool moves_pages = tested.kind == FaultKind::Copy || tested.kind == FaultKind::Launch;
  if (moves_pages && tested.effect != DeviceFault::Effect::Late && !tested.cancelling) {
    EXPECT_GT(faults, 0u);
    EXPECT_GE(told, faults);
  }
}

constexpr auto kRefuse = DeviceFault::Effect::Refuse;
constexpr auto kBreak = DeviceFault::Effect::Break;
constexpr auto kLate = DeviceFault::Effect::Late;

INSTANTIATE_TEST_SUITE_P(
    Kinds, FaultSweep,
    testing::Values(FaultCase{"CopyRefusedExclusive", FaultKind::Copy, kRefuse, TierMode::Exclusive, 7},
                    FaultCase{"CopyRefusedInclusive", FaultKind::Copy, kRefuse, TierMode::Inclusive, 7},
                    FaultCase{"CopyBreaksExclusive", FaultKind::Copy, kBreak, TierMode::Exclusive, 11},
                    FaultCase{"CopyLateExclusive", FaultKind::Copy, kLate, TierMode::Exclusive, 11},
                    FaultCase{"AllocationRefused", FaultKind::Allocation, kRefuse, TierMode::Exclusive, 1},
                    FaultCase{"LaunchRefusedExclusive", FaultKind::Launch, kRefuse, TierMode::Exclusive, 7},
                    FaultCase{"LaunchBreaksInclusive", FaultKind::Launch, kBreak, TierMode::Inclusive, 11},
                    FaultCase{"EventRefusedExclusive", FaultKind::Event, kRefuse, TierMode::Exclusive, 13},
                    FaultCase{"EventRefusedInclusive", FaultKind::Event, kRefuse, TierMode::Inclusive, 13},
                    FaultCase{"EventBreaksExclusive", FaultKind::Event, kBreak, TierMode::Exclusive, 29},
                    FaultCase{"CopyRefusedCancelling", FaultKind::Copy, kRefuse, TierMode::Exclusive, 17, true},
                    FaultCase{"CopyLateCancelling", FaultKind::Copy, kLate, TierMode::Inclusive, 17, true},
                    FaultCase{"EventRefusedCancelling", FaultKind::Event, kRefuse, TierMode::Exclusive, 37, true},
                    FaultCase{"EventBreaksCancelling", FaultKind::Event, kBreak, TierMode::Inclusive, 37, true}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace kvbm::test
