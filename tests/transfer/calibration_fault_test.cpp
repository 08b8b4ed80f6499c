#include <gtest/gtest.h>

#include <memory>

#include "kvbm/device/emulated_device.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/forwarding_device.hpp"
#include "tests/support/idle_device.hpp"
#include "transfer/calibration.hpp"
#include "transfer/transfer_core.hpp"

namespace kvbm {
namespace {

const TransferEngineOptions kFewTransfers{
    .transfers_max = 4, .blocks_max = 64, .staging_bytes = 1u << 18, .calibrate = false};

/// Says that it is a GPU, so that it is measured.
class GpuByName final : public test::ForwardingDevice {
 public:
  [[nodiscard]] const DeviceCapabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] EmulatedDevice& behind() noexcept { return emulated(); }
  /// The next allocation fails.
  void fail_allocation(DeviceFault::Effect effect) {
    behind().add_fault({.kind = FaultKind::Allocation, .n = behind().call_counts().allocations + 1, .effect = effect});
  }

 private:
  const DeviceCapabilities capabilities_ = [this] {
    DeviceCapabilities capabilities = emulated().capabilities();
    capabilities.name = "by name only";
    capabilities.emulated = false;
    return capabilities;
  }();
};

bool same_times(const MechanismTable& one, const MechanismTable& other) {
  for (const Direction direction : {Direction::HostToDevice, Direction::DeviceToHost, Direction::DeviceToDevice}) {
    for (const Mechanism mechanism : MechanismTable::kMechanisms) {
      for (const std::size_t span_bytes : MechanismTable::kSpanBytes) {
        for (const std::uint32_t count : MechanismTable::kCounts) {
          const double time = one.time(direction, mechanism, span_bytes, count);
          if (time != other.time(direction, mechanism, span_bytes, count)) return false;
        }
      }
    }
  }
  return true;
}

TEST(Calibration, WithoutMemoryToMeasureUsesWhatIsBuiltIn) {
  const auto device = std::make_shared<GpuByName>();
  const auto core = std::make_shared<TransferCore>(device, kFewTransfers);
  const std::uint64_t bytes = device->behind().device_bytes();
  device->fail_allocation(DeviceFault::Effect::Refuse);

  EXPECT_TRUE(same_times(calibrated_table(*core), MechanismTable::built_in()));

  EXPECT_EQ(device->behind().device_bytes(), bytes);
  core->shut_down();
}

TEST(Calibration, IsDoneOnceForADevice) {
  const auto device = std::make_shared<test::IdleDevice>(/*emulated=*/false);
  const auto core = std::make_shared<TransferCore>(device, kFewTransfers);

  const MechanismTable first = calibrated_table(*core);

  EXPECT_FALSE(same_times(first, MechanismTable::built_in()));
  EXPECT_TRUE(same_times(calibrated_table(*core), first));
  core->shut_down();
}

TEST(Calibration, OfADeviceThatBreaksIsAnErrorOfTheEngineAndLeavesNothing) {
  std::uint64_t for_the_engine = 0;
  {
    const auto device = std::make_shared<GpuByName>();
    const TransferEngine engine(device, kFewTransfers);
    for_the_engine = device->behind().call_counts().allocations;
  }
  const std::int64_t before = test::live_allocations();
  {
    const auto device = std::make_shared<GpuByName>();
    device->behind().add_fault(
        {.kind = FaultKind::Allocation, .n = for_the_engine + 1, .effect = DeviceFault::Effect::Break});
    TransferEngineOptions options = kFewTransfers;
    options.calibrate = true;
    try {
      const TransferEngine engine(device, options);
      ADD_FAILURE() << "an engine on a broken device";
    } catch (const DeviceError& error) {
      EXPECT_EQ(error.kind(), DeviceError::Kind::Broken);
    }
    EXPECT_EQ(device->behind().device_bytes(), 0u);
    EXPECT_EQ(device->behind().pinned_bytes(), 0u);
  }
  EXPECT_EQ(test::live_allocations(), before);
}

/// Whichever of its events the device refuses: what was under way goes home.
TEST(Calibration, ThatADeviceRefusesLeavesNothingUnderWay) {
  constexpr std::size_t kBytes = 16 * MechanismTable::kSpanBytes.front();
  constexpr std::uint64_t kStep = 41;  // more would tell no more
  std::uint64_t events = 0, refused = 0;
  for (std::uint64_t n = 1; n < events || events == 0; n += kStep) {
    const auto device = EmulatedDevice::create();
    const auto core = std::make_shared<TransferCore>(device, kFewTransfers);
    const std::uint64_t bytes = device->device_bytes();
    const std::uint64_t before = device->call_counts().events;
    device->add_fault({.kind = FaultKind::Event, .n = before + n});
    try {
      static_cast<void>(measure_mechanisms(*core, kBytes));
      events = device->call_counts().events - before;  // a mechanism that fails is not measured
    } catch (const DeviceError&) {
      ++refused;
    }
    core->quiesce();
    EXPECT_EQ(device->device_bytes(), bytes) << n;
    EXPECT_EQ(core.use_count(), 1) << n;
    core->shut_down();
  }
  EXPECT_GT(refused, 5u);
}

}  // namespace
}  // namespace kvbm
