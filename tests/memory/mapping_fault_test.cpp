#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <system_error>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "tests/memory/mapping_faults.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/thread_faults.hpp"

// What systems do that this one does not, or not when it is asked to.

namespace kvbm {
namespace {

using Fault = test::MappingFault;

constexpr std::size_t kMebibyte = 1 << 20;

/// The error that a call throws.
template <class Call>
std::optional<std::error_code> error_of(const Call& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return std::nullopt;
}

const std::error_code kNoMemory(ENOMEM, std::generic_category());

/// A system with a pool of 8 huge pages of 2 MiB.
class PoolOfHugePages : public testing::Test {
 protected:
  PoolOfHugePages() { root_.write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "8\n"); }

  [[nodiscard]] PinnedMemoryOptions options(HugePages huge) const {
    return {.registration_bytes_max = 4 * kMebibyte, .huge_pages = huge, .system_root = root_.path()};
  }

  std::shared_ptr<EmulatedDevice> device_ = EmulatedDevice::create();
  PinnedMemoryReport report_;

 private:
  test::TemporaryFolder root_;
};

TEST(SystemMemory, ThatTheSystemDoesNotHaveIsAnError) {
  const Fault fault(Fault::Kind::NoMemory);

  EXPECT_EQ(error_of([] { static_cast<void>(allocate_system(4096)); }), kNoMemory);
}

TEST(SystemMemory, OfMoreBytesThanThereAreAddressesIsAnError) {
  EXPECT_EQ(error_of([] { static_cast<void>(allocate_system(SIZE_MAX)); }), kNoMemory);
  EXPECT_EQ(error_of([] { static_cast<void>(allocate_system(SIZE_MAX - 8191)); }), kNoMemory);
}

TEST_F(PoolOfHugePages, PinnedMemoryIsMadeOfThem) {
  const Fault fault(Fault::Kind::HugePages);

  const Memory memory = allocate_pinned(device_, 5 * kMebibyte, options(HugePages::Required), &report_);

  EXPECT_EQ(report_.page_class, PageClass::ExplicitHuge);
  EXPECT_EQ(report_.bytes, 6 * kMebibyte);
  EXPECT_EQ(memory.bytes(), 5 * kMebibyte);
  EXPECT_EQ(report_.registrations.size(), 2u);
  EXPECT_EQ(memory.address()[5 * kMebibyte - 1], std::byte{0});
}

TEST_F(PoolOfHugePages, ThatOthersEmptiedIsAnErrorIfItIsRequired) {
  const Fault fault(Fault::Kind::NoHugePages);

  EXPECT_EQ(error_of([&] { static_cast<void>(allocate_pinned(device_, kMebibyte, options(HugePages::Required))); }),
            kNoMemory);
  EXPECT_EQ(device_->pinned_bytes(), 0u);
}

TEST_F(PoolOfHugePages, ThatOthersEmptiedIsDoneWithout) {
  const Fault fault(Fault::Kind::NoHugePages);

  const Memory memory = allocate_pinned(device_, kMebibyte, options(HugePages::BestEffort), &report_);

  EXPECT_NE(report_.page_class, PageClass::ExplicitHuge);
  EXPECT_EQ(report_.bytes, kMebibyte);
}

TEST(PinnedMemory, ThatTheSystemDoesNotHaveIsAnError) {
  const auto device = EmulatedDevice::create();
  const Fault fault(Fault::Kind::NoMemory);

  EXPECT_EQ(
      error_of([&] { static_cast<void>(allocate_pinned(device, kMebibyte, {.huge_pages = HugePages::Disabled})); }),
      kNoMemory);
  EXPECT_EQ(device->pinned_bytes(), 0u);
}

TEST(PinnedMemory, IsTouchedWhereTheKernelCannotDoSoItself) {
  const Fault fault(Fault::Kind::NoPopulate);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

  const Memory memory = allocate_pinned(EmulatedDevice::create(), 64 * page, {.huge_pages = HugePages::Disabled});

  std::vector<unsigned char> resident(64);
  ASSERT_EQ(mincore(memory.address(), memory.bytes(), resident.data()), 0);
  for (std::size_t i = 0; i < resident.size(); ++i) EXPECT_EQ(resident[i] & 1, 1) << i;
}

TEST(PinnedMemory, WithoutThreadsToTouchItIsAnErrorAndLeavesNothing) {
  for (std::size_t started = 0; started < 3; ++started) {
    const auto device = EmulatedDevice::create();
    const test::ThreadFault fault(started);

    EXPECT_EQ(error_of([&] { static_cast<void>(allocate_pinned(device, 129 * kMebibyte, {.threads = 3})); }),
              std::error_code(EAGAIN, std::generic_category()));
    EXPECT_EQ(device->pinned_bytes(), 0u);
  }
}

}  // namespace
}  // namespace kvbm
