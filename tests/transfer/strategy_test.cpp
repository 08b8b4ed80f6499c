#include "transfer/strategy.hpp"

#include <gtest/gtest.h>

#include "transfer/mechanism_table.hpp"

namespace kvbm {
namespace {

// 6.3: each pair has a way, and a forced-off capability really avoids it
TEST(Strategy, EveryPairOfMemoryHasAWay) {
  using enum MemoryKind;
  const DeviceCapabilities device;
  EXPECT_EQ(strategy_between(System, System, device), (Strategy{Direction::HostToHost, TransferPath::HostCopy}));
  EXPECT_EQ(strategy_between(System, Pinned, device), (Strategy{Direction::HostToHost, TransferPath::HostCopy}));
  EXPECT_EQ(strategy_between(Pinned, System, device), (Strategy{Direction::HostToHost, TransferPath::HostCopy}));
  EXPECT_EQ(strategy_between(Pinned, Pinned, device), (Strategy{Direction::HostToHost, TransferPath::HostCopy}));
  EXPECT_EQ(strategy_between(System, Device, device), (Strategy{Direction::HostToDevice, TransferPath::ThroughPinned}));
  EXPECT_EQ(strategy_between(Device, System, device), (Strategy{Direction::DeviceToHost, TransferPath::ThroughPinned}));
  EXPECT_EQ(strategy_between(Pinned, Device, device), (Strategy{Direction::HostToDevice, TransferPath::Device}));
  EXPECT_EQ(strategy_between(Device, Pinned, device), (Strategy{Direction::DeviceToHost, TransferPath::Device}));
  EXPECT_EQ(strategy_between(Device, Device, device), (Strategy{Direction::DeviceToDevice, TransferPath::Device}));
}

TEST(Strategy, CoherentMemoryIsReachedByKernelsOnly) {
  DeviceCapabilities device;
  device.coherent_host = true;
  EXPECT_EQ(strategy_between(MemoryKind::System, MemoryKind::Device, device).path, TransferPath::KernelsOnly);
  EXPECT_EQ(strategy_between(MemoryKind::Device, MemoryKind::System, device).path, TransferPath::KernelsOnly);
  EXPECT_EQ(strategy_between(MemoryKind::Pinned, MemoryKind::Device, device).path, TransferPath::Device);
  EXPECT_EQ(strategy_between(MemoryKind::System, MemoryKind::Pinned, device).path, TransferPath::HostCopy);
}

constexpr MechanismSet kAll{Mechanism::Copies, Mechanism::BatchedCopy, Mechanism::CopyKernel, Mechanism::BulkCopyKernel,
                            Mechanism::Staged};
constexpr MechanismSet kPlain{Mechanism::Copies, Mechanism::CopyKernel, Mechanism::Staged};

TEST(MechanismTable, LargeSpansTakeTheEngine) {
  const MechanismTable table = MechanismTable::built_in();
  for (const Direction direction : {Direction::HostToDevice, Direction::DeviceToHost}) {
    EXPECT_EQ(table.choose(direction, 4u << 20, 64, kAll), Mechanism::BatchedCopy);
    EXPECT_EQ(table.choose(direction, 64u << 20, 1, kAll), Mechanism::Copies);
  }
}

TEST(MechanismTable, SpansOfAMegabyteTakeTheEngineWhateverWasMeasured) {
  MechanismTable table = MechanismTable::built_in();
  for (std::size_t size = 0; size < MechanismTable::kSpanBytes.size(); ++size) {
    for (std::size_t count = 0; count < MechanismTable::kCounts.size(); ++count) {
      table.set(Direction::HostToDevice, Mechanism::CopyKernel, size, count, 0.001);
    }
  }
  for (const std::uint64_t count : {1u, 2u, 4096u, 100'000u}) {
    const Mechanism engine = count == 1 ? Mechanism::Copies : Mechanism::BatchedCopy;
    EXPECT_EQ(table.choose(Direction::HostToDevice, MechanismTable::kEngineBytes, count, kAll), engine);
    EXPECT_EQ(table.choose(Direction::HostToDevice, MechanismTable::kEngineBytes - 1, count, kAll),
              Mechanism::CopyKernel);
  }
}

TEST(MechanismTable, SmallFragmentsGoByKernelAndManyOfThemThroughARing) {
  const MechanismTable table = MechanismTable::built_in();
  for (const Direction direction : {Direction::HostToDevice, Direction::DeviceToHost}) {
    for (const std::size_t bytes : {4u << 10, 8u << 10, 32u << 10}) {
      EXPECT_EQ(table.choose(direction, bytes, (1u << 20) / bytes, kPlain), Mechanism::CopyKernel) << bytes;
      EXPECT_EQ(table.choose(direction, bytes, (256u << 20) / bytes, kPlain), Mechanism::Staged) << bytes;
    }
  }
  EXPECT_EQ(table.choose(Direction::DeviceToDevice, 4u << 10, 4096, kPlain), Mechanism::CopyKernel);
}

TEST(MechanismTable, AFewSpansAreCopied) {
  const MechanismTable table = MechanismTable::built_in();
  EXPECT_EQ(table.choose(Direction::HostToDevice, 64u << 10, 1, kAll), Mechanism::Copies);
  EXPECT_EQ(table.choose(Direction::DeviceToHost, 256u << 10, 1, kAll), Mechanism::Copies);
}

TEST(MechanismTable, ChoosesTheMeasuredWinnerAmongThePossible) {
  MechanismTable table = MechanismTable::built_in();
  table.set(Direction::DeviceToHost, Mechanism::BatchedCopy, 1, 2, 1);
  EXPECT_EQ(table.choose(Direction::DeviceToHost, 16u << 10, 256, kAll), Mechanism::BatchedCopy);
  EXPECT_NE(table.choose(Direction::DeviceToHost, 16u << 10, 256, kPlain), Mechanism::BatchedCopy);
  EXPECT_NE(table.choose(Direction::HostToDevice, 16u << 10, 256, kAll), Mechanism::BatchedCopy);
}

TEST(MechanismTable, IsExactAtItsPointsAndLinearBetweenAndBeyondThem) {
  MechanismTable table;
  for (std::size_t size = 0; size < MechanismTable::kSpanBytes.size(); ++size) {
    for (std::size_t count = 0; count < MechanismTable::kCounts.size(); ++count) {
      const double kilobytes = static_cast<double>(MechanismTable::kSpanBytes[size]) / 1024;
      table.set(Direction::DeviceToHost, Mechanism::CopyKernel, size, count,
                10 + MechanismTable::kCounts[count] * (1 + kilobytes));
    }
  }
  const auto time = [&](std::size_t bytes, std::uint64_t count) {
    return table.time(Direction::DeviceToHost, Mechanism::CopyKernel, bytes, count);
  };
  EXPECT_DOUBLE_EQ(time(4u << 10, 1), 10 + 1 + 4);
  EXPECT_DOUBLE_EQ(time(16u << 10, 256), 10 + 256 * (1 + 16));
  EXPECT_DOUBLE_EQ(time(8u << 10, 100), 10 + 100 * (1 + 8));
  EXPECT_DOUBLE_EQ(time(32u << 10, 1u << 20), 10 + (1u << 20) * (1 + 32.0));
  EXPECT_DOUBLE_EQ(time(16u << 20, 3), 10 + 3 * (1 + 16384.0));
  EXPECT_DOUBLE_EQ(time(64, 1), time(4u << 10, 1));  // a span takes as long as one of 4 KiB
}

}  // namespace
}  // namespace kvbm
