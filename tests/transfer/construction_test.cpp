#include <gtest/gtest.h>

#include <new>
#include <system_error>

#include "tests/support/allocation_faults.hpp"
#include "tests/support/thread_faults.hpp"
#include "tests/transfer/engine_world.hpp"

// What is left of an engine whose n-th call for something fails while it is made, for every n: nothing, and the error
// that it documents.

namespace kvbm {
namespace {

using test::EngineWorld;

/// Makes an engine on a device that fails the n-th call of a kind. Whether it came to that.
bool refused_by_device(FaultKind kind, std::uint64_t n) {
  const auto device = EmulatedDevice::create({.faults = {{.kind = kind, .n = n}}});
  bool refused = false;
  try {
    const TransferEngine engine(device, EngineWorld::options());
  } catch (const DeviceError&) {
    refused = true;
  }
  EXPECT_EQ(device->device_bytes(), 0u) << n;
  EXPECT_EQ(device->pinned_bytes(), 0u) << n;
  return refused;
}

/// Makes an engine while a fault is there, which lets it throw an `Error`, or what the device makes of it. Whether it
/// came to the fault.
template <class Error, class Fault>
bool refused_by_host(std::size_t n) {
  const auto device = EmulatedDevice::create();
  bool refused = false;
  bool fired = false;
  {
    const Fault fault(n);
    try {
      const TransferEngine engine(device, EngineWorld::options());
    } catch (const Error&) {
      refused = true;
    } catch (const DeviceError&) {
      refused = true;
    }
    fired = fault.fired();
  }
  EXPECT_EQ(refused, fired) << n;
  EXPECT_EQ(device->device_bytes(), 0u) << n;
  EXPECT_EQ(device->pinned_bytes(), 0u) << n;
  return fired;
}

#if defined(__SANITIZE_THREAD__)  // under which an engine takes ten times as long to make
constexpr std::size_t kStep = 3;
#else
constexpr std::size_t kStep = 1;
#endif

/// Runs attempt(n) for n = first, ... until it returns false. Returns for how many n it would be true. All memory comes
/// back.
template <class Attempt>
std::size_t until_it_succeeds(std::size_t first, const Attempt& attempt) {
  EXPECT_FALSE(attempt(std::size_t{1} << 30));  // what is made once and kept is made here
  std::size_t n = first;
  for (; !testing::Test::HasFailure(); n += kStep) {
    const std::int64_t before = test::live_allocations();
    const bool came_to_it = attempt(n);
    EXPECT_EQ(test::live_allocations(), before) << n;
    if (!came_to_it) break;
  }
  return n - first;
}

TEST(Construction, LeavesNothingWhereTheDeviceHasNoMemory) {
  EXPECT_GE(until_it_succeeds(1, [](std::size_t n) { return refused_by_device(FaultKind::Allocation, n); }), 3u);
}

TEST(Construction, LeavesNothingWhereTheDeviceHasNoEvent) {
  EXPECT_GT(until_it_succeeds(1, [](std::size_t n) { return refused_by_device(FaultKind::Event, n); }), 40u);
}

TEST(Construction, LeavesNothingWhereTheHostHasNoMemory) {
  const auto attempt = [](std::size_t n) { return refused_by_host<std::bad_alloc, test::AllocationFault>(n); };
  EXPECT_GT(until_it_succeeds(0, attempt), 100u);
}

/// Of the lanes, of the device's streams, or that which touches pinned memory first.
TEST(Construction, LeavesNothingWhereTheSystemHasNoThread) {
  const auto attempt = [](std::size_t n) { return refused_by_host<std::system_error, test::ThreadFault>(n); };
  EXPECT_GT(until_it_succeeds(0, attempt), 20u);
}

}  // namespace
}  // namespace kvbm
