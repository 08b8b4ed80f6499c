// physical.md 6.9, cancellation between the forming of a batch and its copy

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/forwarding_device.hpp"
#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

/// Runs an action of the test, once, when a stream is told to wait for one event: a request of a transfer does that for
/// its preconditions, after its batch was formed and before anything of it is enqueued.
class InterruptingDevice final : public ForwardingDevice {
 public:
  using ForwardingDevice::ForwardingDevice;
  void interrupt(EventView at, std::function<void()> action) {
    action_ = std::move(action);
    at_.store(at.handle(), std::memory_order_release);
  }
  void wait(StreamView stream, EventView event) override {
    CUevent_st* expected = event.handle();
    if (expected != nullptr && at_.compare_exchange_strong(expected, nullptr)) action_();
    ForwardingDevice::wait(stream, event);
  }

 private:
  std::atomic<CUevent_st*> at_{nullptr};
  std::function<void()> action_;
};

/// Blocks to be offloaded once an event has come; the engine has no budget left until the gate opens.
class BatchForming : public testing::Test {
 protected:
  /// Calls what `meanwhile` does on another thread while a batch that `offloading` has a part in is formed, and not yet
  /// sent. Returns when it has been sent, or dropped.
  void form(const Offloading& offloading, std::function<void()> meanwhile) {
    device->interrupt(pass->view(), [&] { std::jthread{meanwhile}; });
    static_cast<void>(offloading.advance());
  }
  [[nodiscard]] Offloading offload(std::span<const SequenceHash> some) { return world.cache().offload(some, pass); }

  std::shared_ptr<InterruptingDevice> device;
  TieredWorld world{{.g1_blocks = 8,
                     .mode = TierMode::Inclusive,
                     .offload = OffloadPolicy::WhenAsked,
                     .gated = true,
                     .mechanism = Mechanism::CopyKernel,
                     .bytes_in_flight_max = 256,
                     .face = [this](const std::shared_ptr<EmulatedDevice>& emulated) {
                       return device = std::make_shared<InterruptingDevice>(emulated);
                     }}};
  const std::shared_ptr<Event> pass = std::make_shared<Event>(world.device());
  const std::vector<SequenceHash> hashes = chain(1, 2);
  const BlockRun<ImmutableBlock<G1>> held = world.compute(hashes);
  const Completion filling = world.fill_budget(PagesArrived::Tier::G2);
};

TEST_F(BatchForming, WhatIsGivenUpMeanwhileIsNotSent) {
  const Offloading offloading = offload(hashes);

  form(offloading, [&] { offloading.cancel(); });

  EXPECT_EQ(offloading.progress().cancel(), CancelState::Confirmed);  // the gate is closed still
  EXPECT_EQ(offloading.progress().cancelled, 2u);
  EXPECT_EQ(world.g2().available_blocks(), world.g2().total_blocks());
  world.open_gate();
  world.cache().settle();
  EXPECT_FALSE(world.in_g2(hashes[0]));
  EXPECT_EQ(world.arrived(), 0u);
  EXPECT_EQ(world.cache().counts().failures, 0u);
}

TEST_F(BatchForming, GivenUpMeanwhileByOneOfTwoItIsSentForTheOther) {
  const Offloading first = offload(std::span(hashes).first(1)), second = offload(std::span(hashes).last(1));

  form(first, [&] { second.cancel(); });

  EXPECT_EQ(second.progress().cancel(), CancelState::Draining);
  EXPECT_EQ(first.progress().under_way, 1u);
  world.open_gate();
  first.wait();
  second.wait();
  EXPECT_EQ(first.progress().completed, 1u);
  EXPECT_EQ(second.progress().completed, 1u);
  world.cache().settle();
  EXPECT_EQ(world.corrupt(), 0u);
}

TEST_F(BatchForming, WhatIsAskedForAgainMeanwhileIsCopiedOnce) {
  const Offloading first = offload(hashes);
  std::optional<Offloading> second;

  form(first, [&] {
    second.emplace(offload(hashes));
    EXPECT_FALSE(second->advance());
  });
  world.open_gate();
  first.wait();
  second->wait();

  EXPECT_EQ(first.progress().completed, 2u);
  EXPECT_EQ(second->progress().skipped, 2u);
  EXPECT_EQ(world.arrived(), 2u);
}

TEST_F(BatchForming, IfTheCacheGoesMeanwhileTheBatchIsStillWhole) {
  const Offloading offloading = offload(hashes);

  form(offloading, [&] { world.drop_cache(); });
  world.open_gate();
  offloading.wait();

  EXPECT_EQ(offloading.progress().remaining(), 0u);
  EXPECT_EQ(world.corrupt(), 0u);
}

}  // namespace
}  // namespace kvbm::test
