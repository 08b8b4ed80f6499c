#include "kvbm/memory/host_bytes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "kvbm/device/emulated_device.hpp"

namespace kvbm {
namespace {

constexpr std::byte kValue{0xA5};

std::ptrdiff_t written(const Memory& memory) {
  return std::count(memory.address(), memory.address() + memory.bytes(), kValue);
}

TEST(HostBytes, AreFilledWhereTold) {
  const Memory memory = allocate_system(100);

  fill_host(memory, kValue, 90, 10);
  EXPECT_EQ(written(memory), 10);
  EXPECT_EQ(memory.address()[90], kValue);
  fill_host(memory, kValue, 0, 100);
  EXPECT_EQ(written(memory), 100);
}

TEST(HostBytes, OfNoLengthAreLegalAnywhereWithin) {
  const Memory memory = allocate_system(100);

  fill_host(memory, kValue, 0, 0);
  fill_host(memory, kValue, 100, 0);
  EXPECT_EQ(written(memory), 0);
  EXPECT_TRUE(host_bytes(memory, 100, 0).empty());
}

TEST(HostBytes, BeyondTheEndAreRefusedAndNothingIsWritten) {
  const Memory memory = allocate_system(100);

  EXPECT_THROW(fill_host(memory, kValue, 50, 51), std::out_of_range);
  EXPECT_THROW(fill_host(memory, kValue, 101, 0), std::out_of_range);
  EXPECT_THROW(fill_host(memory, kValue, SIZE_MAX, 2), std::out_of_range);
  EXPECT_THROW(static_cast<void>(host_bytes(memory, 2, SIZE_MAX)), std::out_of_range);
  EXPECT_EQ(written(memory), 0);
}

TEST(HostBytes, AreSlices) {
  const Memory memory = allocate_system(100);

  EXPECT_EQ(host_bytes(memory, 0, 100).size(), 100u);
  EXPECT_EQ(host_bytes(memory, 30, 20).data(), memory.address() + 30);
}

TEST(HostBytes, OfADeviceAreNotReached) {
  const Memory memory = allocate_device(EmulatedDevice::create(), 100);

  EXPECT_THROW(static_cast<void>(host_bytes(memory, 0, 1)), std::invalid_argument);
  EXPECT_THROW(fill_host(memory, kValue, 0, 1), std::invalid_argument);
}

TEST(HostElements, AreReadAndWritten) {
  const Memory memory = allocate_system(64);
  const std::span<std::uint64_t> words = host_elements<std::uint64_t>(memory, 8, 16);

  ASSERT_EQ(words.size(), 2u);
  words[1] = 0x0102'0304'0506'0708u;
  EXPECT_EQ(host_elements<std::uint32_t>(memory, 16, 4)[0], 0x0506'0708u);
  EXPECT_TRUE(host_elements<std::uint64_t>(memory, 64, 0).empty());
}

TEST(HostElements, ThatAreNotWholeOrNotAlignedOrNotThereAreRefused) {
  const Memory memory = allocate_system(64);

  EXPECT_THROW(static_cast<void>(host_elements<std::uint32_t>(memory, 0, 6)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(host_elements<std::uint32_t>(memory, 2, 4)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(host_elements<std::uint32_t>(memory, 64, 4)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(host_elements<std::uint32_t>(memory, 4, SIZE_MAX - 3)), std::out_of_range);
}

}  // namespace
}  // namespace kvbm
