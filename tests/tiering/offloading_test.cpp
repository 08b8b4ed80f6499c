// physical.md 5.2; 6.9 cancellation, precondition, handle, for write-behind

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/held_stream.hpp"
#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

constexpr std::size_t kBudget = 256;
constexpr auto kDown = PagesArrived::Tier::G2;

/// Batches of at most two blocks of eight.
TieredWorld::Options when_asked() {
  return {.g1_blocks = 8,
          .mode = TierMode::Inclusive,
          .offload = OffloadPolicy::WhenAsked,
          .mechanism = Mechanism::CopyKernel};
}
TieredWorld::Options gated_offload(std::size_t bytes_in_flight_max = 32u << 20) {
  TieredWorld::Options options = when_asked();
  options.gated = true;
  options.bytes_in_flight_max = bytes_in_flight_max;
  return options;
}

using Hashes = std::vector<SequenceHash>;

TEST(Offloading, TellsWhereItsBlocksAre) {
  TieredWorld world(gated_offload());
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);
  const Offloading offloading = world.cache().offload(hashes);
  EXPECT_EQ(offloading.progress(), TieringProgress{.queued = 3});

  EXPECT_FALSE(offloading.advance());

  EXPECT_EQ(offloading.progress(), (TieringProgress{.queued = 1, .under_way = 2}));
  EXPECT_EQ(offloading.blocks(BlockProgress::Queued), Hashes{hashes[0]});
  world.open_gate();
  offloading.wait();
  EXPECT_EQ(offloading.progress(), TieringProgress{.completed = 3});
  EXPECT_TRUE(offloading.advance());
  for (const SequenceHash& hash : hashes) EXPECT_TRUE(world.in_g2(hash));
}

TEST(Offloading, OfNothingIsDone) {
  TieredWorld world(when_asked());
  const Offloading offloading = world.cache().offload({});
  EXPECT_TRUE(offloading.advance());
  offloading.wait();
  EXPECT_EQ(offloading.progress().passed(), 0u);
}

TEST(Offloading, YieldsEachFinishedBlockOnce) {
  TieredWorld world(gated_offload());
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);
  world.put_in_g2(std::span(hashes).last(1));
  const Offloading offloading = world.cache().offload(hashes);
  static_cast<void>(offloading.advance());

  const auto early = offloading.take_finished();
  world.open_gate();
  offloading.wait();
  const auto late = offloading.take_finished();

  ASSERT_EQ(early.size(), 1u);
  EXPECT_EQ(early[0].hash, hashes[2]);
  EXPECT_EQ(early[0].progress, BlockProgress::Skipped);
  ASSERT_EQ(late.size(), 2u);
  EXPECT_EQ(late[0].hash, hashes[1]);
  EXPECT_EQ(late[1].progress, BlockProgress::Completed);
  EXPECT_TRUE(offloading.take_finished().empty());
}

TEST(Offloading, OfWhichAPartFailedTellsBothLists) {
  TieredWorld world(when_asked());
  const auto hashes = chain(1, 4);
  const auto held = world.compute(hashes);
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 2});

  const Offloading offloading = world.cache().offload(hashes);
  offloading.wait();

  EXPECT_TRUE(offloading.progress().partly_failed());
  EXPECT_EQ(offloading.blocks(BlockProgress::Completed), (Hashes{hashes[2], hashes[3]}));
  EXPECT_EQ(offloading.blocks(BlockProgress::Failed), (Hashes{hashes[0], hashes[1]}));
  EXPECT_EQ(world.cache().take_failures().size(), 1u);
}

TEST(Offloading, WhatTheQueueForgetsIsSkipped) {
  TieredWorld::Options options = when_asked();
  options.queue_max = 2;
  TieredWorld world(options);
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);

  const Offloading offloading = world.cache().offload(hashes);
  offloading.wait();

  EXPECT_EQ(offloading.blocks(BlockProgress::Skipped), Hashes{hashes[2]});
  EXPECT_EQ(world.cache().counts().forgotten_blocks, 1u);
}

TEST(Offloading, OfOneHashTwiceCopiesItOnce) {
  TieredWorld world(gated_offload());
  const auto hashes = chain(1, 1);
  const auto held = world.compute(hashes);
  const Offloading first = world.cache().offload(hashes), second = world.cache().offload(hashes);

  static_cast<void>(first.advance());
  world.open_gate();
  first.wait();
  second.wait();

  EXPECT_EQ(first.progress().completed, 1u);
  EXPECT_EQ(second.progress().skipped, 1u);
  EXPECT_EQ(world.arrived(), 1u);
}

TEST(Offloading, OutlivesTheCacheAndHasFailedThen) {
  TieredWorld world(gated_offload());
  const auto hashes = chain(1, 3);
  const Offloading offloading = [&] {
    const auto held = world.compute(hashes);
    return world.cache().offload(hashes);
  }();
  static_cast<void>(offloading.advance());

  world.drop_cache();
  world.open_gate();

  offloading.wait();
  EXPECT_TRUE(offloading.advance());
  offloading.cancel();
  EXPECT_EQ(offloading.progress().failed, 3u);
  EXPECT_EQ(world.arrived(), 0u);
}

