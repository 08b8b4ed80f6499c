#include "tests/support/peer_copies.hpp"

#include <latch>
#include <thread>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "tests/support/idle_device.hpp"
#include "tests/transfer/engine_world.hpp"
#include "tests/transfer/planned_layouts.hpp"

// 3.2, 6.5: copies between two devices

namespace kvbm {
namespace {

using test::EngineWorld;
using test::GuardedPages;
using test::HeldStream;
using test::PeerCopies;
using test::Witness;
using Code = TransferError::Code;

std::function<std::shared_ptr<Device>()> emulated(int ordinal, std::optional<std::uint64_t> seed, bool batched) {
  return [=] { return EmulatedDevice::create({.delay_seed = seed, .batched_copy = batched, .ordinal = ordinal}); };
}

INSTANTIATE_TEST_SUITE_P(Emulated, PeerCopies,
                         testing::Values(test::DevicePair{"Prompt", emulated(0, {}, true), emulated(1, {}, true)},
                                         test::DevicePair{"Late", emulated(0, 1, true), emulated(1, 2, true)},
                                         test::DevicePair{"LateHere", emulated(1, 3, false), emulated(0, {}, true)},
                                         test::DevicePair{"LateThere", emulated(3, {}, true), emulated(5, 4, true)}),
                         [](const auto& each) { return each.param.name; });

/// Saves from a world's cache to pages on a second device.
class TwoDevices : public testing::Test {
 protected:
  TwoDevices() { in_there_ = there_.fill(world_.random); }

  [[nodiscard]] TransferRequest away(TransferRequest request = {}) const {
    request.source = world_.cache.layout();
    request.target = there_.layout();
    request.blocks = blocks_;
    return request;
  }
  /// How a transfer ends that one call of a device fails for.
  [[nodiscard]] std::optional<TransferError> outcome_of(TransferRequest request) {
    auto submitted = world_.engine->submit(std::move(request));
    if (!submitted) return submitted.error();
    return submitted->wait().error;
  }

