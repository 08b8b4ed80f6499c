#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "tests/support/kernel_gate.hpp"
#include "tests/support/pinned_bytes.hpp"
#include "tests/support/test_stream.hpp"

namespace kvbm::test {
namespace {

using Effect = DeviceFault::Effect;
using Kind = DeviceError::Kind;

std::shared_ptr<EmulatedDevice> device_with(DeviceFault fault, std::optional<std::uint64_t> seed = {}) {
  return EmulatedDevice::create({.memory_bytes = 1 << 20, .delay_seed = seed, .faults = {fault}});
}

KernelCall nothing() noexcept {
  struct None {};
  return KernelCall(
      "nothing", None{}, [](const None&) {}, nullptr);
}

template <class Call>
std::optional<Kind> kind_thrown(Call call) {
  try {
    call();
  } catch (const DeviceError& error) {
    return error.kind();
  }
  return std::nullopt;
}

TEST(EmulatedFault, OfNumberZeroIsRefused) {
  EXPECT_THROW(static_cast<void>(device_with({.kind = FaultKind::Copy, .n = 0})), std::invalid_argument);
  EXPECT_THROW(EmulatedDevice::create()->add_fault({.kind = FaultKind::Copy, .n = 0}), std::invalid_argument);
}

TEST(EmulatedFault, RefusesTheNthCopyAndEnqueuesNothing) {
  const auto device = device_with({.kind = FaultKind::Copy, .n = 2});
  PinnedBytes bytes(device, 4);
  const Stream stream = stream_of(device);

  device->fill(bytes.data(), 1, 1, stream.view());
  EXPECT_EQ(kind_thrown([&] { device->fill(bytes.data() + 1, 1, 1, stream.view()); }), Kind::Refused);
  device->fill(bytes.data() + 2, 1, 1, stream.view());
  device->synchronize(stream.view());

  EXPECT_EQ(bytes[0], 1);
  EXPECT_EQ(bytes[1], 0);
  EXPECT_EQ(bytes[2], 1);
  EXPECT_EQ(device->call_counts().copies, 3u);
}

TEST(EmulatedFault, RefusesTheNthAllocationAndKeepsNothing) {
  const auto device = device_with({.kind = FaultKind::Allocation, .n = 1});

  EXPECT_EQ(kind_thrown([&] { static_cast<void>(device->allocate(16)); }), Kind::OutOfMemory);
  EXPECT_EQ(device->device_bytes(), 0u);
  device->add_fault({.kind = FaultKind::Allocation, .n = 2});
  EXPECT_EQ(kind_thrown([&] { static_cast<void>(device->allocate_pinned(16, false)); }), Kind::OutOfMemory);
  device->add_fault({.kind = FaultKind::Allocation, .n = 3});
  std::byte host[16];
  EXPECT_EQ(kind_thrown([&] { device->register_host(host, 16); }), Kind::OutOfMemory);
  EXPECT_EQ(device->pinned_bytes(), 0u);
  EXPECT_EQ(device->call_counts().allocations, 3u);
}

TEST(EmulatedFault, RefusesTheNthLaunch) {
  const auto device = device_with({.kind = FaultKind::Launch, .n = 1});
  const Stream stream = stream_of(device);
  bool ran = false;

  EXPECT_EQ(kind_thrown([&] {
              device->launch(KernelCall(
                                 "mark", &ran, [](bool* const& mark) { *mark = true; }, nullptr),
                             stream.view());
            }),
            Kind::Refused);
  device->synchronize(stream.view());

  EXPECT_FALSE(ran);
}

TEST(EmulatedFault, CountsEventsOfAllCalls) {
  const auto device = EmulatedDevice::create();
  const Stream stream = stream_of(device);
  const Event event(device);
  device->record(event.view(), stream.view());
  device->wait(stream.view(), event.view());

  EXPECT_EQ(device->call_counts().events, 3u);
  for (std::uint64_t n = 4; n <= 6; ++n) device->add_fault({.kind = FaultKind::Event, .n = n});
  EXPECT_EQ(kind_thrown([&] { const Event refused(device); }), Kind::Refused);
  EXPECT_EQ(kind_thrown([&] { device->record(event.view(), stream.view()); }), Kind::Refused);
  EXPECT_EQ(kind_thrown([&] { device->wait(stream.view(), event.view()); }), Kind::Refused);
}

TEST(EmulatedFault, RefusedRecordLeavesTheRecordBefore) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  const Stream early = stream_of(device), held = stream_of(device);
  const Event event(device);
  device->record(event.view(), early.view());
  device->launch(gate.call(), held.view());
  device->add_fault({.kind = FaultKind::Event, .n = 3});

  EXPECT_THROW(device->record(event.view(), held.view()), DeviceError);