TEST(CancelOffloading, DropsWhatIsQueuedAtOnce) {
  TieredWorld world(gated_offload());
  const auto hashes = chain(1, 4);
  const auto held = world.compute(hashes);
  const Offloading offloading = world.cache().offload(hashes);
  EXPECT_EQ(offloading.progress().cancel(), CancelState::Active);

  offloading.cancel();

  EXPECT_EQ(offloading.progress().cancel(), CancelState::Confirmed);
  EXPECT_EQ(offloading.blocks(BlockProgress::Cancelled), hashes);
  EXPECT_EQ(world.cache().counts().cancelled_blocks, 4u);
  offloading.wait();
  world.cache().settle();  // the gate is closed still
  EXPECT_FALSE(world.in_g2(hashes[0]));
}

TEST(CancelOffloading, LeavesOthersInTheQueue) {
  TieredWorld world(when_asked());
  const auto kept = chain(1, 3), given_up = chain(2, 3);
  const auto held = world.compute(kept), also_held = world.compute(given_up);
  std::vector<Offloading> keeps, gives_up;
  for (std::size_t i = 0; i < 3; ++i) {
    keeps.push_back(world.cache().offload(std::span(kept).subspan(i, 1)));
    gives_up.push_back(world.cache().offload(std::span(given_up).subspan(i, 1)));
  }

  for (const Offloading& each : gives_up) each.cancel();
  world.cache().settle();

  for (const Offloading& each : keeps) EXPECT_EQ(each.progress().completed, 1u);
  for (const SequenceHash& hash : kept) EXPECT_TRUE(world.in_g2(hash));
  for (const SequenceHash& hash : given_up) EXPECT_FALSE(world.in_g2(hash));
}

TEST(CancelOffloading, WhatIsUnderWayIsAwaitedAndRegistered) {
  TieredWorld world(gated_offload());
  const auto hashes = chain(1, 4);
  const auto held = world.compute(hashes);
  const Offloading offloading = world.cache().offload(hashes);
  static_cast<void>(offloading.advance());

  offloading.cancel();
  offloading.cancel();

  EXPECT_EQ(offloading.progress(), (TieringProgress{.under_way = 2, .cancelled = 2, .cancel_requested = true}));
  EXPECT_EQ(offloading.progress().cancel(), CancelState::Draining);
  world.open_gate();
  offloading.wait();
  EXPECT_EQ(offloading.progress().cancel(), CancelState::Confirmed);
  EXPECT_EQ(offloading.blocks(BlockProgress::Completed), (Hashes{hashes[2], hashes[3]}));
  EXPECT_TRUE(world.in_g2(hashes[3]));
  EXPECT_FALSE(world.in_g2(hashes[1]));
}

TEST(CancelOffloading, ABatchThatWaitsInTheEngineIsNotSent) {
  TieredWorld world(gated_offload(kBudget));
  const auto hashes = chain(1, 2);
  const auto held = world.compute(hashes);
  const Completion filling = world.fill_budget(kDown);
  const Offloading offloading = world.cache().offload(hashes);
  static_cast<void>(offloading.advance());
  EXPECT_EQ(offloading.progress().under_way, 2u);

  offloading.cancel();

  EXPECT_EQ(offloading.progress().cancel(), CancelState::Confirmed);
  EXPECT_EQ(offloading.progress().cancelled, 2u);
  EXPECT_EQ(world.g2().available_blocks(), 8u);  // the gate is closed still
  EXPECT_EQ(world.cache().counts().failures, 0u);
  const Offloading next = world.cache().offload(hashes);
  world.open_gate();
  next.wait();
  EXPECT_EQ(next.progress().completed, 2u);
}

/// Two that share a batch, which waits in the engine until the gate opens.
class CancelSharedBatch : public testing::Test {
 protected:
  CancelSharedBatch() { static_cast<void>(first.advance()); }

  TieredWorld world{gated_offload(kBudget)};
  const Hashes one = chain(1, 1), two = chain(2, 1);
  const BlockRun<ImmutableBlock<G1>> held = world.compute(one), also_held = world.compute(two);
  const Completion filling = world.fill_budget(kDown);
  const Offloading first = world.cache().offload(one), second = world.cache().offload(two);
};

TEST_F(CancelSharedBatch, GoesOnForTheOther) {
  first.cancel();
  EXPECT_EQ(first.progress().cancel(), CancelState::Draining);
  EXPECT_EQ(second.progress().under_way, 1u);
  world.open_gate();
  second.wait();

  EXPECT_EQ(second.progress().completed, 1u);
  EXPECT_EQ(first.progress().cancel(), CancelState::Confirmed);
}

TEST_F(CancelSharedBatch, IsDroppedIfAllWhoHaveAPartInItGiveUp) {
  first.cancel();
  second.cancel();

  EXPECT_EQ(first.progress().cancel(), CancelState::Confirmed);
  EXPECT_EQ(second.progress().cancelled, 1u);
  EXPECT_EQ(world.g2().available_blocks(), 8u);
  world.open_gate();
}

