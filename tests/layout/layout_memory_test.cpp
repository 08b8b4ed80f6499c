#include "kvbm/layout/layout_memory.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "tests/support/host_memory.hpp"

namespace kvbm {
namespace {

using test::kEveryLayoutKind;

constexpr LayoutConfig kOdd{.blocks = 3, .layers = 4, .outer = 2, .tokens = 5, .inner = 7};
constexpr MemoryKind kEveryMemory[]{MemoryKind::System, MemoryKind::Pinned, MemoryKind::Device};

class LayoutMemory : public testing::Test {
 protected:
  std::shared_ptr<const BlockLayout> allocated(LayoutKind kind, MemoryKind memory, LayoutConfig config = kOdd) {
    return allocate_layout(config, kind, memory, memory == MemoryKind::System ? nullptr : device_).value();
  }

  std::shared_ptr<EmulatedDevice> device_ = EmulatedDevice::create();
};

TEST_F(LayoutMemory, IsOfTheKindAskedFor) {
  for (LayoutKind kind : kEveryLayoutKind) {
    for (MemoryKind memory : kEveryMemory) {
      const auto layout = allocated(kind, memory);
      EXPECT_EQ(layout->kind(), kind);
      EXPECT_EQ(layout->memory_kind(), memory);
      EXPECT_EQ(layout->regions().size(), test::region_count(kOdd, kind));
      for (std::uint32_t layer = 0; layer < kOdd.layers; ++layer) {
        EXPECT_EQ(layout->device_view().cell(2, layer, 1), layout->cell(2, layer, 1).value());
      }
    }
  }
}

TEST_F(LayoutMemory, LayersBeginOnTheAlignmentAndFollowOneAnother) {
  for (MemoryKind memory : kEveryMemory) {
    const auto layout = allocated(LayoutKind::LayerSeparateBlockFirst, memory);
    const std::size_t bytes = kOdd.blocks * kOdd.block_bytes() / kOdd.layers;  // 420: no multiple of 512
    for (std::size_t layer = 0; layer < kOdd.layers; ++layer) {
      const Region& region = layout->regions()[layer].region();
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region.address) % kLayerAlignment, 0u);
      EXPECT_EQ(region.bytes, bytes);
      EXPECT_EQ(region.address, layout->regions()[0].address() + layer * 512);
    }
  }
}

// Larger than what any allocator aligns to by itself.
TEST_F(LayoutMemory, ALargeAlignmentIsKept) {
  LayoutConfig config = kOdd;
  config.tokens = 1024;
  config.inner = 64;
  config.alignment = std::size_t{1} << 17;
  for (LayoutKind kind : kEveryLayoutKind) {
    for (MemoryKind memory : kEveryMemory) {
      const auto layout = allocated(kind, memory, config);
      for (const Memory& region : layout->regions()) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region.address()) % config.alignment, 0u);
      }
    }
  }
}

TEST_F(LayoutMemory, GoesWithTheLayout) {
  for (MemoryKind memory : kEveryMemory) {
    { const auto layout = allocated(LayoutKind::LayerSeparateOuterFirst, memory); }
    EXPECT_EQ(device_->device_bytes(), 0u);
    EXPECT_EQ(device_->pinned_bytes(), 0u);
  }
}

TEST_F(LayoutMemory, NoBlockLiesInTwoRegistrations) {
  LayoutConfig config = kOdd;  // blocks of 6 pages and a half
  config.blocks = 16;
  config.tokens = 16;
  config.inner = 52;
  config.element_bytes = 4;
  const DeviceCallCounts before = device_->call_counts();

  const auto layout = allocate_layout(config, LayoutKind::FullyContiguous, MemoryKind::Pinned, device_,
                                      {.registration_bytes_max = 128 << 10});

  ASSERT_TRUE(layout);
  EXPECT_GT(device_->call_counts().allocations, before.allocations + 1);  // in several pieces
  for (BlockId block = 0; block < config.blocks; ++block) {
    // The emulated device refuses copies that are not within one piece of memory.
    const Stream stream(device_, StreamPriority::Normal, "test");
    std::byte* page = (*layout)->cell(block, 0, 0).value();
    EXPECT_NO_THROW(device_->fill(page, 1, config.block_bytes(), stream.view()));
    device_->synchronize(stream.view());
  }
}

TEST_F(LayoutMemory, PinnedAndDeviceMemoryNeedTheDevice) {
  for (MemoryKind memory : {MemoryKind::Pinned, MemoryKind::Device}) {
    EXPECT_EQ(allocate_layout(kOdd, LayoutKind::FullyContiguous, memory, nullptr).error().code,
              LayoutError::Code::NoDevice);
  }
}

TEST_F(LayoutMemory, ABadShapeAllocatesNothing) {
  LayoutConfig config = kOdd;
  config.outer = 3;

  EXPECT_EQ(allocate_layout(config, LayoutKind::FullyContiguous, MemoryKind::Device, device_).error().code,
            LayoutError::Code::OuterOutOfRange);
  EXPECT_EQ(device_->call_counts().allocations, 0u);
}

TEST_F(LayoutMemory, BytesThatOverflowWithTheirAlignmentAreRefused) {
  // Layers of 2^63 - 1 bytes: two of them fit into 64 bits, two on an alignment do not.
  const LayoutConfig config{
      .blocks = 92'737, .layers = 2, .outer = 1, .tokens = 153'092'023, .inner = 649'657, .element_bytes = 1};
  ASSERT_TRUE(check_config(config, LayoutKind::LayerSeparateBlockFirst));

  EXPECT_EQ(allocate_layout(config, LayoutKind::LayerSeparateBlockFirst, MemoryKind::System, nullptr).error().code,
            LayoutError::Code::SizeOverflow);
}

TEST_F(LayoutMemory, AFailedAllocationLeavesNothingBehind) {
  for (std::uint64_t n : {1u, 2u, 3u}) {  // the pages, the table of bases, and what uploads it
    const auto device = EmulatedDevice::create();
    device->add_fault({FaultKind::Allocation, n});

    EXPECT_THROW(
        static_cast<void>(allocate_layout(kOdd, LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, device)),
        DeviceError);

    EXPECT_EQ(device->device_bytes(), 0u);
    EXPECT_EQ(device->pinned_bytes(), 0u);
  }
}

}  // namespace
}  // namespace kvbm
