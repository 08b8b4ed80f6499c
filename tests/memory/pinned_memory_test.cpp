#include "kvbm/memory/pinned_memory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <system_error>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "tests/support/temporary_folder.hpp"

namespace kvbm {
namespace {

const std::size_t kPage = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

std::vector<std::size_t> borders(const PinnedMemoryReport& report) {
  std::vector<std::size_t> ends;
  for (const auto& piece : report.registrations) ends.push_back(piece.offset + piece.bytes);
  return ends;
}

TEST(PinnedMemory, OfZeroBytesIsAnError) {
  EXPECT_THROW(static_cast<void>(allocate_pinned(EmulatedDevice::create(), 0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(allocate_pinned(EmulatedDevice::create(), 1, {.block_bytes = 0})),
               std::invalid_argument);
}

TEST(PinnedMemory, IsZeroAlignedAndReachedByTheDevice) {
  for (const std::size_t bytes : {std::size_t{1}, kPage, kPage + 1, std::size_t{65} << 20}) {
    const auto device = EmulatedDevice::create();
    const Memory memory = allocate_pinned(device, bytes);
    const Stream stream(device, StreamPriority::Normal, "test");

    EXPECT_EQ(memory.region().kind, MemoryKind::Pinned);
    EXPECT_EQ(memory.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.address()) % kPage, 0u);
    EXPECT_EQ(std::count(memory.address(), memory.address() + bytes, std::byte{0}), static_cast<std::ptrdiff_t>(bytes));
    device->fill(memory.address(), 7, bytes, stream.view());
    device->synchronize(stream.view());
    EXPECT_EQ(memory.address()[bytes - 1], std::byte{7});
  }
}

TEST(PinnedMemory, IsUnpinnedInTheEnd) {
  const auto device = EmulatedDevice::create();
  {
    const Memory part = allocate_pinned(device, 4 * kPage).part(kPage, kPage);
    EXPECT_EQ(device->pinned_bytes(), 4 * kPage);
  }
  EXPECT_EQ(device->pinned_bytes(), 0u);
}

TEST(PinnedMemory, IsRegisteredInPiecesThatEndWithBlocksAndPages) {
  const auto device = EmulatedDevice::create();
  const std::size_t block = 3 * kPage / 2;
  PinnedMemoryReport report;

  const Memory memory = allocate_pinned(
      device, 20 * block,
      {.block_bytes = block, .registration_bytes_max = 10 * kPage, .huge_pages = HugePages::Disabled}, &report);

  // Every second block ends with a page; three such steps are 9 pages.
  EXPECT_EQ(borders(report), (std::vector{9 * kPage, 18 * kPage, 27 * kPage, 30 * kPage}));
  EXPECT_EQ(report.bytes, 30 * kPage);
}

TEST(PinnedMemory, CopiesBlocksAtTheSeamsOfItsPieces) {
  const auto device = EmulatedDevice::create();
  const std::size_t block = 3 * kPage;
  const Memory memory =
      allocate_pinned(device, 10 * block,
                      {.block_bytes = block, .registration_bytes_max = 7 * kPage, .huge_pages = HugePages::Disabled});
  const Stream stream(device, StreamPriority::Normal, "test");
  const Memory target = allocate_device(device, block);

  for (std::size_t i = 0; i < 10; ++i)
    device->copy(target.address(), memory.address() + i * block, block, stream.view());

  EXPECT_NO_THROW(device->synchronize(stream.view()));
}

TEST(PinnedMemory, OfBlocksThatNoRegistrationHoldsIsRefused) {
  const auto device = EmulatedDevice::create();

  EXPECT_THROW(static_cast<void>(allocate_pinned(device, 100 * kPage,
                                                 {.block_bytes = kPage + 1, .registration_bytes_max = 64 * kPage})),
               std::invalid_argument);
  EXPECT_EQ(device->pinned_bytes(), 0u);
}

TEST(PinnedMemory, UndoesAllIfTheNthPieceFails) {
  for (std::uint64_t n = 1; n <= 5; ++n) {
    const auto device = EmulatedDevice::create({.faults = {{.kind = FaultKind::Allocation, .n = n}}});
    const PinnedMemoryOptions options{.registration_bytes_max = kPage, .huge_pages = HugePages::Disabled};

    EXPECT_THROW(static_cast<void>(allocate_pinned(device, 5 * kPage, options)), DeviceError) << n;

    EXPECT_EQ(device->pinned_bytes(), 0u) << n;
    EXPECT_NO_THROW(static_cast<void>(allocate_pinned(device, 5 * kPage, options))) << n;
  }
}

TEST(PinnedMemory, ComesFromTheDriverWhereNothingIsRegistered) {
  const auto device = EmulatedDevice::create({.host_register = false});
  PinnedMemoryReport report;
  {
    const Memory memory = allocate_pinned(device, 1000, {}, &report);
    EXPECT_TRUE(report.from_driver);
    EXPECT_EQ(memory.address()[999], std::byte{0});
    EXPECT_EQ(device->pinned_bytes(), 1000u);
  }
  EXPECT_EQ(device->pinned_bytes(), 0u);
}

TEST(PinnedMemory, ThatIsWriteCombinedComesFromTheDriver) {
  PinnedMemoryReport report;

  const Memory memory = allocate_pinned(EmulatedDevice::create(), 1000, {.write_combined = true}, &report);

  EXPECT_TRUE(report.from_driver);
  EXPECT_THROW(static_cast<void>(allocate_pinned(EmulatedDevice::create(), 1000,
                                                 {.huge_pages = HugePages::Required, .write_combined = true})),
               std::system_error);
}

TEST(PinnedMemory, WithoutHugePagesSetAsideIsMadeOfOthers) {
  const test::TemporaryFolder root;
  PinnedMemoryReport report;

  const Memory memory = allocate_pinned(EmulatedDevice::create(), 8 << 20, {.system_root = root.path()}, &report);

  EXPECT_NE(report.page_class, PageClass::ExplicitHuge);
}

TEST(PinnedMemory, ThatRequiresHugePagesSaysWhatIsFree) {
  const test::TemporaryFolder root;
  root.write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n");
  const auto device = EmulatedDevice::create();
  std::string text;
  try {
    static_cast<void>(
        allocate_pinned(device, 8 << 20, {.huge_pages = HugePages::Required, .system_root = root.path()}));
  } catch (const std::system_error& error) {
    text = error.what();
  }

  EXPECT_NE(text.find("3 are free"), std::string::npos) << text;
  EXPECT_EQ(device->pinned_bytes(), 0u);
}

TEST(PinnedMemory, DoesWithoutAPoolThatIsNotThereAfterAll) {
  const test::TemporaryFolder root;  // promises more than any machine has
  root.write("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1000000\n");
  PinnedMemoryReport report;

  const Memory memory =
      allocate_pinned(EmulatedDevice::create(), std::size_t{1} << 20, {.system_root = root.path()}, &report);
  EXPECT_EQ(memory.address()[0], std::byte{0});
}

TEST(PinnedMemory, ReportsHowItWasMade) {
  PinnedMemoryReport report;

  const Memory memory = allocate_pinned(EmulatedDevice::create(), std::size_t{130} << 20, {.threads = 3}, &report);

  EXPECT_EQ(report.threads, 3u);
  EXPECT_EQ(report.bytes, std::size_t{130} << 20);
  EXPECT_EQ(report.registrations.size(), 1u);
  EXPECT_EQ(report.numa_node_wanted, -1);
  EXPECT_GT(report.touch_seconds, 0);
}

TEST(PinnedMemory, OnANodeThatDoesNotExistIsMadeAnyway) {
  PinnedMemoryReport report;

  const Memory memory = allocate_pinned(EmulatedDevice::create(), kPage, {.numa_node = 999}, &report);

  EXPECT_EQ(report.numa_node_wanted, 999);
  EXPECT_NE(report.registrations[0].numa_node, 999);
}

// ---- what happens to the mapping, by a device that looks ----

/// Forwards host memory to nobody, and calls back before it lets go of a piece.
class WatchingDevice : public Device {
 public:
  std::function<bool(std::byte*)> on_unregister;

  [[nodiscard]] const DeviceCapabilities& capabilities() const noexcept override { return capabilities_; }
  void* allocate(std::size_t) override { return nullptr; }
  void release(void*) noexcept override {}
  void* allocate_pinned(std::size_t, bool) override { return nullptr; }
  void release_pinned(void*) noexcept override {}
  void register_host(void*, std::size_t) override {}
  bool unregister_host(void* memory) noexcept override { return on_unregister(static_cast<std::byte*>(memory)); }
  void* device_address(void* pinned) override { return pinned; }
  StreamView create_stream(StreamPriority, const char*) override { return StreamView(nullptr); }
  void destroy_stream(StreamView) noexcept override {}
  EventView create_event() override { return EventView(nullptr); }
  void destroy_event(EventView) noexcept override {}
  void record(EventView, StreamView) override {}
  void wait(StreamView, EventView) override {}
  bool done(EventView) override { return true; }
  void synchronize(EventView) override {}
  void synchronize(StreamView) override {}
  void copy(void*, const void*, std::size_t, StreamView) override {}
  bool copy_batch(const CopyBatch&, StreamView) override { return true; }
  void fill(void*, std::uint8_t, std::size_t, StreamView) override {}
  void launch(const KernelCall&, StreamView) override {}

 private:
  DeviceCapabilities capabilities_{.name = "watching", .host_register = true};
};

TEST(PinnedMemory, IsUnregisteredBeforeItIsUnmapped) {
  const auto device = std::make_shared<WatchingDevice>();
  int read = 0;
  device->on_unregister = [&](std::byte* memory) {
    read += std::to_integer<int>(memory[kPage - 1]) + 1;  // would fault if it were gone
    return true;
  };

  static_cast<void>(
      allocate_pinned(device, 3 * kPage, {.registration_bytes_max = kPage, .huge_pages = HugePages::Disabled}));

  EXPECT_EQ(read, 3);
}

TEST(PinnedMemory, StaysMappedIfTheDeviceDoesNotLetGo) {
  const auto device = std::make_shared<WatchingDevice>();
  int asked = 0;
  device->on_unregister = [&](std::byte*) { return ++asked != 2; };
  std::byte* address = nullptr;
  {
    const Memory memory =
        allocate_pinned(device, 3 * kPage, {.registration_bytes_max = kPage, .huge_pages = HugePages::Disabled});
    address = memory.address();
    address[2 * kPage] = std::byte{5};
  }

  EXPECT_EQ(asked, 3);  // the others are let go of all the same
  EXPECT_EQ(address[2 * kPage], std::byte{5});
}

}  // namespace
}  // namespace kvbm
