#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/kernel_gate.hpp"
#include "tests/support/pinned_bytes.hpp"
#include "tests/support/test_stream.hpp"

namespace kvbm::test {
namespace {

/// Kernels that write down in which order they ran.
class Log {
 public:
  [[nodiscard]] KernelCall call(int name) {
    return KernelCall(
        "log", Arguments{this, name}, [](const Arguments& a) { a.log->add(a.name); }, nullptr);
  }
  [[nodiscard]] std::vector<int> names() {
    const MutexLock lock(mutex_);
    return names_;
  }

 private:
  struct Arguments {
    Log* log;
    int name;
  };
  void add(int name) {
    const MutexLock lock(mutex_);
    names_.push_back(name);
  }

  Mutex mutex_;
  std::vector<int> names_ KVBM_GUARDED_BY(mutex_);
};

TEST(EmulatedDevice, CopyReturnsBeforeBytesMove) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  PinnedBytes bytes(device, 2);
  bytes[0] = 1;
  const Stream stream = stream_of(device);
  device->launch(gate.call(), stream.view());

  device->copy(bytes.data() + 1, bytes.data(), 1, stream.view());
  gate.wait_until_held();

  EXPECT_EQ(bytes[1], 0);
  gate.open();
  device->synchronize(stream.view());
  EXPECT_EQ(bytes[1], 1);
}

TEST(EmulatedDevice, StreamsOvertakeOneThatIsHeld) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  Log log;
  const Stream held = stream_of(device), other = stream_of(device);
  device->launch(gate.call(), held.view());
  device->launch(log.call(1), held.view());

  device->launch(log.call(2), other.view());
  device->synchronize(other.view());

  EXPECT_EQ(log.names(), std::vector{2});
  gate.open();
  device->synchronize(held.view());
  EXPECT_EQ(log.names(), (std::vector{2, 1}));
}

TEST(EmulatedDevice, WaitHoldsAStreamUntilTheEventIsReached) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  Log log;
  const Stream writer = stream_of(device), reader = stream_of(device), bystander = stream_of(device);
  const Event written(device), read(device);
  device->launch(gate.call(), writer.view());
  device->launch(log.call(1), writer.view());
  device->record(written.view(), writer.view());

  device->wait(reader.view(), written.view());
  device->launch(log.call(2), reader.view());
  device->record(read.view(), reader.view());
  device->launch(log.call(0), bystander.view());
  device->synchronize(bystander.view());

  EXPECT_FALSE(device->done(written.view()));
  EXPECT_FALSE(device->done(read.view()));
  gate.open();
  device->synchronize(read.view());
  EXPECT_EQ(log.names(), (std::vector{0, 1, 2}));
}

TEST(EmulatedDevice, WaitMeansTheRecordThatWasLastWhenItWasCalled) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  const Stream early = stream_of(device), held = stream_of(device), waits = stream_of(device);
  const Event event(device);
  device->record(event.view(), early.view());
  device->wait(waits.view(), event.view());

  device->launch(gate.call(), held.view());
  device->record(event.view(), held.view());

  device->synchronize(waits.view());  // would hang if it meant the record that came later
  EXPECT_FALSE(device->done(event.view()));
  gate.open();
  device->synchronize(event.view());
}

TEST(EmulatedDevice, RecordedAgainAnEventForgetsTheRecordBefore) {
  const auto device = EmulatedDevice::create();
  const KernelGate gate;
  const Stream held = stream_of(device), other = stream_of(device);
  const Event event(device);
  device->launch(gate.call(), held.view());
  device->record(event.view(), held.view());

  device->record(event.view(), other.view());

  device->synchronize(event.view());
  EXPECT_TRUE(device->done(event.view()));
}

TEST(EmulatedDevice, KernelsOfDifferentStreamsRunAtOnce) {
  const auto device = EmulatedDevice::create();
  const KernelGate first, second;
  const Stream one = stream_of(device), two = stream_of(device);

  device->launch(first.call(), one.view());
  device->launch(second.call(), two.view());

  first.wait_until_held();
  second.wait_until_held();
}

TEST(EmulatedDevice, StreamsAreUsedAgain) {
  const auto device = EmulatedDevice::create();
  StreamView first = StreamView(nullptr);
  {
    const Stream stream = stream_of(device);
    first = stream.view();
  }
  const Stream second = stream_of(device);

  EXPECT_EQ(second.view(), first);
}

TEST(EmulatedDevice, EnqueuingAllocatesNothingOnceWarm) {
  const auto device = EmulatedDevice::create();
  PinnedBytes bytes(device, 8);
  const Stream stream = stream_of(device);
  const Event event(device);
  void* const targets[] = {bytes.data(), bytes.data() + 1};
  const void* const sources[] = {bytes.data() + 2, bytes.data() + 3};
  const std::size_t sizes[] = {1, 1};
  int runs = 0;
  const auto work = [&] {
    device->copy(bytes.data(), bytes.data() + 4, 1, stream.view());
    device->fill(bytes.data(), 1, 1, stream.view());
    device->copy_batch({.targets = targets, .sources = sources, .bytes = sizes}, stream.view());
    device->launch(host_kernel("count", &runs, [](int& count) { ++count; }), stream.view());
    device->record(event.view(), stream.view());
    device->wait(stream.view(), event.view());
    device->synchronize(event.view());
  };
  for (int i = 0; i < 50; ++i) work();

  const AllocationFault first_allocation(0);
  for (int i = 0; i < 50; ++i) work();

  EXPECT_FALSE(first_allocation.fired());
  EXPECT_EQ(runs, 100);
}