  device->synchronize(event.view());
}

TEST(EmulatedFault, BrokenCopyWritesHalf) {
  const auto device = device_with({.kind = FaultKind::Copy, .n = 1, .effect = Effect::Break});
  PinnedBytes bytes(device, 100);
  const Stream stream = stream_of(device);

  device->fill(bytes.data(), 1, 100, stream.view());

  EXPECT_EQ(kind_thrown([&] { device->synchronize(stream.view()); }), Kind::Broken);
  EXPECT_EQ(bytes[49], 1);
  EXPECT_EQ(bytes[50], 0);
}

TEST(EmulatedFault, BrokenBatchWritesHalf) {
  const auto device = device_with({.kind = FaultKind::Copy, .n = 1, .effect = Effect::Break});
  PinnedBytes bytes(device, 40);
  for (std::size_t i = 20; i < 40; ++i) bytes[i] = 1;
  void* const targets[] = {bytes.data(), bytes.data() + 8, bytes.data() + 16};
  const void* const sources[] = {bytes.data() + 20, bytes.data() + 28, bytes.data() + 36};
  const std::size_t sizes[] = {8, 8, 4};
  const Stream stream = stream_of(device);

  device->copy_batch({.targets = targets, .sources = sources, .bytes = sizes}, stream.view());

  EXPECT_EQ(kind_thrown([&] { device->synchronize(stream.view()); }), Kind::Broken);
  EXPECT_EQ(bytes[9], 1);
  EXPECT_EQ(bytes[10], 0);
}

/// One way to break a device, and what it takes until it breaks.
struct Breaking {
  const char* name;
  DeviceFault fault;
};

/// The fault, aimed at the calls that are yet to come.
DeviceFault next(DeviceFault fault, const DeviceCallCounts& counts) {
  fault.n += counts.of(fault.kind);
  return fault;
}

class EveryBreak : public testing::TestWithParam<Breaking> {};

TEST_P(EveryBreak, FailsEveryLaterCallAndHangsNowhere) {
  for (const std::optional<std::uint64_t> seed : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(5)}) {
    std::array<std::uint8_t, 16> bytes{};
    {
      const auto device = EmulatedDevice::create({.memory_bytes = 1 << 20, .delay_seed = seed});
      const KernelGate gate;
      device->register_host(bytes.data(), bytes.size());
      const Stream stream = stream_of(device), held = stream_of(device);
      const Event recorded(device), pending(device);
      device->launch(gate.call(), held.view());
      device->fill(bytes.data() + 8, 9, 1, held.view());  // behind the gate, and so dropped
      device->record(pending.view(), held.view());
      gate.wait_until_held();
      device->add_fault(next(GetParam().fault, device->call_counts()));
      const std::jthread waiter(
          [&] { EXPECT_EQ(kind_thrown([&] { device->synchronize(pending.view()); }), Kind::Broken); });

      const auto broken = kind_thrown([&] {
        device->fill(bytes.data(), 1, 8, stream.view());
        device->launch(nothing(), stream.view());
        device->record(recorded.view(), stream.view());
        const Event another(device);
        device->release(device->allocate(8));
        device->synchronize(stream.view());
      });

      EXPECT_EQ(broken, Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { static_cast<void>(device->done(pending.view())); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { static_cast<void>(device->done(recorded.view())); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { device->synchronize(held.view()); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { device->fill(bytes.data(), 1, 8, stream.view()); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { device->launch(nothing(), stream.view()); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { device->record(recorded.view(), stream.view()); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { device->wait(stream.view(), recorded.view()); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { static_cast<void>(device->allocate(8)); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { static_cast<void>(stream_of(device)); }), Kind::Broken);
      EXPECT_EQ(kind_thrown([&] { const Event event(device); }), Kind::Broken);
    }  // the gate opens, and the device's end waits for its workers
    EXPECT_EQ(bytes[8], 0) << "work that was enqueued when the device broke has run";
  }
}

INSTANTIATE_TEST_SUITE_P(EmulatedFault, EveryBreak,
                         testing::Values(Breaking{"Copy", {FaultKind::Copy, 1, Effect::Break}},
                                         Breaking{"Launch", {FaultKind::Launch, 1, Effect::Break}},
                                         Breaking{"Record", {FaultKind::Event, 1, Effect::Break}},
                                         Breaking{"CreateEvent", {FaultKind::Event, 2, Effect::Break}},
                                         Breaking{"Allocation", {FaultKind::Allocation, 1, Effect::Break}}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(EmulatedFault, LateDoesNothingToCallsThatEnqueueNothing) {
  const auto device = device_with({.kind = FaultKind::Allocation, .n = 1, .effect = Effect::Late});

  EXPECT_NO_THROW(device->release(device->allocate(8)));
}

}  // namespace
}  // namespace kvbm::test
