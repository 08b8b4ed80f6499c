#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <new>
#include <thread>

#include "tests/support/allocation_faults.hpp"
#include "tests/transfer/engine_world.hpp"

// 6.6: what a Completion says and does

namespace kvbm {
namespace {

using test::EngineWorld;
using test::HeldStream;
using test::Witness;
using namespace std::chrono_literals;

const std::vector<BlockPair> kTwoBlocks{{3, 1}, {7, 4}};

TEST(Completion, ReadyHasEndedWell) {
  const Completion ready = Completion::ready();
  EXPECT_TRUE(ready.done());
  EXPECT_FALSE(ready.wait().error);
  EXPECT_TRUE(ready.wait_for(0ns));
  EXPECT_TRUE(ready.take_keepalive().empty());
  bool called = false;
  ready.then([&](const TransferOutcome& outcome) { called = !outcome.error; });
  EXPECT_TRUE(called);
}

TEST(Completion, IsPendingUntilTheBytesAreThere) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  const Completion completion = world.engine->submit(world.save(kTwoBlocks, {.after_streams = after})).value();

  EXPECT_FALSE(completion.done());
  EXPECT_FALSE(completion.wait_for(1ms));
  held.open();
  const TransferOutcome& outcome = completion.wait();

  EXPECT_TRUE(completion.done());
  EXPECT_TRUE(completion.wait_for(0ns));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(world.store.read(), world.saved(kTwoBlocks));
  EXPECT_EQ(outcome.bytes, 2 * EngineWorld::kConfig.block_bytes());
  EXPECT_LE(outcome.queued, outcome.submitted);
  EXPECT_LE(outcome.submitted, outcome.done);
}

TEST(Completion, NothingToMoveIsDoneAtOnce) {
  EngineWorld world;
  Witness witness;
  for (const bool of_blocks : {true, false}) {
    TransferRequest request = of_blocks ? world.save({}) : world.save(kTwoBlocks, {.layers = LayerRange{2, 2}});
    const Completion completion = world.engine->submit(std::move(request)).value();
    EXPECT_TRUE(completion.done());
    EXPECT_EQ(completion.outcome().bytes, 0u);
  }
  TransferRequest guarded = world.save({});
  guarded.keepalive = witness.guard();
  EXPECT_FALSE(world.engine->submit(std::move(guarded)).value().take_keepalive().empty());
  EXPECT_TRUE(witness.gone());
  EXPECT_EQ(world.store.read(), world.in_store);
}

TEST(Completion, CallsBackOnceOnAThreadOfKvbms) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  const Completion completion = world.engine->submit(world.save(kTwoBlocks, {.after_streams = after})).value();
  std::promise<std::thread::id> called;
  completion.then([&](const TransferOutcome& outcome) {
    EXPECT_FALSE(outcome.error);
    EXPECT_TRUE(completion.done());
    called.set_value(std::this_thread::get_id());  // a second call would throw
  });
  held.open();
  EXPECT_NE(called.get_future().get(), std::this_thread::get_id());

  std::thread::id late;
  completion.wait();
  completion.then([&](const TransferOutcome&) { late = std::this_thread::get_id(); });
  EXPECT_EQ(late, std::this_thread::get_id());
}

TEST(Completion, AllCallbacksOfAllCopiesRun) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  std::optional<Completion> completion = world.engine->submit(world.save(kTwoBlocks, {.after_streams = after})).value();
  std::latch called(3);
  for (int i = 0; i < 3; ++i) {
    const Completion copy = *completion;
    copy.then([&](const TransferOutcome&) { called.count_down(); });
  }
  completion.reset();  // callbacks are owed all the same
  held.open();
  called.wait();
}

TEST(Completion, ACallbackMaySubmitTheNextTransfer) {
  EngineWorld world;
  const std::vector<BlockPair> back{{1, 9}};
  std::promise<Completion> next;
  world.engine->submit(world.save(kTwoBlocks)).value().then([&](const TransferOutcome&) {
    next.set_value(world.engine->try_submit(world.load(back)).value());
  });
  const Completion loaded = next.get_future().get();
  EXPECT_FALSE(loaded.wait().error);
  EXPECT_EQ(world.cache.read(),
            copied(world.store, world.saved(kTwoBlocks), world.cache, world.in_cache, back, {0, 3}));
}