  const std::vector<BlockPair> blocks_{{3, 1}, {7, 4}, {0, 11}, {9, 6}};
  EngineWorld world_;
  std::shared_ptr<EmulatedDevice> second_ = EmulatedDevice::create({.ordinal = 1});
  GuardedPages there_{second_, EngineWorld::kConfig, {LayoutKind::FullyContiguous, MemoryKind::Device, 0}};
  std::vector<GuardedPages::Bytes> in_there_;
};

TEST_F(TwoDevices, PagesAreHeldUntilTheOtherDevicesEventHasComeAndTheyAreMoved) {
  const HeldStream held(second_);
  const Event event(second_);
  second_->record(event.view(), held.view());
  const EventView after[]{event.view()};
  Witness witness;
  std::optional<Completion> completion =
      world_.engine->submit(away({.after_events = after, .keepalive = witness.guard()})).value();

  EXPECT_FALSE(completion->wait_for(std::chrono::milliseconds(1)));
  completion.reset();
  EXPECT_FALSE(witness.gone());
  EXPECT_EQ(there_.read(), in_there_);
  held.open();
  world_.engine->quiesce();

  EXPECT_TRUE(witness.gone());
  EXPECT_EQ(there_.read(), copied(world_.cache, world_.in_cache, there_, in_there_, blocks_, {0, 3}));
}

TEST_F(TwoDevices, ACallThatThisDeviceRefusesFailsTheTransferAndTheNextOneWorks) {
  for (std::uint64_t n = 1; n <= 12; ++n) {
    Witness witness;
    world_.device->add_fault({.kind = FaultKind::Copy, .n = world_.device->call_counts().copies + n});
    const auto error = outcome_of(away({.keepalive = witness.guard()}));
    ASSERT_TRUE(error) << n;
    EXPECT_EQ(error->code, Code::DeviceFailed);
    world_.engine->quiesce();
    EXPECT_TRUE(witness.gone());
    world_.engine->resume();
    EXPECT_EQ(world_.cache.read(), world_.in_cache);
    EXPECT_FALSE(outcome_of(away()).has_value());
    EXPECT_EQ(there_.read(), copied(world_.cache, world_.in_cache, there_, in_there_, blocks_, {0, 3}));
    there_.write(in_there_);
  }
}

TEST_F(TwoDevices, CallsThatTheOtherDeviceRefusesDoNotConcernTheTransfer) {
  second_->add_fault({.kind = FaultKind::Copy, .n = second_->call_counts().copies + 1});
  EXPECT_FALSE(outcome_of(away()).has_value());
}

/// What breaks a device for good.
void break_device(EmulatedDevice& device) {
  device.add_fault(
      {.kind = FaultKind::Event, .n = device.call_counts().events + 1, .effect = DeviceFault::Effect::Break});
  EXPECT_THROW(static_cast<void>(device.create_event()), DeviceError);
}

TEST_F(TwoDevices, NothingIsCopiedIntoABrokenDeviceAndThisOneGoesOn) {
  break_device(*second_);
  const auto error = outcome_of(away());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::DeviceFailed);
  EXPECT_NE(error->text.find("memory of another device, which is broken"), std::string::npos) << error->text;
  const std::vector<BlockPair> down{{3, 1}};
  EXPECT_FALSE(outcome_of(world_.save(down)).has_value());
}

TEST_F(TwoDevices, ADeviceThatBreaksBeforeACopyOfItsMemoryRunsFailsThatAndNothingHangs) {
  const HeldStream held(world_.device);
  const StreamView after[]{held.view()};
  Witness witness;
  const Completion completion =
      world_.engine->submit(away({.after_streams = after, .keepalive = witness.guard()})).value();
  const Completion forced = completion;
  const Stream reader(world_.device, StreamPriority::Normal, "test.reader");
  forced.wait_on(reader.view());  // all of it is enqueued
  break_device(*second_);
  held.open();

  ASSERT_TRUE(completion.wait().error);
  EXPECT_NE(completion.wait().error->text.find("or its device broke"), std::string::npos)
      << completion.wait().error->text;
  static_cast<void>(completion.take_keepalive());
  EXPECT_TRUE(witness.gone());
}

TEST_F(TwoDevices, AnEventOfADeviceThatBreaksFailsTheTransferThatWaitsForIt) {
  std::optional<HeldStream> held(std::in_place, second_);
  const Event event(second_);
  second_->record(event.view(), held->view());
  const EventView after[]{event.view()};
  const Completion completion = world_.engine->submit(away({.after_events = after})).value();
  break_device(*second_);

  EXPECT_EQ(completion.wait().error.value().code, Code::DeviceFailed);

  const auto at = there_.cell(1, 0, 0);
  EXPECT_EQ(std::to_integer<std::uint8_t>(*there_.layout()->cell(1, 0, 0).value()), in_there_[at.region][at.offset]);
  EXPECT_EQ(outcome_of(away({.after_events = after})).value().code, Code::DeviceFailed);
  held->open();
}

TEST_F(TwoDevices, MemoryThatIsReleasedBeforeTheOtherDeviceCopiesItBreaksThatOne) {
  const Memory here = allocate_device(world_.device, 64);
  const HeldStream held(world_.device);
  {
    const Memory gone = allocate_device(second_, 64);
    world_.device->copy(here.address(), gone.address(), 64, held.view());
  }
  held.open();
  EXPECT_THROW(world_.device->synchronize(held.view()), DeviceError);
  second_->synchronize(Stream(second_, StreamPriority::Normal, "test").view());  // it is well
}

TEST_F(TwoDevices, MemoryThatIsNoDevicesIsRefusedAndSoIsAFillOfTheOthers) {
  const Stream stream(world_.device, StreamPriority::Normal, "test");
  const Memory here = allocate_device(world_.device, 64), there = allocate_device(second_, 64);
  const Memory pinned = allocate_pinned(second_, 64);
  EXPECT_THROW(world_.device->copy(here.address(), there.address() + 32, 64, stream.view()), DeviceError);
  EXPECT_THROW(world_.device->copy(here.address(), pinned.address(), 64, stream.view()), DeviceError);
  EXPECT_THROW(world_.device->fill(there.address(), 1, 64, stream.view()), DeviceError);
  EXPECT_NO_THROW(world_.device->copy(there.address(), here.address(), 64, stream.view()));
  world_.device->synchronize(stream.view());
}

TEST_F(TwoDevices, TwoEnginesMoveBothWaysAtOnce) {
  TransferEngine back(second_, EngineWorld::options());
  {
    std::vector<std::jthread> threads;
    for (const bool out : {true, false}) {
      threads.emplace_back([&, out] {
        for (int i = 0; i < 200; ++i) {
          const std::vector<BlockPair> mine{out ? BlockPair{3, 1} : BlockPair{5, 8}};
          TransferRequest request{.source = out ? world_.cache.layout() : there_.layout(),
                                  .target = out ? there_.layout() : world_.cache.layout(),
                                  .blocks = mine};
          TransferEngine& engine = (i % 2 == 0) == out ? *world_.engine : back;
          EXPECT_FALSE(engine.submit(std::move(request)).value().wait().error.has_value());
        }
      });
    }
  }
  const std::vector<BlockPair> out{{3, 1}}, home{{5, 8}};
  EXPECT_EQ(there_.read(), copied(world_.cache, world_.in_cache, there_, in_there_, out, {0, 3}));
  EXPECT_EQ(world_.cache.read(), copied(there_, in_there_, world_.cache, world_.in_cache, home, {0, 3}));
}

TEST(PeerKinds, AnEmulatedDeviceIsNoPeerOfAGpu) {
  const auto gpu = std::make_shared<test::IdleDevice>(/*emulated=*/false);
  const auto here = std::make_shared<test::IdleDevice>(), there = std::make_shared<test::IdleDevice>();
  TransferEngine engine(here, EngineWorld::options());
  const auto pages = [](const std::shared_ptr<Device>& device, std::uintptr_t start) {
    return test::planned_layout(device, EngineWorld::kConfig, LayoutKind::FullyContiguous, MemoryKind::Device, start);
  };
  const std::vector<BlockPair> blocks{{0, 0}};
  const auto target = pages(here, 1u << 20);
  const auto refused = engine.submit({.source = pages(gpu, 2u << 20), .target = target, .blocks = blocks});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::Unsupported);
  EXPECT_TRUE(engine.submit({.source = pages(there, 2u << 20), .target = target, .blocks = blocks}));
}

}  // namespace
}  // namespace kvbm
