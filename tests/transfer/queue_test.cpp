#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "tests/transfer/engine_world.hpp"
#include "tests/transfer/holding_device.hpp"

// Who goes first, who waits, and for what

namespace kvbm {
namespace {

using test::EngineWorld;
using test::HeldStream;
using test::Witness;
using namespace std::chrono_literals;
using Code = TransferError::Code;

/// Two blocks fill the budget of EngineWorld.
const std::vector<BlockPair> kFull{{0, 0}, {1, 1}};
const std::vector<BlockPair> kSecond{{2, 2}};
const std::vector<BlockPair> kThird{{3, 3}};
const std::vector<BlockPair> kFourth{{4, 4}};

class Queue : public testing::Test {
 protected:
  [[nodiscard]] Completion submit(const std::vector<BlockPair>& blocks, TransferRequest request = {}) {
    return world_.engine->submit(world_.save(blocks, std::move(request))).value();
  }
  /// Fills the budget until `held` opens. A transfer of this size is enqueued by a thread of the engine.
  [[nodiscard]] Completion fill_budget(const HeldStream& held) {
    const StreamView after[]{held.view()};
    const std::uint64_t before = world_.device->call_counts().launches;
    Completion filling = submit(kFull, {.after_streams = after, .mechanism = Mechanism::CopyKernel});
    while (world_.device->call_counts().launches < before + kFull.size()) std::this_thread::yield();
    return filling;
  }