TEST(CancelOffloading, WhileTheNthCallFailsIsConfirmed) {
  for (const FaultKind kind : {FaultKind::Launch, FaultKind::Event}) {
    for (std::uint64_t n = 1; n <= 8; ++n) {
      SCOPED_TRACE("kind " + std::to_string(static_cast<int>(kind)) + ", n = " + std::to_string(n));
      TieredWorld world(gated_offload(kBudget));
      const auto hashes = chain(1, 4);
      auto held = std::make_unique<BlockRun<ImmutableBlock<G1>>>(world.compute(hashes));
      world.device()->add_fault({kind, world.device()->call_counts().of(kind) + n});
      const Offloading offloading = world.cache().offload(hashes);
      static_cast<void>(offloading.advance());

      offloading.cancel();
      world.open_gate();
      offloading.wait();

      EXPECT_EQ(offloading.progress().cancel(), CancelState::Confirmed);
      EXPECT_EQ(offloading.progress().passed(), 4u);
      EXPECT_EQ(offloading.progress().completed, world.cache().counts().offloaded_blocks);
      world.cache().settle();
      held.reset();
      world.expect_sound(hashes);
    }
  }
}

TEST(OffloadPrecondition, AllEventsOfABatchAreAwaited) {
  for (const std::size_t last : {0u, 1u}) {
    TieredWorld world(when_asked());
    const auto one = chain(1, 1), two = chain(2, 1);
    const auto held = world.compute(one), also_held = world.compute(two);
    const HeldStream passes[2]{HeldStream(world.device()), HeldStream(world.device())};
    std::vector<std::shared_ptr<Event>> events;
    for (const HeldStream& pass : passes) {
      events.push_back(std::make_shared<Event>(world.device()));
      world.device()->record(events.back()->view(), pass.view());
    }
    const Offloading first = world.cache().offload(one, events[0]), second = world.cache().offload(two, events[1]);
    static_cast<void>(first.advance());
    EXPECT_EQ(second.progress().under_way, 1u);  // one batch

    passes[1 - last].open();

    for (int i = 0; i < 1000; ++i) {  // time enough for a copy that does not wait
      ASSERT_FALSE(first.advance() || second.advance());
      std::this_thread::yield();
    }
    passes[last].open();
    second.wait();
    EXPECT_TRUE(first.advance());
    EXPECT_EQ(world.arrived(), 2u);
  }
}

TEST(OffloadPrecondition, OneThatFailsFailsItsDependantsOnly) {
  TieredWorld world(when_asked());
  const auto one = chain(1, 1), two = chain(2, 1);
  const auto held = world.compute(one), also_held = world.compute(two);
  const auto first_event = std::make_shared<Event>(world.device());
  const auto second_event = std::make_shared<Event>(world.device());
  const Offloading first = world.cache().offload(one, first_event), second = world.cache().offload(two, second_event);
  const auto fail_event_call = [&](std::uint64_t n) {
    world.device()->add_fault({FaultKind::Event, world.device()->call_counts().events + n});
  };
  fail_event_call(2);  // a batch of both waits for the first, then for the second

  static_cast<void>(first.advance());
  EXPECT_EQ(first.progress().under_way, 1u);  // alone
  EXPECT_EQ(second.progress().queued, 1u);
  fail_event_call(1);  // the second cannot be waited for alone either
  world.cache().settle();

  EXPECT_EQ(first.progress().completed, 1u);
  EXPECT_EQ(second.progress().failed, 1u);
  EXPECT_EQ(world.cache().take_failures().size(), 1u);
}

/// Threads offload, give up and settle what others have begun.
TEST(CancelOffloadingRace, EveryBlockFinishesOnce) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TieredWorld::Options options = when_asked();
    options.g1_blocks = 24;
    options.g2_blocks = 24;
    options.bytes_in_flight_max = kBudget;
    options.device.delay_seed = seed;
    TieredWorld world(options);
    const auto serve = [&](std::uint64_t of) {
      std::mt19937_64 random(of);
      for (int round = 0; round < 25; ++round) {
        const auto hashes = chain(1000 * of + static_cast<std::uint64_t>(round) * 10, 4);
        const auto held = world.compute(hashes);
        const Offloading offloading = world.cache().offload(hashes);
        const bool gives_up = random() % 4 != 0;
        std::latch begin(2);
        {
          std::jthread canceller([&] {
            begin.arrive_and_wait();
            if (gives_up) offloading.cancel();
          });
          begin.arrive_and_wait();
          static_cast<void>(offloading.advance());
        }
        offloading.wait();
        EXPECT_EQ(offloading.progress().remaining(), 0u);
        EXPECT_EQ(offloading.take_finished().size(), 4u);
      }
    };
    {
      std::vector<std::jthread> threads;
      for (std::uint64_t i = 0; i < 3; ++i) threads.emplace_back(serve, 100 * seed + i);
    }
    world.cache().settle();
    EXPECT_EQ(world.cache().counts().failures, 0u);
    world.expect_sound({});
  }
}

}  // namespace
}  // namespace kvbm::test