TEST(EmulatedDevice, ItsEndRunsWhatIsEnqueued) {
  Log log;
  {
    const auto device = EmulatedDevice::create({.delay_seed = 3});
    for (int name = 0; name < 50; ++name) device->launch(log.call(name), stream_of(device).view());
  }
  EXPECT_EQ(log.names().size(), 50u);
}

// ---- with a seed ----

/// The order in which 200 kernels on five streams run, some of them tied by events.
std::vector<int> order_of(std::uint64_t seed, int polls = 0) {
  Log log;
  const auto device = EmulatedDevice::create({.delay_seed = seed});
  std::vector<Stream> streams;
  for (int i = 0; i < 5; ++i) streams.push_back(stream_of(device));
  const Event event(device);
  for (int name = 0; name < 200; ++name) {
    const StreamView on = streams[static_cast<std::size_t>(name * name + name / 7) % 5].view();
    device->launch(log.call(name), on);
    if (name % 20 == 5) device->record(event.view(), on);
    if (name % 20 == 11) device->wait(on, event.view());
    for (int poll = 0; poll < polls && name % 50 == 8; ++poll) static_cast<void>(device->done(event.view()));
    if (name == 120) device->synchronize(event.view());
  }
  for (const Stream& stream : streams) device->synchronize(stream.view());
  return log.names();
}

TEST(EmulatedDevice, SeedRepeatsItsOrder) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const std::vector<int> first = order_of(seed);
    for (int again = 0; again < 5; ++again) ASSERT_EQ(order_of(seed), first) << "seed " << seed;
  }
}

TEST(EmulatedDevice, SeedsDiffer) { EXPECT_NE(order_of(1), order_of(2)); }

TEST(EmulatedDevice, SeedLetsStreamsOvertake) {
  const std::vector<int> order = order_of(7);

  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST(EmulatedDevice, SeedKeepsTheOrderOfAStream) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Log log;
    const auto device = EmulatedDevice::create({.delay_seed = seed});
    const Stream stream = stream_of(device), other = stream_of(device);
    for (int name = 0; name < 100; ++name) {
      device->launch(log.call(name), stream.view());
      PinnedBytes bytes(device, 1);
      device->fill(bytes.data(), 1, 1, other.view());
      if (name % 10 == 0) device->synchronize(other.view());
      device->synchronize(other.view());
    }
    device->synchronize(stream.view());
    const std::vector<int> order = log.names();
    ASSERT_EQ(order.size(), 100u);
    ASSERT_TRUE(std::is_sorted(order.begin(), order.end())) << "seed " << seed;
  }
}

TEST(EmulatedDevice, SeededWorkOfHighPriorityIsLessLate) {
  std::size_t high_came_first = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Log log;
    const auto device = EmulatedDevice::create({.delay_seed = seed});
    const Stream normal = stream_of(device), high(device, StreamPriority::High, "high");
    device->launch(log.call(1), normal.view());
    device->launch(log.call(2), high.view());
    device->synchronize(normal.view());
    device->synchronize(high.view());
    high_came_first += log.names().front() == 2;
  }
  EXPECT_GT(high_came_first, 30u);
}

TEST(EmulatedDevice, SeededWorkIsNotDueAtOnce) {
  int late = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto device = EmulatedDevice::create({.delay_seed = seed});
    const Stream stream = stream_of(device);
    const Event event(device);
    device->record(event.view(), stream.view());
    int polls = 0;
    while (!device->done(event.view())) ++polls;
    late += polls > 0;
  }
  EXPECT_GT(late, 10);
}

TEST(EmulatedDevice, SeededKernelThatBlocksHoldsUpItsStreamOnly) {
  const auto device = EmulatedDevice::create({.delay_seed = 1});
  const KernelGate gate;
  Log log;
  const Stream held = stream_of(device), other = stream_of(device);
  device->launch(gate.call(), held.view());
  device->launch(log.call(1), other.view());

  gate.wait_until_held();  // nobody calls: it comes by itself
  device->synchronize(other.view());

  EXPECT_EQ(log.names(), std::vector{1});
  gate.open();
  device->synchronize(held.view());
}

TEST(EmulatedDevice, LateWorkRunsAfterAllThatIsEnqueuedLater) {
  Log log;
  const auto device =
      EmulatedDevice::create({.faults = {{.kind = FaultKind::Launch, .n = 1, .effect = DeviceFault::Effect::Late}}});
  const Stream late = stream_of(device), other = stream_of(device);
  device->launch(log.call(1), late.view());
  device->launch(log.call(2), late.view());  // behind it, and so late too

  for (int name = 3; name < 50; ++name) device->launch(log.call(name), other.view());
  device->synchronize(other.view());
  EXPECT_EQ(log.names().size(), 47u);
  device->synchronize(late.view());

  const std::vector<int> order = log.names();
  ASSERT_EQ(order.size(), 49u);
  EXPECT_EQ(order[47], 1);
  EXPECT_EQ(order[48], 2);
}

TEST(EmulatedDevice, WorkIsLateForThoseWhoWaitForIt) {
  Log log;
  const auto device =
      EmulatedDevice::create({.faults = {{.kind = FaultKind::Launch, .n = 1, .effect = DeviceFault::Effect::Late}}});
  const Stream late = stream_of(device), waits = stream_of(device), other = stream_of(device);
  const Event event(device);
  device->launch(log.call(1), late.view());
  device->record(event.view(), late.view());
  device->wait(waits.view(), event.view());
  device->launch(log.call(2), waits.view());
  device->launch(log.call(3), other.view());
  device->synchronize(other.view());

  EXPECT_FALSE(device->done(event.view()));
  device->synchronize(waits.view());
  EXPECT_EQ(log.names(), (std::vector{3, 1, 2}));
}

}  // namespace
}  // namespace kvbm::test
