// physical.md 5.2, 5.3; 6.9 cancellation, for loads

#include <gtest/gtest.h>

#include <latch>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

constexpr std::size_t kPageBytes = 256;
constexpr auto kUp = PagesArrived::Tier::G1;

TieredWorld::Options gated_g1(std::size_t bytes_in_flight_max = 32u << 20) {
  return {
      .g1_blocks = 8, .gated = true, .mechanism = Mechanism::CopyKernel, .bytes_in_flight_max = bytes_in_flight_max};
}

/// An onboarding of a chain that lies in G2.
Onboarding begun_for(TieredWorld& world, std::span<const SequenceHash> hashes) {
  return world.cache().onboard(world.cache().match(hashes));
}

/// Two blocks in G2, and a page under way that leaves nothing of the budget: their load waits in the engine until the
/// gate opens.
class CancelQueuedLoad : public testing::Test {
 protected:
  CancelQueuedLoad() {
    world.put_in_g2(hashes);
    filling = world.fill_budget(kUp);
  }
  [[nodiscard]] Onboarding begin() { return begun_for(world, hashes); }

  TieredWorld world{gated_g1(kPageBytes)};
  const std::vector<SequenceHash> hashes = chain(1, 2);
  Completion filling = Completion::ready();
};

TEST_F(CancelQueuedLoad, IsConfirmedAtOnce) {
  Onboarding onboarding = begin();
  EXPECT_EQ(onboarding.progress().cancel(), CancelState::Active);
  EXPECT_EQ(onboarding.progress().remaining(), 2u);

  onboarding.cancel();

  EXPECT_EQ(onboarding.progress().cancel(), CancelState::Confirmed);
  EXPECT_EQ(onboarding.progress().cancelled, 2u);
  EXPECT_EQ(world.g1().available_blocks(), 8u);  // the gate is closed still
  EXPECT_EQ(world.g2().available_blocks(), 8u);
  EXPECT_TRUE(onboarding.advance());
  const Onboarded onboarded = std::move(onboarding).finish();
  EXPECT_TRUE(onboarded.cancelled);
  EXPECT_TRUE(onboarded.prefix.empty());
  EXPECT_FALSE(onboarded.failure);
  EXPECT_EQ(world.cache().counts().cancelled_blocks, 2u);
  EXPECT_EQ(world.cache().counts().failures, 0u);
  world.open_gate();
  world.cache().settle();
  EXPECT_EQ(world.matched(hashes), "22");
}

TEST(CancelOnboarding, WhatIsUnderWayIsAwaitedAndRegistered) {
  TieredWorld world(gated_g1());
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);
  Onboarding onboarding = begun_for(world, hashes);

  onboarding.cancel();

  EXPECT_EQ(onboarding.progress().cancel(), CancelState::Draining);
  EXPECT_EQ(onboarding.progress().under_way, 2u);
  EXPECT_FALSE(onboarding.advance());
  EXPECT_FALSE(world.in_g1(hashes[0]));
  world.open_gate();
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 2u);
  EXPECT_EQ(onboarding.progress().cancel(),
            CancelState::Confirmed);  // NOLINT(bugprone-use-after-move): of use for this
  EXPECT_EQ(onboarding.progress().completed, 2u);
  world.cache().settle();
  EXPECT_EQ(world.corrupt(), 0u);
}

TEST(CancelOnboarding, OfALoadThatHasHalfBegunHoldsItsPagesUntilTheDeviceIsThrough) {
  TieredWorld world(gated_g1(kPageBytes));
  const auto hashes = chain(1, 3);
  world.put_in_g2(hashes);
  Onboarding onboarding = begun_for(world, hashes);
  world.wait_for_launches(1);

  onboarding.cancel();

  EXPECT_EQ(onboarding.progress().cancel(), CancelState::Draining);
  EXPECT_EQ(world.g1().available_blocks(), 5u);
  world.open_gate();
  EXPECT_TRUE(std::move(onboarding).finish().prefix.empty());
  EXPECT_EQ(onboarding.progress().cancelled, 3u);  // NOLINT(bugprone-use-after-move): of use for this
  EXPECT_EQ(world.matched(hashes), "222");
  EXPECT_EQ(world.cache().counts().onboarded_blocks, 0u);
  world.cache().settle();
  world.expect_sound(hashes);
}

