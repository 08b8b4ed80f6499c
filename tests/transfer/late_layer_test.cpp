#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

#include "tests/transfer/engine_world.hpp"
#include "tests/transfer/holding_device.hpp"

// 6.10: who asks for a layer late gets what holds now: nothing to wait for

namespace kvbm {
namespace {

using test::EngineWorld;
using test::GuardedPages;
using test::HeldStream;
using Code = TransferError::Code;

const std::vector<BlockPair> kBlock{{1, 8}};

/// A stream that uses what it waits for, and tells whether it has come to that.
class Reader {
 public:
  explicit Reader(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  void wait_for_layer(const Completion& completion, std::uint32_t layer) {
    completion.wait_for_layer(layer, stream_.view());
    device_->record(passed_.view(), stream_.view());
  }
  [[nodiscard]] bool passed() { return device_->done(passed_.view()); }
  void synchronize() { device_->synchronize(passed_.view()); }

 private:
  std::shared_ptr<Device> device_;
  Stream stream_{device_, StreamPriority::Normal, "test.reader"};
  Event passed_{device_};
};

/// Loads of one slot for all, whose copies are calls: one for each layer of a block.
class LateLayer : public testing::Test {
 protected:
  static constexpr LayoutConfig kConfig = EngineWorld::kConfig;

  [[nodiscard]] static TransferEngineOptions options() {
    TransferEngineOptions one = EngineWorld::options();
    one.transfers_max = 1;
    return one;
  }
  [[nodiscard]] Completion load(TransferRequest request = {}) {
    request.source = store_.layout();
    request.target = cache_.layout();
    request.blocks = kBlock;
    request.layer_events = true;
    request.mechanism = Mechanism::Copies;
    return engine_.submit(std::move(request)).value();
  }
  [[nodiscard]] std::uint64_t event_calls() { return device_->emulated().call_counts().events; }
  void refuse_copy(std::uint64_t n) {
    device_->emulated().add_fault({.kind = FaultKind::Copy, .n = device_->emulated().call_counts().copies + n});
  }