TEST(Completion, AThreadOfKvbmsIsRefusedRatherThanMadeToWait) {
  TransferEngineOptions one = EngineWorld::options();
  one.transfers_max = 1;
  EngineWorld world({}, one);
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  std::promise<TransferError::Code> refused;
  const std::vector<BlockPair> first{{0, 0}};
  world.engine->submit(world.save(first)).value().then([&](const TransferOutcome&) {
    const Completion blocked = world.engine->submit(world.save(kTwoBlocks, {.after_streams = after})).value();
    refused.set_value(world.engine->submit(world.save(first)).error().code);  // would wait for itself
  });
  EXPECT_EQ(refused.get_future().get(), TransferError::Code::QueueFull);
}

TEST(Completion, GivesTheGuardsBackOnce) {
  EngineWorld world;
  Witness witness;
  TransferRequest request = world.save(kTwoBlocks);
  request.keepalive = witness.guard();
  const Completion completion = world.engine->submit(std::move(request)).value();
  completion.wait();

  EXPECT_FALSE(witness.gone());
  {
    Keepalive guards = completion.take_keepalive();
    EXPECT_NE(guards.get<std::shared_ptr<int>>(), nullptr);
    EXPECT_FALSE(witness.gone());
  }
  EXPECT_TRUE(witness.gone());
  EXPECT_TRUE(completion.take_keepalive().empty());
}

TEST(Completion, TheLastOneTakesTheGuardsWithIt) {
  EngineWorld world;
  Witness witness;
  TransferRequest request = world.save(kTwoBlocks);
  request.keepalive = witness.guard();
  std::optional<Completion> completion = world.engine->submit(std::move(request)).value();
  completion->wait();
  world.engine->quiesce();
  std::optional<Completion> other = completion;
  completion.reset();
  EXPECT_FALSE(witness.gone());
  other.reset();
  EXPECT_TRUE(witness.gone());
}

TEST(Completion, DroppedEarlyCancelsNothing) {
  EngineWorld world;
  Witness witness;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  TransferRequest request = world.save(kTwoBlocks, {.after_streams = after});
  request.keepalive = witness.guard();
  static_cast<void>(world.engine->submit(std::move(request)).value());

  EXPECT_FALSE(witness.gone());
  held.open();
  world.engine->quiesce();
  EXPECT_TRUE(witness.gone());
  EXPECT_EQ(world.store.read(), world.saved(kTwoBlocks));
}

TEST(Completion, OutlivesItsEngineAndDevice) {
  std::optional<Completion> completion;
  Witness witness;
  {
    EngineWorld world;
    TransferRequest request = world.save(kTwoBlocks);
    request.keepalive = witness.guard();
    completion = world.engine->submit(std::move(request)).value();
    world.engine.reset();  // waits
    EXPECT_TRUE(completion->done());
  }
  EXPECT_FALSE(completion->outcome().error);
  EXPECT_FALSE(completion->take_keepalive().empty());
}

TEST(Completion, AllOfNoneAndOfOneAndOfWhatIsDone) {
  EngineWorld world;
  EXPECT_TRUE(Completion::all({}).done());
  const Completion one = world.engine->submit(world.save(kTwoBlocks)).value();
  EXPECT_EQ(&Completion::all({&one, 1}).wait(), &one.wait());
  const Completion done[]{one, Completion::ready(), one};
  const Completion all = Completion::all(done);
  EXPECT_TRUE(all.done());
  EXPECT_EQ(all.outcome().bytes, 2 * one.outcome().bytes);
}

TEST(Completion, AllWaitsForTheLast) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  const std::vector<BlockPair> others{{0, 0}, {1, 2}};
  const Completion parts[]{
      world.engine->submit(world.save(others)).value(),
      world.engine->submit(world.save(kTwoBlocks, {.after_streams = after, .priority = TransferPriority::OnDemand}))
          .value()};
  const Completion all = Completion::all(parts);
  parts[0].wait();
  EXPECT_FALSE(all.wait_for(1ms));
  std::promise<std::uint64_t> bytes;
  all.then([&](const TransferOutcome& outcome) { bytes.set_value(outcome.bytes); });
  held.open();
  EXPECT_EQ(bytes.get_future().get(), 4 * EngineWorld::kConfig.block_bytes());
  EXPECT_TRUE(all.done());
}

