#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/memory.hpp"
#include "src/host/device/live_memory.hpp"
#include "tests/support/kernel_gate.hpp"
#include "tests/support/pinned_bytes.hpp"
#include "tests/support/test_stream.hpp"

namespace kvbm::test {
namespace {

template <class Call>
std::string text_of(Call call, DeviceError::Kind kind) {
  try {
    call();
  } catch (const DeviceError& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "";
}

TEST(EmulatedMemory, IsPoisoned) {
  const auto device = EmulatedDevice::create({.memory_bytes = 1 << 20});
  const Memory memory = allocate_device(device, 64);

  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(memory.address()[i], std::byte{0xDE});
}

TEST(EmulatedMemory, IsLimited) {
  const auto device = EmulatedDevice::create({.memory_bytes = 1000});
  const Memory memory = allocate_device(device, 600);

  EXPECT_NE(text_of([&] { static_cast<void>(device->allocate(401)); }, DeviceError::Kind::OutOfMemory), "");
  EXPECT_NO_THROW(device->release(device->allocate(400)));
}

TEST(EmulatedMemory, ThatTheHostDoesNotHaveIsRefusedAndNotCounted) {
  const auto device = EmulatedDevice::create({.memory_bytes = UINT64_MAX});
  constexpr std::size_t kMoreThanAddresses = std::size_t{1} << 62;

  EXPECT_THROW(static_cast<void>(device->allocate(kMoreThanAddresses)), DeviceError);
  EXPECT_THROW(static_cast<void>(device->allocate_pinned(SIZE_MAX, false)), DeviceError);

  EXPECT_EQ(device->device_bytes(), 0u);
  EXPECT_EQ(device->pinned_bytes(), 0u);
  device->release(device->allocate(16));
}

TEST(EmulatedMemory, IsCounted) {
  const auto device = EmulatedDevice::create();
  std::byte host[100];
  {
    const Memory memory = allocate_device(device, 10);
    const PinnedBytes pinned(device, 20);
    device->register_host(host, sizeof(host));
    EXPECT_EQ(device->device_bytes(), 10u);
    EXPECT_EQ(device->pinned_bytes(), 120u);
    EXPECT_TRUE(device->unregister_host(host));
  }
  EXPECT_EQ(device->device_bytes(), 0u);
  EXPECT_EQ(device->pinned_bytes(), 0u);
}

TEST(EmulatedMemory, PageableMemoryIsNotCopied) {
  const auto device = EmulatedDevice::create();
  const PinnedBytes pinned(device, 8);
  const Stream stream = stream_of(device);
  std::byte pageable[8];

  const std::string target =
      text_of([&] { device->copy(pageable, pinned.data(), 8, stream.view()); }, DeviceError::Kind::Refused);
  const std::string source =
      text_of([&] { device->copy(pinned.data(), pageable, 8, stream.view()); }, DeviceError::Kind::Refused);

  EXPECT_NE(target.find("target"), std::string::npos) << target;
  EXPECT_NE(source.find("source"), std::string::npos) << source;
  EXPECT_EQ(device->call_counts().copies, 0u);
}

TEST(EmulatedMemory, CopyBeyondTheEndIsRefused) {
  const auto device = EmulatedDevice::create();
  const PinnedBytes pinned(device, 8), other(device, 8);
  const Stream stream = stream_of(device);

  EXPECT_NE(
      text_of([&] { device->copy(pinned.data() + 4, other.data(), 5, stream.view()); }, DeviceError::Kind::Refused),
      "");
  EXPECT_NE(text_of([&] { device->fill(pinned.data() - 1, 0, 2, stream.view()); }, DeviceError::Kind::Refused), "");
  EXPECT_NE(text_of([&] { device->copy(pinned.data(), nullptr, 1, stream.view()); }, DeviceError::Kind::Refused), "");
}

TEST(EmulatedMemory, CopyAcrossTwoRegistrationsIsRefused) {
  const auto device = EmulatedDevice::create();
  const PinnedBytes source(device, 64);
  const Memory host = allocate_system(128);
  device->register_host(host.address(), 64);
  device->register_host(host.address() + 64, 64);
  const Stream stream = stream_of(device);

  device->copy(host.address() + 64, source.data(), 64, stream.view());
  EXPECT_NE(
      text_of([&] { device->copy(host.address() + 32, source.data(), 64, stream.view()); }, DeviceError::Kind::Refused),
      "");

  device->synchronize(stream.view());
  EXPECT_TRUE(device->unregister_host(host.address()));
  EXPECT_TRUE(device->unregister_host(host.address() + 64));
}

TEST(EmulatedMemory, ReleasedBeforeACopyRanBreaksTheDevice) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  const PinnedBytes pinned(device, 8);
  const Stream stream = stream_of(device);
  device->launch(gate.call(), stream.view());
  {
    const Memory memory = allocate_device(device, 8);
    device->copy(pinned.data(), memory.address(), 8, stream.view());
  }
  gate.open();

  const std::string text = text_of([&] { device->synchronize(stream.view()); }, DeviceError::Kind::Broken);

  EXPECT_NE(text.find("source of a copy was released"), std::string::npos) << text;
  EXPECT_EQ(pinned[0], 0);
}

TEST(EmulatedMemory, UnregisteredBeforeACopyRanBreaksTheDevice) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  const Stream stream = stream_of(device);
  std::byte host[8];
  device->register_host(host, 8);
  device->launch(gate.call(), stream.view());
  device->fill(host, 0, 8, stream.view());