  std::shared_ptr<test::HoldingDevice> device_ = std::make_shared<test::HoldingDevice>();
  GuardedPages store_{device_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0}};
  GuardedPages cache_{device_, kConfig, {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0}};
  TransferEngine engine_{device_, options()};
};

TEST_F(LateLayer, ThatHasArrivedIsUsedWhileTheLastIsOnItsWay) {
  device_->hold(3);
  const Completion completion = load();
  Reader early(device_), late(device_);
  early.wait_for_layer(completion, 0);
  early.synchronize();  // it has arrived

  late.wait_for_layer(completion, 0);

  late.synchronize();
  EXPECT_FALSE(completion.done());
  device_->open();
  EXPECT_FALSE(completion.wait().error);
}

TEST_F(LateLayer, OfATransferThatHasEndedLeavesTheStreamAlone) {
  const Completion completion = load();
  ASSERT_FALSE(completion.wait().error);
  const Stream reader(device_, StreamPriority::Normal, "test.reader");
  const std::uint64_t before = event_calls();

  for (const std::uint32_t layer : {0u, 2u}) completion.wait_for_layer(layer, reader.view());
  completion.wait_on(reader.view());

  EXPECT_EQ(event_calls(), before);
}

TEST_F(LateLayer, DoesNotWaitForTheTransferThatHasItsEventsNow) {
  const Completion first = load();
  ASSERT_FALSE(first.wait().error);
  device_->hold(1);
  const Completion second = load();  // in the same slot
  Reader reader(device_), other(device_);
  other.wait_for_layer(second, 0);

  reader.wait_for_layer(first, 0);

  reader.synchronize();
  EXPECT_FALSE(other.passed());
  device_->open();
  EXPECT_FALSE(second.wait().error);
  other.synchronize();
}

TEST_F(LateLayer, OfATransferThatFailedLetsTheStreamGoOn) {
  refuse_copy(2);
  const Completion completion = load();
  ASSERT_EQ(completion.wait().error.value().code, Code::DeviceFailed);
  Reader reader(device_);

  reader.wait_for_layer(completion, 2);

  reader.synchronize();
}

TEST_F(LateLayer, OfATransferThatFailsAndIsNotAtItsEndLetsTheStreamGoOn) {
  device_->hold(1);
  refuse_copy(3);
  const Completion completion = load();
  Reader reader(device_);

  reader.wait_for_layer(completion, 2);

  reader.synchronize();
  EXPECT_FALSE(completion.done());  // what was enqueued may still write
  device_->open();
  EXPECT_EQ(completion.wait().error.value().code, Code::DeviceFailed);
}

TEST_F(LateLayer, OfATransferOfNothingLeavesTheStreamAlone) {
  Reader reader(device_);
  const Completion nothing = load({.layers = LayerRange{1, 1}});
  reader.wait_for_layer(nothing, 1);
  reader.synchronize();
  reader.wait_for_layer(Completion::ready(), 0);
  reader.synchronize();
}

TEST_F(LateLayer, OfACompletionThatOutlivesItsEngineLeavesTheStreamAlone) {
  std::optional<Completion> completion;
  {
    TransferEngine engine(device_, options());
    completion =
        engine.submit({.source = store_.layout(), .target = cache_.layout(), .blocks = kBlock, .layer_events = true})
            .value();
  }
  Reader reader(device_);
  reader.wait_for_layer(*completion, 1);
  reader.synchronize();
}

TEST_F(LateLayer, AskedForByManyThreadsWhileTheTransferEndsNeitherHangsNorWaitsForAnother) {
  std::vector<Reader> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(device_);
  for (int round = 0; round < 200; ++round) {
    const Completion completion = load();
    {
      std::latch start(static_cast<std::ptrdiff_t>(readers.size()));
      std::vector<std::jthread> threads;
      for (Reader& reader : readers) {
        threads.emplace_back([&] {
          start.arrive_and_wait();
          for (const std::uint32_t layer : {2u, 0u, 1u}) reader.wait_for_layer(completion, layer);
        });
      }
    }
    for (Reader& reader : readers) reader.synchronize();
    EXPECT_FALSE(completion.wait().error);
  }
}

TEST(LateLayers, OfATransferThatWasCancelledLetTheStreamGoOn) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  const std::vector<BlockPair> full{{0, 0}, {2, 1}};
  const Completion filling = world.engine->submit(world.load(full, {.after_streams = after})).value();
  const Completion waiting = world.engine->submit(world.load(kBlock, {.layer_events = true})).value();
  ASSERT_TRUE(waiting.cancel());
  Reader reader(world.device);

  reader.wait_for_layer(waiting, 0);

  reader.synchronize();
  EXPECT_FALSE(filling.done());
}

TEST(LateLayers, OfATransferThatIsCancelledHalfwayLetTheStreamGoOn) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  const std::vector<BlockPair> large{{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}};
  const Completion halfway =
      world.engine
          ->submit(
              world.load(large, {.after_streams = after, .layer_events = true, .mechanism = Mechanism::CopyKernel}))
          .value();
  while (world.device->call_counts().launches < 2)
    std::this_thread::yield();  // a first layer, behind the gate's kernel
  ASSERT_TRUE(halfway.cancel());
  Reader reader(world.device);

  reader.wait_for_layer(halfway, 0);

  reader.synchronize();
  EXPECT_FALSE(halfway.done());
  held.open();
  EXPECT_EQ(halfway.wait().error.value().code, Code::Cancelled);
}

TEST(LateLayers, OfSeveralTransfersAreWaitedForOnlyWhereThatIsNotOver) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  const std::vector<BlockPair> other{{3, 4}};
  const Completion parts[]{
      world.engine->submit(world.load(kBlock, {.priority = TransferPriority::OnDemand, .layer_events = true})).value(),
      world.engine->submit(world.load(other, {.after_streams = after, .layer_events = true})).value()};
  const Completion all = Completion::all(parts);
  ASSERT_FALSE(parts[0].wait().error);
  Reader reader(world.device), late(world.device);

  reader.wait_for_layer(all, 1);
  EXPECT_FALSE(reader.passed());
  held.open();
  reader.synchronize();
  ASSERT_FALSE(all.wait().error);
  late.wait_for_layer(all, 1);
  late.synchronize();
}

}  // namespace
}  // namespace kvbm
