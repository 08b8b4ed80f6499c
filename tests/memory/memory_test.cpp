#include "kvbm/memory/memory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm {
namespace {

std::shared_ptr<EmulatedDevice> small_device() { return EmulatedDevice::create({.memory_bytes = 1 << 20}); }

TEST(Memory, OfZeroBytesIsAnErrorForEveryKind) {
  std::byte lent[1];

  EXPECT_THROW(static_cast<void>(allocate_system(0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(allocate_device(small_device(), 0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(borrow_memory({.address = lent, .bytes = 0})), std::invalid_argument);
}

TEST(Memory, OfTheSystemIsPageAlignedAndZero) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (const std::size_t bytes : {std::size_t{1}, page - 1, page, page + 1, std::size_t{100} << 20}) {
    const Memory memory = allocate_system(bytes);

    EXPECT_EQ(memory.bytes(), bytes);
    EXPECT_EQ(memory.region().kind, MemoryKind::System);
    EXPECT_EQ(memory.region().device, -1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.address()) % page, 0u);
    EXPECT_EQ(std::count(memory.address(), memory.address() + bytes, std::byte{0}), static_cast<std::ptrdiff_t>(bytes));
  }
}

TEST(Memory, AllocationsAreIndependent) {
  const Memory first = allocate_system(64), second = allocate_system(64);

  std::fill_n(first.address(), 64, std::byte{1});

  EXPECT_EQ(second.address()[0], std::byte{0});
}

TEST(Memory, StaysWhereItIsWhenItsHandleMoves) {
  Memory memory = allocate_system(64);
  std::byte* const address = memory.address();

  const Memory moved = std::move(memory);

  EXPECT_EQ(moved.address(), address);
}

TEST(Memory, OfADeviceGoesWithItsLastHandle) {
  const auto device = small_device();
  {
    const Memory memory = allocate_device(device, 1000);
    const Memory copy = memory;
    EXPECT_EQ(memory.region(), copy.region());
    EXPECT_EQ(memory.region().kind, MemoryKind::Device);
    EXPECT_EQ(device->device_bytes(), 1000u);
  }
  EXPECT_EQ(device->device_bytes(), 0u);
}

TEST(Memory, OfADeviceNamesItAndOtherMemoryNamesNone) {
  const auto device = EmulatedDevice::create({.ordinal = 3});

  EXPECT_EQ(allocate_device(device, 8).region().device, 3);
  EXPECT_EQ(allocate_pinned(device, 8).region().device, -1);
  EXPECT_EQ(allocate_system(8).region().device, -1);
}

TEST(Memory, KeepsItsDeviceAlive) {
  std::weak_ptr<EmulatedDevice> device;
  {
    auto made = small_device();
    device = made;
    const Memory memory = allocate_device(std::move(made), 8);
    EXPECT_FALSE(device.expired());
  }
  EXPECT_TRUE(device.expired());
}

TEST(Memory, OfADeviceThatIsFullIsRefusedAndLeavesNothing) {
  const auto device = small_device();

  EXPECT_THROW(static_cast<void>(allocate_device(device, (1 << 20) + 1)), DeviceError);
  EXPECT_EQ(device->device_bytes(), 0u);
}

TEST(Memory, PartKeepsTheWholeAlive) {
  const auto device = small_device();
  {
    const Memory part = allocate_device(device, 100).part(10, 20).part(5, 5);
    EXPECT_EQ(device->device_bytes(), 100u);
    EXPECT_EQ(part.bytes(), 5u);
  }
  EXPECT_EQ(device->device_bytes(), 0u);
}

TEST(Memory, PartMayBeAllOrNothing) {
  const Memory memory = allocate_system(100);

  EXPECT_EQ(memory.part(0, 100).region(), memory.region());
  EXPECT_EQ(memory.part(100, 0).address(), memory.address() + 100);
  EXPECT_EQ(memory.part(40, 60).address(), memory.address() + 40);
}

TEST(Memory, PartBeyondTheEndIsRefused) {
  constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
  const Memory memory = allocate_system(100);

  EXPECT_THROW(static_cast<void>(memory.part(101, 0)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(memory.part(0, 101)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(memory.part(50, 51)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(memory.part(1, kMax)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(memory.part(kMax, 2)), std::out_of_range);
}

TEST(Memory, PartIsFoundByItsAddress) {
  const Memory memory = allocate_system(100);

  EXPECT_EQ(memory.part_at(memory.address(), 100).region(), memory.region());
  EXPECT_EQ(memory.part_at(memory.address() + 40, 60).address(), memory.address() + 40);
  EXPECT_THROW(static_cast<void>(memory.part_at(memory.address() - 1, 1)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(memory.part_at(memory.address() + 101, 0)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(memory.part_at(memory.address() + 99, 2)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(memory.part_at(memory.address() + 1, SIZE_MAX)), std::out_of_range);
}

TEST(Memory, LentIsNotFreedAndKeepsItsOwner) {
  const auto owner = std::make_shared<std::vector<std::byte>>(64);
  const Region region{.address = owner->data(), .bytes = 64, .kind = MemoryKind::Device, .device = 3};
  {
    const Memory lent = borrow_memory(region, owner);
    EXPECT_EQ(lent.region(), region);
    EXPECT_EQ(owner.use_count(), 2);
  }
  EXPECT_EQ(owner.use_count(), 1);
}

TEST(Memory, AtANullAddressCannotBeLent) {
  EXPECT_THROW(static_cast<void>(borrow_memory({.address = nullptr, .bytes = 1})), std::invalid_argument);
}

}  // namespace
}  // namespace kvbm