  EXPECT_TRUE(device->unregister_host(host));
  device->register_host(host, 8);  // the same place, and yet other memory
  gate.open();

  EXPECT_NE(text_of([&] { device->synchronize(stream.view()); }, DeviceError::Kind::Broken), "");
}

TEST(EmulatedMemory, WithoutHostRegisterSaysSo) {
  const auto device = EmulatedDevice::create({.host_register = false});
  std::byte host[8];

  EXPECT_FALSE(device->capabilities().host_register);
  EXPECT_NE(text_of([&] { device->register_host(host, 8); }, DeviceError::Kind::Refused), "");
}

TEST(EmulatedMemory, OfADeviceIsNotPinned) {
  const auto device = EmulatedDevice::create();
  const Memory memory = allocate_device(device, 8);

  EXPECT_NE(text_of([&] { static_cast<void>(device->device_address(memory.address())); }, DeviceError::Kind::Refused),
            "");
}

TEST(EmulatedMemoryDeath, ReleasedTwiceStopsTheProgram) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        const auto device = EmulatedDevice::create();
        void* const memory = device->allocate(8);
        device->release(memory);
        device->release(memory);
      },
      "did not allocate");
}

// ---- the ranges themselves ----

void* address(std::uintptr_t value) { return reinterpret_cast<void*>(value); }

TEST(LiveMemory, FindsOnlyWhatLiesWithinOneRange) {
  LiveMemory memory;
  ASSERT_TRUE(memory.add(address(1000), 100, LiveMemory::Kind::Device));
  ASSERT_TRUE(memory.add(address(1100), 100, LiveMemory::Kind::Pinned));

  EXPECT_NE(memory.holding(address(1000), 100), nullptr);
  EXPECT_NE(memory.holding(address(1099), 1), nullptr);
  EXPECT_EQ(memory.holding(address(1099), 2), nullptr);
  EXPECT_EQ(memory.holding(address(999), 2), nullptr);
  EXPECT_EQ(memory.holding(address(1200), 1), nullptr);
  EXPECT_EQ(memory.holding(address(1000), SIZE_MAX), nullptr);
  EXPECT_EQ(memory.holding(address(1100), 1)->kind, LiveMemory::Kind::Pinned);
}

TEST(LiveMemory, RefusesOverlaps) {
  LiveMemory memory;
  ASSERT_TRUE(memory.add(address(1000), 100, LiveMemory::Kind::Device));

  EXPECT_FALSE(memory.add(address(1000), 100, LiveMemory::Kind::Pinned));
  EXPECT_FALSE(memory.add(address(1099), 1, LiveMemory::Kind::Pinned));
  EXPECT_FALSE(memory.add(address(900), 101, LiveMemory::Kind::Pinned));
  EXPECT_TRUE(memory.add(address(900), 100, LiveMemory::Kind::Pinned));
  EXPECT_TRUE(memory.add(address(1100), 100, LiveMemory::Kind::Pinned));
}

TEST(LiveMemory, GivesAnAddressANewIdentity) {
  LiveMemory memory;
  ASSERT_TRUE(memory.add(address(1000), 100, LiveMemory::Kind::Device));
  const std::uint64_t first = memory.holding(address(1000), 1)->id;
  memory.remove(*memory.at(address(1000)));
  EXPECT_EQ(memory.holding(address(1000), 1), nullptr);

  ASSERT_TRUE(memory.add(address(1000), 100, LiveMemory::Kind::Device));

  EXPECT_NE(memory.holding(address(1000), 1)->id, first);
}

}  // namespace
}  // namespace kvbm::test