TEST(CancelOnboarding, LoadsNotBegunAreDroppedAndTheirVictimsGoDown) {
  TieredWorld world({.staging_blocks = 1, .gated = true});
  const auto hashes = chain(1, 4), victims = chain(2, 4);
  static_cast<void>(world.compute(victims));
  world.put_in_g2(hashes);
  Onboarding onboarding = begun_for(world, hashes);  // one load for each staging page
  EXPECT_EQ(onboarding.progress().queued, 3u);

  onboarding.cancel();

  EXPECT_EQ(onboarding.progress().cancel(), CancelState::Draining);
  EXPECT_EQ(onboarding.progress().cancelled, 3u);
  EXPECT_EQ(onboarding.progress().under_way, 1u);
  world.open_gate();
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 1u);
  world.cache().settle();
  EXPECT_EQ(world.matched(hashes), "1222");
  EXPECT_EQ(world.matched(victims), "2222");
  EXPECT_EQ(world.cache().counts().lost_blocks, 0u);
  world.expect_sound(hashes);
}

TEST_F(CancelQueuedLoad, GoesOnIfSomebodyElseWaitsForIt) {
  Onboarding first = begin(), second = begin();

  first.cancel();

  EXPECT_EQ(first.progress().cancel(), CancelState::Draining);
  world.open_gate();
  EXPECT_EQ(std::move(second).finish().prefix.size(), 2u);
  EXPECT_EQ(world.cache().counts().cancelled_blocks, 0u);
}

TEST_F(CancelQueuedLoad, MayBeLeftByWhoJoinedIt) {
  Onboarding first = begin(), second = begin();

  second.cancel();

  EXPECT_EQ(second.progress().cancel(), CancelState::Confirmed);
  EXPECT_TRUE(second.advance());  // the gate is closed still
  EXPECT_TRUE(std::move(second).finish().prefix.empty());
  world.open_gate();
  EXPECT_EQ(std::move(first).finish().prefix.size(), 2u);
}

TEST_F(CancelQueuedLoad, IsDroppedIfAllWhoWaitForItGiveUp) {
  Onboarding first = begin(), second = begin();

  first.cancel();
  second.cancel();

  EXPECT_EQ(first.progress().cancel(), CancelState::Confirmed);
  EXPECT_EQ(first.progress().cancelled, 2u);
  EXPECT_EQ(world.g1().available_blocks(), 8u);
  world.open_gate();
  world.cache().settle();
  EXPECT_EQ(world.matched(hashes), "22");
}

TEST_F(CancelQueuedLoad, GoesOnIfOneOfThoseWhoWantedItWasDroppedWithoutCancelling) {
  { const Onboarding dropped = begin(); }

  begin().cancel();
  world.open_gate();
  world.cache().settle();

  EXPECT_EQ(world.matched(hashes), "11");
}

TEST(CancelOnboarding, AfterItTheNextRequestLoadsAnew) {
  TieredWorld world(gated_g1(kPageBytes));
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);
  Onboarding given_up = begun_for(world, hashes);
  world.wait_for_launches(1);
  given_up.cancel();  // its first page is still on its way

  Onboarding next = begun_for(world, hashes);
  world.open_gate();

  EXPECT_EQ(std::move(next).finish().prefix.size(), 2u);
  EXPECT_TRUE(std::move(given_up).finish().cancelled);
  EXPECT_EQ(world.cache().counts().onboarded_blocks, 2u);
  world.cache().settle();
  EXPECT_EQ(world.corrupt(), 0u);
}

TEST(CancelOnboarding, ThatCameTooLateLeavesTheLoadToTheNextRequest) {
  TieredWorld world(gated_g1());
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);
  Onboarding given_up = begun_for(world, hashes);
  given_up.cancel();

  Onboarding next = begun_for(world, hashes);
  world.open_gate();

  EXPECT_EQ(std::move(next).finish().prefix.size(), 2u);
  world.cache().settle();
  EXPECT_EQ(world.cache().counts().onboarded_blocks, 2u);
  EXPECT_EQ(world.arrived(), 2u);  // loaded once
}

