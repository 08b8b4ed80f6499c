#include "transfer/calibration.hpp"

#include <gtest/gtest.h>

#include "kvbm/device/emulated_device.hpp"
#include "transfer/transfer_core.hpp"

namespace kvbm {
namespace {

const TransferEngineOptions kOptions{
    .transfers_max = 4, .blocks_max = 64, .staging_bytes = 4u << 20, .calibrate = false};

TEST(Calibration, MeasuresEveryMechanismThereIsAndLeavesNothingBehind) {
  constexpr std::size_t kBytes = 1u << 20;
  const auto device = EmulatedDevice::create();
  const auto core = std::make_shared<TransferCore>(device, kOptions);
  const std::uint64_t device_bytes = device->device_bytes();
  const std::uint64_t pinned_bytes = device->pinned_bytes();

  const MechanismTable measured = measure_mechanisms(*core, kBytes);

  const MechanismTable built_in = MechanismTable::built_in();
  for (const Direction direction : {Direction::HostToDevice, Direction::DeviceToHost, Direction::DeviceToDevice}) {
    for (const Mechanism mechanism : MechanismTable::kMechanisms) {
      const bool staged_on_device = direction == Direction::DeviceToDevice && mechanism == Mechanism::Staged;
      for (const std::size_t span_bytes : MechanismTable::kSpanBytes) {
        for (const std::uint32_t count : MechanismTable::kCounts) {
          const double time = measured.time(direction, mechanism, span_bytes, count);
          EXPECT_GT(time, 0);
          const bool too_large = 16 * span_bytes > kBytes;
          EXPECT_EQ(time == built_in.time(direction, mechanism, span_bytes, count), staged_on_device || too_large);
        }
      }
    }
  }
  core->quiesce();
  EXPECT_EQ(device->device_bytes(), device_bytes);
  EXPECT_EQ(device->pinned_bytes(), pinned_bytes);
  core->shut_down();
}

TEST(Calibration, OfAnEmulatedDeviceTakesNoTime) {
  const auto device = EmulatedDevice::create();
  const auto core = std::make_shared<TransferCore>(device, kOptions);
  const DeviceCallCounts before = device->call_counts();
  static_cast<void>(calibrated_table(*core));
  EXPECT_EQ(device->call_counts().copies, before.copies);
  EXPECT_EQ(device->call_counts().allocations, before.allocations);
  core->shut_down();
}

}  // namespace
}  // namespace kvbm