  EngineWorld world_;
};

TEST_F(Queue, OnDemandOvertakesWriteBehindThatWaits) {
  const HeldStream held(world_.device);
  const Completion first = fill_budget(held);
  const Completion second = submit(kSecond);
  const Completion third = submit(kThird);
  const Completion wanted = submit(kFourth, {.priority = TransferPriority::OnDemand});
  held.open();
  for (const Completion* each : {&first, &second, &third, &wanted}) EXPECT_FALSE(each->wait().error);

  EXPECT_LT(first.outcome().submitted, wanted.outcome().submitted);
  EXPECT_LT(wanted.outcome().submitted, second.outcome().submitted);
  EXPECT_LT(second.outcome().submitted, third.outcome().submitted);
}

TEST_F(Queue, TheOtherDirectionHasABudgetOfItsOwn) {
  const HeldStream held(world_.device);
  const Completion first = fill_budget(held);
  const std::vector<BlockPair> back{{5, 5}};
  EXPECT_FALSE(world_.engine->submit(world_.load(back)).value().wait().error);
  EXPECT_FALSE(first.done());
}

TEST_F(Queue, WhatIsLargerThanTheBudgetGoesInSlices) {
  std::vector<BlockPair> all;
  for (BlockId block = 0; block < 12; ++block) all.push_back({block, 11 - block});
  const Completion completion = submit(all, {.mechanism = Mechanism::CopyKernel});
  EXPECT_FALSE(completion.wait().error);
  EXPECT_EQ(world_.device->call_counts().launches, 12u);  // half a block is the share of a slice: one block each
  EXPECT_EQ(world_.store.read(), world_.saved(all));
}

TEST_F(Queue, AStreamOrderedBehindAQueuedTransferMakesItGoAtOnce) {
  const HeldStream held(world_.device);
  const Completion first = fill_budget(held);
  const Completion queued = submit(kSecond);
  const test::GuardedPages seen(world_.device, EngineWorld::kConfig, {.memory = MemoryKind::Device});
  const Stream reader(world_.device, StreamPriority::Normal, "test.reader");

  queued.wait_on(reader.view());
  const auto opened = std::chrono::steady_clock::now();
  world_.device->copy(seen.layout()->cell(2, 0, 0).value(), world_.store.layout()->cell(2, 0, 0).value(),
                      EngineWorld::kConfig.block_bytes(), reader.view());
  held.open();
  world_.device->synchronize(reader.view());

  EXPECT_FALSE(queued.wait().error);
  EXPECT_LT(queued.outcome().submitted, opened);
  const std::size_t start = seen.cell(2, 0, 0).offset;
  const std::size_t stored = world_.store.cell(2, 0, 0).offset;
  const auto read = seen.read();
  const auto expected = world_.saved(kSecond);
  EXPECT_TRUE(std::equal(&read[0][start], &read[0][start] + EngineWorld::kConfig.block_bytes(), &expected[0][stored]));
}

TEST_F(Queue, WhatIsDoneNeedsNoOrder) {
  const Completion done = submit(kSecond);
  done.wait();
  const auto events = world_.device->call_counts().events;
  const Stream reader(world_.device, StreamPriority::Normal, "test.reader");
  done.wait_on(reader.view());
  EXPECT_EQ(world_.device->call_counts().events, events);
}

/// The events are caught when the request is made, though its turn comes later and they have been recorded anew.
TEST_F(Queue, EventsAreThoseOfTheMomentOfTheRequest) {
  const HeldStream held(world_.device);
  const HeldStream writer(world_.device);
  const Stream idle(world_.device, StreamPriority::Normal, "test.idle");
  const Event written(world_.device);
  std::byte* const page = world_.cache.layout()->cell(2, 1, 0).value();
  world_.device->fill(page, 0x5A, EngineWorld::kConfig.block_bytes() / 3, writer.view());
  world_.device->record(written.view(), writer.view());
  const Completion first = fill_budget(held);
  const EventView events[]{written.view()};

  const Completion queued = submit(kSecond, {.after_events = events});
  world_.device->record(written.view(), idle.view());
  held.open();
  first.wait();
  EXPECT_FALSE(queued.wait_for(5ms));
  writer.open();

  EXPECT_FALSE(queued.wait().error);
  const auto content = world_.store.read();
  EXPECT_EQ(content[0][world_.store.cell(2, 1, 0).offset], 0x5A);
}

/// A page that is still zeroed, or read, for its owner before: by stream and by event, however the load goes.
TEST_F(Queue, ALoadComesAfterTheLastUseOfItsTarget) {
  for (const Mechanism mechanism : {Mechanism::Copies, Mechanism::CopyKernel, Mechanism::Staged}) {
    for (const bool by_event : {false, true}) {
      const HeldStream zeroing(world_.device);
      const Event zeroed(world_.device);
      for (std::uint32_t layer = 0; layer < 3; ++layer) {
        world_.device->fill(world_.cache.layout()->cell(2, layer, 0).value(), 0, EngineWorld::kConfig.block_bytes() / 3,
                            zeroing.view());
      }
      world_.device->record(zeroed.view(), zeroing.view());
      const StreamView streams[]{zeroing.view()};
      const EventView events[]{zeroed.view()};
      TransferRequest request{.mechanism = mechanism};
      if (by_event) {
        request.after_events = events;
      } else {
        request.after_streams = streams;
      }

      const Completion completion = world_.engine->submit(world_.load(kSecond, std::move(request))).value();
      EXPECT_FALSE(completion.wait_for(1ms));
      zeroing.open();

      EXPECT_FALSE(completion.wait().error);
      EXPECT_EQ(world_.cache.read(),
                copied(world_.store, world_.in_store, world_.cache, world_.in_cache, kSecond, {0, 3}));
    }
  }
}

TEST_F(Queue, WaitsForAllThatTheRequestNames) {
  const HeldStream one(world_.device), two(world_.device), three(world_.device);
  const Event event(world_.device);
  world_.device->record(event.view(), three.view());
  const StreamView streams[]{one.view(), two.view()};
  const EventView events[]{event.view()};
  const Completion completion = submit(kSecond, {.after_streams = streams, .after_events = events});
  for (const HeldStream* each : {&one, &two, &three}) {
    EXPECT_FALSE(completion.wait_for(2ms));
    each->open();
  }
  EXPECT_FALSE(completion.wait().error);
}

TEST_F(Queue, CopiesOnTheHostWaitToo) {
  const test::GuardedPages target(world_.device, EngineWorld::kConfig, {.memory = MemoryKind::System});
  const HeldStream held(world_.device);
  const StreamView after[]{held.view()};
  world_.device->fill(world_.store.layout()->cell(2, 0, 0).value(), 0x5A, 1, held.view());
  const Completion completion =
      world_.engine
          ->submit(
              {.source = world_.store.layout(), .target = target.layout(), .blocks = kSecond, .after_streams = after})
          .value();
  EXPECT_FALSE(completion.wait_for(2ms));
  held.open();
  const Stream reader(world_.device, StreamPriority::Normal, "test.reader");
  completion.wait_on(reader.view());  // here and now
  EXPECT_TRUE(completion.done());
  EXPECT_EQ(*target.layout()->cell(2, 0, 0).value(), std::byte{0x5A});
}

TEST_F(Queue, TransfersMaxIsAllThereIs) {
  const HeldStream held(world_.device);
  const Completion first = fill_budget(held);
  std::vector<Completion> queued;
  for (std::uint32_t i = 1; i < EngineWorld::options().transfers_max; ++i) queued.push_back(submit(kSecond));

  Witness witness;
  TransferRequest request = world_.save(kThird);
  request.keepalive = witness.guard();
  const auto refused = world_.engine->try_submit(std::move(request));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::QueueFull);
  EXPECT_FALSE(request.keepalive.empty());  // NOLINT(bugprone-use-after-move): left in the request

