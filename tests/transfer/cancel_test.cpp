#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "tests/transfer/engine_world.hpp"

// 5.2, 6.9: a transfer that is given up: what waits is dropped, what is under way is awaited

namespace kvbm {
namespace {

using test::EngineWorld;
using test::HeldStream;
using test::Witness;
using Code = TransferError::Code;

/// Two blocks fill the budget of EngineWorld.
const std::vector<BlockPair> kFull{{0, 0}, {1, 1}};
const std::vector<BlockPair> kSecond{{2, 2}};
const std::vector<BlockPair> kThird{{3, 3}};
const std::vector<BlockPair> kLarge{{4, 4}, {5, 5}, {6, 6}, {7, 7}, {8, 8}};

class Cancel : public testing::Test {
 protected:
  [[nodiscard]] Completion submit(const std::vector<BlockPair>& blocks, TransferRequest request = {}) {
    return world_.engine->submit(world_.save(blocks, std::move(request))).value();
  }
  /// Enqueued as far as the budget goes, and then waiting for `held`. A thread of the engine enqueues.
  [[nodiscard]] Completion fill_budget(const std::vector<BlockPair>& blocks = kFull, Keepalive keepalive = {}) {
    const StreamView after[]{held_.view()};
    const std::uint64_t before = world_.device->call_counts().launches;
    Completion filling =
        submit(blocks, {.after_streams = after, .mechanism = Mechanism::CopyKernel, .keepalive = std::move(keepalive)});
    while (world_.device->call_counts().launches < before + kFull.size()) std::this_thread::yield();
    return filling;
  }

