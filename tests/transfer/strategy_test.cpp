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

TEST(MechanismTable, LargeSpansTakeTheEngineFromTheBorderOn) {
  const MechanismTable table = MechanismTable::built_in();
  for (const Direction direction : {Direction::HostToDevice, Direction::DeviceToHost, Direction::DeviceToDevice}) {
    EXPECT_EQ(table.choose(direction, MechanismTable::kEngineBytes, 4096, kAll), Mechanism::Copies);
    EXPECT_NE(table.choose(direction, MechanismTable::kEngineBytes - 1, 4096, kAll), Mechanism::Copies);
  }
}

TEST(MechanismTable, ManyFragmentsGatherToTheHostAndScatterThroughARing) {
  const MechanismTable table = MechanismTable::built_in();
  for (const std::size_t bytes : {4u << 10, 8u << 10, 32u << 10}) {
    EXPECT_EQ(table.choose(Direction::DeviceToHost, bytes, 4096, kPlain), Mechanism::CopyKernel);
    EXPECT_EQ(table.choose(Direction::HostToDevice, bytes, 4096, kPlain), Mechanism::Staged);
    EXPECT_EQ(table.choose(Direction::DeviceToDevice, bytes, 4096, kPlain), Mechanism::CopyKernel);
  }
}

TEST(MechanismTable, AFewSpansAreCopied) {
  const MechanismTable table = MechanismTable::built_in();
  EXPECT_EQ(table.choose(Direction::HostToDevice, 64u << 10, 1, kAll), Mechanism::Copies);
  EXPECT_EQ(table.choose(Direction::DeviceToHost, 256u << 10, 1, kAll), Mechanism::Copies);
}

TEST(MechanismTable, ChoosesTheMeasuredWinnerAmongThePossible) {
  MechanismTable table = MechanismTable::built_in();
  table.set(Direction::DeviceToHost, Mechanism::BatchedCopy, 1, 2, 1e9F);
  EXPECT_EQ(table.choose(Direction::DeviceToHost, 16u << 10, 256, kAll), Mechanism::BatchedCopy);
  EXPECT_NE(table.choose(Direction::DeviceToHost, 16u << 10, 256, kPlain), Mechanism::BatchedCopy);
  EXPECT_NE(table.choose(Direction::HostToDevice, 16u << 10, 256, kAll), Mechanism::BatchedCopy);
}

TEST(MechanismTable, IsExactAtItsPointsAndBetweenThemInterpolates) {
  MechanismTable table;
  table.set(Direction::DeviceToHost, Mechanism::CopyKernel, 0, 0, 10);
  table.set(Direction::DeviceToHost, Mechanism::CopyKernel, 1, 0, 30);
  table.set(Direction::DeviceToHost, Mechanism::CopyKernel, 0, 1, 50);
  const auto rate = [&](std::size_t bytes, std::uint64_t count) {
    return table.rate(Direction::DeviceToHost, Mechanism::CopyKernel, bytes, count);
  };
  EXPECT_FLOAT_EQ(rate(4u << 10, 1), 10);
  EXPECT_FLOAT_EQ(rate(16u << 10, 1), 30);
  EXPECT_FLOAT_EQ(rate(8u << 10, 1), 20);  // half way by logarithm
  EXPECT_FLOAT_EQ(rate(4u << 10, 4), 30);
  EXPECT_FLOAT_EQ(rate(4u << 10, 16), 50);
  EXPECT_FLOAT_EQ(rate(64, 1), 10);  // below and beyond: as at the end
  EXPECT_FLOAT_EQ(rate(1u << 30, 1u << 20), 0);
}

}  // namespace
}  // namespace kvbm