  auto waiting = std::async(std::launch::async, [&] { return submit(kFourth); });
  EXPECT_EQ(waiting.wait_for(2ms), std::future_status::timeout);
  held.open();
  EXPECT_FALSE(waiting.get().wait().error);
  EXPECT_TRUE(world_.engine->try_submit(std::move(request)));
}

TEST_F(Queue, CompletionsThatAreKeptTakeNoRoom) {
  std::vector<Completion> kept;
  for (int i = 0; i < 50; ++i) {
    kept.push_back(submit(kSecond));
    kept.back().wait();
  }
  EXPECT_TRUE(world_.engine->try_submit(world_.save(kThird)));
}

TEST_F(Queue, MoreBlocksThanAllSlotsAreRefused) {
  TransferEngineOptions tiny = EngineWorld::options();
  tiny.transfers_max = 2;
  tiny.blocks_max = 5;
  TransferEngine engine(world_.device, tiny);
  std::vector<BlockPair> blocks;
  for (BlockId block = 0; block < 11; ++block) blocks.push_back({block, block});
  EXPECT_EQ(engine.submit(world_.save(blocks)).error().code, Code::Unsupported);
  EXPECT_FALSE(engine.submit(world_.save(std::span(blocks).first(10))).value().wait().error);
}

TEST_F(Queue, ARefusalMovesNothingAndKeepsTheGuards) {
  Witness witness;
  const std::vector<BlockPair> twice{{1, 2}, {3, 2}};
  TransferRequest request = world_.save(twice);
  request.keepalive = witness.guard();
  const auto refused = world_.engine->submit(std::move(request));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::DuplicateTarget);
  EXPECT_FALSE(request.keepalive.empty());  // NOLINT(bugprone-use-after-move): left in the request
  EXPECT_EQ(world_.store.read(), world_.in_store);
}

TEST_F(Queue, QuiesceReturnsWhenNothingIsUnderWay) {
  const HeldStream held(world_.device);
  const Completion first = fill_budget(held);
  const Completion second = submit(kSecond);
  auto quiet = std::async(std::launch::async, [&] { world_.engine->quiesce(); });
  EXPECT_EQ(quiet.wait_for(2ms), std::future_status::timeout);
  held.open();
  quiet.get();
  EXPECT_TRUE(first.done());
  EXPECT_TRUE(second.done());

  EXPECT_EQ(world_.engine->submit(world_.save(kThird)).error().code, Code::Quiesced);
  world_.engine->resume();
  EXPECT_FALSE(submit(kThird).wait().error);
}

TEST_F(Queue, WhoWaitsForRoomIsRefusedWhenTheEngineIsQuiesced) {
  const HeldStream held(world_.device);
  std::vector<Completion> queued{fill_budget(held)};
  for (std::uint32_t i = 1; i < EngineWorld::options().transfers_max; ++i) queued.push_back(submit(kSecond));
  auto waiting =
      std::async(std::launch::async, [&] { return world_.engine->submit(world_.save(kThird)).error().code; });
  EXPECT_EQ(waiting.wait_for(2ms), std::future_status::timeout);
  auto quiet = std::async(std::launch::async, [&] { world_.engine->quiesce(); });
  EXPECT_EQ(waiting.get(), Code::Quiesced);
  held.open();
  quiet.get();
}

TEST(TransferEngine, NamesTheOptionThatIsWrong) {
  const auto device = EmulatedDevice::create();
  const auto refusal = [&](auto change) -> std::string {
    TransferEngineOptions options = EngineWorld::options();
    change(options);
    try {
      const TransferEngine engine(device, options);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(refusal([](auto& options) { options.transfers_max = 0; }).find("transfers_max"), std::string::npos);
  EXPECT_NE(refusal([](auto& options) { options.blocks_max = 0; }).find("blocks_max"), std::string::npos);
  EXPECT_NE(refusal([](auto& options) { options.bytes_in_flight_max = 0; }).find("bytes_in_flight_max"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& options) { options.staging_slots = 0; }).find("staging_slots"), std::string::npos);
  EXPECT_EQ(refusal([](auto& options) { options.staging_bytes = 0; }), "");
}

TEST(TransferEngine, TakesNoMemoryWithIt) {
  const auto device = EmulatedDevice::create();
  { const TransferEngine engine(device, EngineWorld::options()); }
  EXPECT_EQ(device->device_bytes(), 0u);
  EXPECT_EQ(device->pinned_bytes(), 0u);
}

TEST(LayerEvents, TheFirstLayersAreUsedWhileTheLastIsOnItsWay) {
  const auto device = std::make_shared<test::HoldingDevice>();
  const LayoutConfig& config = EngineWorld::kConfig;
  test::GuardedPages store(device, config, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
  const test::GuardedPages cache(device, config, {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0});
  std::mt19937_64 random(7);
  const auto in_store = store.fill(random);
  TransferEngine engine(device, EngineWorld::options());
  const Stream reader(device, StreamPriority::Normal, "test.reader");
  const std::vector<BlockPair> blocks{{1, 8}};
  device->hold(3);

  const Completion completion = engine
                                    .submit({.source = store.layout(),
                                             .target = cache.layout(),
                                             .blocks = blocks,
                                             .layer_events = true,
                                             .mechanism = Mechanism::Copies})
                                    .value();
  completion.wait_for_layer(1, reader.view());
  device->synchronize(reader.view());

  EXPECT_FALSE(completion.done());
  const auto seen = cache.read();
  for (const std::uint32_t layer : {0u, 1u}) {
    const auto from = store.cell(1, layer, 0), to = cache.cell(8, layer, 0);
    EXPECT_EQ(seen[to.region][to.offset], in_store[from.region][from.offset]) << layer;
  }
  device->open();
  EXPECT_FALSE(completion.wait().error);
}

}  // namespace
}  // namespace kvbm