  EngineWorld world_;
  HeldStream held_{world_.device};
};

TEST_F(Cancel, WhatWaitsEndsAtOnceAndMovesNothing) {
  const Completion first = fill_budget();
  Witness witness;
  Completion second = submit(kSecond, {.keepalive = witness.guard()});

  EXPECT_TRUE(second.cancel());

  ASSERT_TRUE(second.done());
  ASSERT_TRUE(second.outcome().error);
  EXPECT_EQ(second.outcome().error->code, Code::Cancelled);
  EXPECT_LE(second.outcome().queued, second.outcome().submitted);
  EXPECT_LE(second.outcome().submitted, second.outcome().done);
  second = Completion::ready();
  EXPECT_TRUE(witness.gone());
  held_.open();
  EXPECT_FALSE(first.wait().error);
  EXPECT_EQ(world_.store.read(), world_.saved(kFull));
}

TEST_F(Cancel, WhatIsUnderWayRunsToItsEnd) {
  const Completion first = fill_budget();

  EXPECT_FALSE(first.cancel());

  EXPECT_FALSE(first.done());
  held_.open();
  EXPECT_FALSE(first.wait().error);
  EXPECT_EQ(world_.store.read(), world_.saved(kFull));
}

TEST_F(Cancel, OfALargeOneWhatIsEnqueuedIsAwaitedAndTheRestIsDropped) {
  Witness witness;
  Completion large = fill_budget(kLarge, witness.guard());

  EXPECT_TRUE(large.cancel());

  EXPECT_FALSE(large.done());
  EXPECT_FALSE(witness.gone());  // two of its pages are still to be read
  held_.open();
  EXPECT_EQ(large.wait().error->code, Code::Cancelled);
  EXPECT_EQ(world_.store.read(), world_.saved(std::span(kLarge).first(2)));
  large = Completion::ready();
  world_.engine->quiesce();
  EXPECT_TRUE(witness.gone());
}

TEST_F(Cancel, WhatWaitsBehindItGoesOn) {
  const Completion first = fill_budget();
  const Completion second = submit(kSecond);
  const Completion third = submit(kThird);

  EXPECT_TRUE(second.cancel());
  held_.open();

  EXPECT_FALSE(third.wait().error);
  EXPECT_EQ(world_.store.read(), world_.saved(std::vector<BlockPair>{kFull[0], kFull[1], kThird[0]}));
}

TEST_F(Cancel, GivesItsRoomToWhoeverWaitsForIt) {
  const Completion first = fill_budget();
  std::vector<Completion> all;
  for (std::uint32_t i = 1; i < EngineWorld::options().transfers_max; ++i) all.push_back(submit(kSecond));
  auto late = std::async(std::launch::async, [&] { return submit(kThird); });

  for (const Completion& each : all) EXPECT_TRUE(each.cancel());
  const Completion admitted = late.get();
  held_.open();

  EXPECT_FALSE(admitted.wait().error);
}

TEST_F(Cancel, AgainOrWhenAllIsDoneChangesNothing) {
  const Completion first = fill_budget();
  const Completion second = submit(kSecond);

  EXPECT_TRUE(second.cancel());
  EXPECT_TRUE(second.cancel());
  held_.open();
  EXPECT_FALSE(first.wait().error);
  EXPECT_FALSE(first.cancel());
  EXPECT_TRUE(second.cancel());
  EXPECT_FALSE(Completion::ready().cancel());
}

TEST_F(Cancel, AStreamOrderedBehindItHasMadeItGo) {
  const Completion first = fill_budget();
  const Completion second = submit(kSecond);
  const Stream other(world_.device, StreamPriority::Normal, "test.other");
  second.wait_on(other.view());

  EXPECT_FALSE(second.cancel());

  held_.open();
  EXPECT_FALSE(second.wait().error);
}

TEST_F(Cancel, CallbacksRunOnceOnTheThreadThatCancels) {
  const Completion first = fill_budget();
  const Completion second = submit(kSecond);
  std::vector<std::thread::id> called;
  second.then([&](const TransferOutcome& outcome) {
    EXPECT_EQ(outcome.error->code, Code::Cancelled);
    called.push_back(std::this_thread::get_id());
  });

  EXPECT_TRUE(second.cancel());

  EXPECT_EQ(called, std::vector{std::this_thread::get_id()});
  held_.open();
}

TEST_F(Cancel, OfSeveralAsOneGivesUpAllParts) {
  const Completion parts[]{fill_budget(), submit(kSecond), submit(kThird)};
  const Completion all = Completion::all(parts);

  EXPECT_TRUE(all.cancel());

  EXPECT_TRUE(parts[1].done());
  EXPECT_TRUE(parts[2].done());
  EXPECT_FALSE(all.done());
  held_.open();
  EXPECT_EQ(all.wait().error->code, Code::Cancelled);
  EXPECT_FALSE(parts[0].outcome().error);
}

TEST_F(Cancel, OfACopyOnTheHostThatWaits) {
  test::GuardedPages pageable(world_.device, EngineWorld::kConfig, {.memory = MemoryKind::System});
  const auto in_pageable = pageable.fill(world_.random);
  const StreamView after[]{held_.view()};
  const auto to_pageable = [&](std::span<const BlockPair> blocks) {
    return world_.engine
        ->submit(
            {.source = world_.store.layout(), .target = pageable.layout(), .blocks = blocks, .after_streams = after})
        .value();
  };
  const Completion first = to_pageable(kFull);
  const Completion second = to_pageable(kSecond);

  EXPECT_TRUE(second.cancel());

  EXPECT_TRUE(second.done());
  EXPECT_TRUE(second.cancel());
  held_.open();
  EXPECT_FALSE(first.wait().error);
  EXPECT_EQ(pageable.read(), copied(world_.store, world_.in_store, pageable, in_pageable, kFull, {0, 3}));
}

TEST_F(Cancel, WhileWhatIsUnderWayFailsEndsItAndFreesItsPages) {
  world_.device->add_fault({.kind = FaultKind::Launch,
                            .n = world_.device->call_counts().launches + 2,
                            .effect = DeviceFault::Effect::Break});
  Witness witness;
  Completion large = fill_budget(kLarge, witness.guard());

  EXPECT_TRUE(large.cancel());
  held_.open();

  EXPECT_TRUE(large.wait().error);
  large = Completion::ready();
  world_.engine->quiesce();
  EXPECT_TRUE(witness.gone());
}

/// Threads race to cancel transfers that others submit and the device completes.
TEST(CancelRace, EachEndsOnceAndAllWhoCancelAreToldHow) {
  constexpr std::size_t kRounds = 60;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EngineWorld world({.delay_seed = seed});
    for (std::size_t round = 0; round < kRounds; ++round) {
      std::vector<Completion> submitted;
      std::vector<Witness> witnesses(4);
      std::atomic<int> ended{0};
      for (BlockId i = 0; i < 4; ++i) {
        const std::vector<BlockPair> three{{3 * i, 3 * i}, {3 * i + 1, 3 * i + 1}, {3 * i + 2, 3 * i + 2}};
        TransferRequest request = world.save(three);
        request.keepalive = witnesses[i].guard();
        submitted.push_back(world.engine->submit(std::move(request)).value());
        submitted.back().then([&](const TransferOutcome&) { ++ended; });
      }
      std::array<std::array<bool, 4>, 2> cancelled{};
      std::latch begin(2);
      {
        std::vector<std::jthread> threads;
        for (auto& mine : cancelled) {
          threads.emplace_back([&] {
            begin.arrive_and_wait();
            for (std::size_t i = 4; i-- > 0;) mine[i] = submitted[i].cancel();
          });
        }
      }
      for (std::size_t i = 0; i < 4; ++i) {
        const bool was_cancelled = submitted[i].wait().error.has_value();
        EXPECT_EQ(cancelled[0][i], was_cancelled);
        EXPECT_EQ(cancelled[1][i], was_cancelled);
      }
      submitted.clear();
      world.engine->quiesce();
      world.engine->resume();
      EXPECT_EQ(ended.load(), 4);
      for (const Witness& witness : witnesses) EXPECT_TRUE(witness.gone());
    }
  }
}

}  // namespace
}  // namespace kvbm
