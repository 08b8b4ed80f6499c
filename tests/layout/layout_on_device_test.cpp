#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "tests/support/host_memory.hpp"

namespace kvbm {
namespace {

using test::kEveryLayoutKind;

constexpr LayoutConfig kSmall{.blocks = 3, .layers = 4, .outer = 2, .tokens = 4, .inner = 8};

// Memory of the emulated device is host memory, so that tests can look into tables.
class LayoutOnDevice : public testing::Test {
 protected:
  std::vector<Memory> regions(LayoutKind kind) {
    std::vector<Memory> made;
    const std::size_t count = test::region_count(kSmall, kind);
    for (std::size_t i = 0; i < count; ++i) {
      made.push_back(allocate_device(device_, kSmall.blocks * kSmall.block_bytes() / count));
    }
    return made;
  }

  std::shared_ptr<EmulatedDevice> device_ = EmulatedDevice::create();
};

TEST_F(LayoutOnDevice, KernelsFindTheSameCells) {
  for (LayoutKind kind : kEveryLayoutKind) {
    const auto layout = BlockLayout::create(kSmall, kind, regions(kind), device_).value();
    for (std::uint32_t layer = 0; layer < kSmall.layers; ++layer) {
      EXPECT_EQ(layout->device_view().cell(2, layer, 1), layout->cell(2, layer, 1).value());
    }
  }
}

TEST_F(LayoutOnDevice, TheTableOfBasesLiesOnTheDeviceAsLongAsTheLayout) {
  for (LayoutKind kind : {LayoutKind::LayerSeparateBlockFirst, LayoutKind::LayerSeparateOuterFirst}) {
    std::vector<Memory> memory = regions(kind);
    const std::uint64_t before = device_->device_bytes();
    {
      const auto layout = BlockLayout::create(kSmall, kind, memory, device_).value();
      EXPECT_NE(layout->device_view().layer_bases, layout->host_view().layer_bases);
      EXPECT_GE(device_->device_bytes(), before + kSmall.layers * sizeof(void*));
      EXPECT_EQ(device_->pinned_bytes(), 0u);
    }
    EXPECT_EQ(device_->device_bytes(), before);
  }
}

TEST_F(LayoutOnDevice, AFullyContiguousLayoutNeedsNoTable) {
  std::vector<Memory> memory = regions(LayoutKind::FullyContiguous);
  const std::uint64_t before = device_->device_bytes();

  const auto layout = BlockLayout::create(kSmall, LayoutKind::FullyContiguous, memory, device_).value();

  EXPECT_EQ(device_->device_bytes(), before);
  EXPECT_EQ(layout->device_view().layer_bases, nullptr);
}

TEST_F(LayoutOnDevice, MemoryOfAnotherDeviceIsRefused) {
  const Memory foreign = test::host_memory(1 << 20, 0, MemoryKind::Device, device_->capabilities().ordinal + 1);

  const auto layout = BlockLayout::create(kSmall, LayoutKind::FullyContiguous, {foreign}, device_);

  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().code, LayoutError::Code::MixedMemoryKinds);
}

TEST_F(LayoutOnDevice, AFailedTableLeavesNothingBehind) {
  for (FaultKind fault : {FaultKind::Allocation, FaultKind::Copy}) {
    const auto device = EmulatedDevice::create();
    std::vector<Memory> memory;
    for (int layer = 0; layer < 4; ++layer) memory.push_back(allocate_device(device, 4096));
    const std::uint64_t before = device->device_bytes();
    const DeviceCallCounts calls = device->call_counts();
    device->add_fault({fault, (fault == FaultKind::Copy ? calls.copies : calls.allocations) + 1});

    EXPECT_THROW(static_cast<void>(BlockLayout::create(kSmall, LayoutKind::LayerSeparateBlockFirst, memory, device)),
                 DeviceError);

    EXPECT_EQ(device->device_bytes(), before);
    EXPECT_EQ(device->pinned_bytes(), 0u);
  }
}

TEST_F(LayoutOnDevice, MemoryThatOthersPinnedIsUsedAndLeftAsItIs) {
  for (LayoutKind kind : kEveryLayoutKind) {
    const Memory host = test::host_memory(kSmall.blocks * kSmall.block_bytes());
    const std::size_t count = test::region_count(kSmall, kind);
    const std::size_t bytes = host.bytes() / count;
    device_->register_host(host.address(), host.bytes());
    std::vector<Memory> lent;
    for (std::size_t i = 0; i < count; ++i) {
      lent.push_back(
          borrow_memory({.address = host.address() + i * bytes, .bytes = bytes, .kind = MemoryKind::Pinned}));
    }
    {
      const auto layout = BlockLayout::create(kSmall, kind, lent, device_).value();
      EXPECT_EQ(layout->memory_kind(), MemoryKind::Pinned);
      EXPECT_EQ(layout->device_view().cell(2, 3, 1), layout->cell(2, 3, 1).value());
    }
    EXPECT_EQ(device_->pinned_bytes(), host.bytes());
    EXPECT_TRUE(device_->unregister_host(host.address()));
  }
}

TEST_F(LayoutOnDevice, KeepsTheDevice) {
  const std::weak_ptr<Device> device = device_;
  auto layout = BlockLayout::create(kSmall, LayoutKind::LayerSeparateBlockFirst,
                                    regions(LayoutKind::LayerSeparateBlockFirst), device_)
                    .value();

  device_.reset();
  EXPECT_FALSE(device.expired());
  layout.reset();
  EXPECT_TRUE(device.expired());
}

}  // namespace
}  // namespace kvbm