TEST(CancelOnboarding, AgainOrAfterAllIsDoneChangesNothing) {
  TieredWorld world({.g1_blocks = 8});
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);
  Onboarding onboarding = begun_for(world, hashes);
  world.cache().settle();

  onboarding.cancel();
  onboarding.cancel();

  EXPECT_EQ(onboarding.progress(), (TieringProgress{.completed = 2, .cancel_requested = true}));
  EXPECT_EQ(onboarding.progress().cancel(), CancelState::Confirmed);
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 2u);
}

TEST(CancelOnboarding, OutlivesTheCache) {
  TieredWorld world(gated_g1(kPageBytes));
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);
  {
    const Completion filling = world.fill_budget(kUp);
    Onboarding onboarding = begun_for(world, hashes);
    world.drop_cache();
    world.open_gate();
    onboarding.cancel();
    static_cast<void>(std::move(onboarding).finish());
  }
  EXPECT_EQ(world.registry().registered_count(), 0u);
}

TEST(CancelOnboarding, WhileTheNthCallFailsLosesNothing) {
  for (const FaultKind kind : {FaultKind::Launch, FaultKind::Event}) {
    for (std::uint64_t n = 1; n <= 24; ++n) {
      SCOPED_TRACE("kind " + std::to_string(static_cast<int>(kind)) + ", n = " + std::to_string(n));
      TieredWorld world({.staging_blocks = 1,
                         .mechanism = Mechanism::CopyKernel,
                         .bytes_in_flight_max = kPageBytes,
                         .device = {.delay_seed = n}});
      const auto hashes = chain(1, 4), victims = chain(2, 3);
      static_cast<void>(world.compute(victims));
      world.put_in_g2(hashes);
      world.device()->add_fault({kind, world.device()->call_counts().of(kind) + n});
      Onboarding onboarding = begun_for(world, hashes);

      onboarding.cancel();
      const Onboarded onboarded = std::move(onboarding).finish();
      world.cache().settle();

      EXPECT_EQ(onboarding.progress().cancel(), CancelState::Confirmed);  // NOLINT(bugprone-use-after-move)
      EXPECT_EQ(onboarding.progress().passed(), 4u);
      const std::uint64_t told = world.cache().take_failures().size() + (onboarded.failure ? 1 : 0);
      EXPECT_EQ(world.cache().counts().failures, told);
      EXPECT_LE(told, 1u);
    }
  }
}

/// Requests for chains with common beginnings; each may be given up by another thread while it waits.
TEST(CancelOnboardingRace, EveryRequestEndsWithAValidPrefix) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TieredWorld world({.g1_blocks = 16,
                       .g2_blocks = 16,
                       .staging_blocks = 2,
                       .bytes_in_flight_max = kPageBytes,
                       .device = {.delay_seed = seed}});
    const auto trunk = chain(1, 6);
    std::vector<SequenceHash> universe(trunk.begin(), trunk.end());
    world.put_in_g2(trunk);
    const auto serve = [&](std::uint64_t of) {
      std::mt19937_64 random(of);
      for (int round = 0; round < 25; ++round) {
        Onboarding onboarding = begun_for(world, std::span(trunk).first(1 + random() % trunk.size()));
        const bool gives_up = random() % 4 != 0;
        std::latch begin(2);
        std::optional<Onboarded> onboarded;
        {
          std::jthread canceller([&] {
            begin.arrive_and_wait();
            if (gives_up) onboarding.cancel();
          });
          begin.arrive_and_wait();
          onboarded = std::move(onboarding).finish();
        }
        for (std::uint32_t i = 0; i < onboarded->prefix.size(); ++i) {
          EXPECT_EQ(onboarded->prefix.hash(i), trunk[i]);
          EXPECT_TRUE(world.holds_g1(onboarded->prefix.id(i), trunk[i]));
        }
        EXPECT_EQ(onboarding.progress().remaining(), 0u);  // NOLINT(bugprone-use-after-move): of use for this
        onboarded.reset();
        if (random() % 3 == 0) static_cast<void>(world.cache().allocate(16));  // sends all of it down, if it can
      }
    };
    {
      std::vector<std::jthread> threads;
      for (std::uint64_t i = 0; i < 3; ++i) threads.emplace_back(serve, 100 * seed + i);
    }
    world.cache().settle();
    EXPECT_EQ(world.cache().counts().failures, 0u);
    world.expect_sound(universe);
  }
}

}  // namespace
}  // namespace kvbm::test