TEST(Completion, AllOrdersAStreamBehindTheLast) {
  EngineWorld world;
  const HeldStream held(world.device);
  const StreamView after[]{held.view()};
  const std::vector<BlockPair> others{{0, 0}, {1, 2}};
  const Completion parts[]{
      world.engine->submit(world.save(others, {.layer_events = true})).value(),
      world.engine->submit(world.save(kTwoBlocks, {.after_streams = after, .layer_events = true})).value()};
  const Completion all = Completion::all(parts);
  const Stream whole(world.device, StreamPriority::Normal, "test"), layer(world.device, StreamPriority::Normal, "test");
  const Event behind_whole(world.device), behind_layer(world.device);

  all.wait_on(whole.view());
  world.device->record(behind_whole.view(), whole.view());
  all.wait_for_layer(1, layer.view());
  world.device->record(behind_layer.view(), layer.view());
  parts[0].wait();

  EXPECT_FALSE(world.device->done(behind_whole.view()));
  EXPECT_FALSE(world.device->done(behind_layer.view()));
  held.open();
  world.device->synchronize(behind_whole.view());
  world.device->synchronize(behind_layer.view());
  EXPECT_FALSE(all.wait().error);
}

/// Transfers of a block each, of which those that `fails` names have failed.
std::vector<Completion> ended_transfers(EngineWorld& world, const std::array<bool, 3>& fails) {
  const BlockPair blocks[]{{0, 0}, {1, 2}, {2, 3}};
  std::vector<Completion> parts;
  for (std::size_t i = 0; i < fails.size(); ++i) {
    if (fails[i]) world.device->add_fault({FaultKind::Launch, world.device->call_counts().launches + 1});
    parts.push_back(world.engine->submit(world.save({&blocks[i], 1}, {.mechanism = Mechanism::CopyKernel})).value());
    parts.back().wait();
  }
  return parts;
}

TEST(Completion, AllJoinsTheTextsOfAllThatFailed) {
  EngineWorld world;
  const std::vector<Completion> parts = ended_transfers(world, {true, false, true});
  const Completion all = Completion::all(parts);
  ASSERT_TRUE(all.wait().error);
  EXPECT_EQ(all.wait().error->code, TransferError::Code::DeviceFailed);
  EXPECT_NE(all.wait().error->text.find("0 -> 0"), std::string::npos) << all.wait().error->text;
  EXPECT_EQ(all.wait().error->text.find("1 -> 2"), std::string::npos);
  EXPECT_NE(all.wait().error->text.find("2 -> 3"), std::string::npos);
}

TEST(Completion, AllTellsOfAFailureThoughThereIsNoMemoryForItsText) {
  EngineWorld world;
  const std::vector<Completion> parts = ended_transfers(world, {false, true, true});
  for (std::size_t n = 0;; ++n) {
    const test::AllocationFault fault(n);
    try {
      const Completion all = Completion::all(parts);
      ASSERT_TRUE(all.wait().error) << n;
      EXPECT_EQ(all.wait().error->code, TransferError::Code::DeviceFailed);
      EXPECT_FALSE(all.wait().error->text.empty());
    } catch (const std::bad_alloc&) {  // all() itself
    }
    if (!fault.fired()) break;
    ASSERT_LT(n, 1000u);
  }
}

TEST(Completion, TenThousandAreNeitherLostNorEndedTwice) {
  constexpr std::size_t kTransfers = 10'000;
  TransferEngineOptions options = EngineWorld::options();
  options.transfers_max = 64;
  EngineWorld world({}, options);
  std::atomic<std::size_t> called{0};
  std::vector<Completion> completions;
  completions.reserve(kTransfers);
  const std::vector<BlockPair> wanted{{3, 1}}, other{{4, 2}};  // of one priority they come one after the other
  for (std::size_t i = 0; i < kTransfers; ++i) {
    TransferRequest request = i % 3 == 0 ? world.save(wanted, {.priority = TransferPriority::OnDemand})
                                         : world.save(other, {.priority = TransferPriority::WriteBehind});
    completions.push_back(world.engine->submit(std::move(request)).value());
    completions.back().then([&](const TransferOutcome& outcome) {
      EXPECT_FALSE(outcome.error);
      called.fetch_add(1);
    });
  }
  world.engine->quiesce();
  EXPECT_EQ(called.load(), kTransfers);
  for (const Completion& completion : completions) ASSERT_TRUE(completion.done());
}

}  // namespace
}  // namespace kvbm
