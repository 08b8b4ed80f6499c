// physical.md 5.3, 6.10

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

/// Computes a chain of 4 and sends it down, by computing another.
std::vector<SequenceHash> offloaded(TieredWorld& world, std::uint64_t number) {
  static_cast<void>(world.compute(chain(number, 4)));
  static_cast<void>(world.compute(chain(number + 1000, world.g1().total_blocks())));
  world.cache().settle();
  static_cast<void>(world.g1().reset_inactive_pool());
  return chain(number, 4);
}

TEST(Onboarding, OfNothingIsFinishedAtOnce) {
  TieredWorld world;

  Onboarding onboarding = world.cache().onboard(world.cache().match({}));

  EXPECT_TRUE(onboarding.advance());
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 0u);
}

TEST(Onboarding, TellsWhatIsValidFromTheStart) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));
  static_cast<void>(world.compute(chain(2, 2)));
  world.cache().settle();

  Onboarding onboarding = world.cache().onboard(world.cache().match(hashes));

  EXPECT_EQ(onboarding.size(), 4u);
  EXPECT_EQ(onboarding.valid_now(), 2u);
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 4u);
}

TEST(Onboarding, OfAMatchThatTookAnothersPlaceIsThatOfTheNewOne) {
  TieredWorld world;
  const auto hashes = chain(1, 3), others = chain(2, 1);
  static_cast<void>(world.compute(hashes));
  static_cast<void>(world.compute(others));
  TieredMatch match = world.cache().match(hashes);

  match = world.cache().match(others);
  EXPECT_EQ(match.size(), 1u);
  EXPECT_EQ(world.g1().available_blocks(), world.g1().total_blocks() - 1);  // the old one holds nothing any more
  Onboarding onboarding = world.cache().onboard(world.cache().match(hashes));
  onboarding = world.cache().onboard(std::move(match));

  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 1u);
  EXPECT_EQ(world.g1().available_blocks(), world.g1().total_blocks());
}

/// An onboarding whose copy waits for the gate.
Onboarding held_back(TieredWorld& world) {
  const auto hashes = chain(1, 2);
  auto targets = std::move(*world.g2().allocate(2));  // put there by hand: no copy passes the gate
  static_cast<void>(world.g2().register_blocks(std::move(std::move(targets).stage(hashes, 4)).value()));
  return world.cache().onboard(world.cache().match(hashes));
}

TEST(Onboarding, RegistersNothingBeforeTheBytesAreThere) {
  TieredWorld world({.gated = true});
  Onboarding onboarding = held_back(world);

  EXPECT_FALSE(onboarding.advance());
  world.cache().advance();

  EXPECT_FALSE(world.in_g1(hash(1)));
  world.open_gate();
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 2u);
  EXPECT_TRUE(world.in_g1(hash(1)));
}

TEST(Onboarding, TakesAsMuchOfThePrefixAsG1HasRoomFor) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  const auto others = world.g1().allocate(3);

  const Onboarded onboarded = world.fetch(hashes);

  EXPECT_EQ(onboarded.prefix.size(), 1u);
  EXPECT_FALSE(onboarded.failure);
  EXPECT_EQ(world.matched(hashes), "1222");
}

TEST(Onboarding, WhatItHadNoRoomForIsLoadedByTheNext) {
  TieredWorld world({.gated = true});
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);
  Onboarding first = [&] {
    const auto others = world.g1().allocate(3);
    return world.cache().onboard(world.cache().match(hashes));
  }();
  EXPECT_EQ(first.size(), 1u);

  Onboarding second = world.cache().onboard(world.cache().match(hashes));
  world.open_gate();

  EXPECT_EQ(std::move(second).finish().prefix.size(), 2u);
  EXPECT_EQ(std::move(first).finish().prefix.size(), 1u);
}

TEST(Onboarding, AFailedLoadLeavesTheValidPrefixAndNothingRegistered) {
  TieredWorld world;
  const auto hashes = chain(1, 4);
  static_cast<void>(world.compute(hashes));
  static_cast<void>(world.compute(chain(2, 2)));
  world.cache().settle();
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 1});

  const Onboarded onboarded = world.fetch(hashes);
  world.cache().settle();

  EXPECT_EQ(onboarded.prefix.size(), 2u);
  ASSERT_TRUE(onboarded.failure);
  EXPECT_EQ(onboarded.failure->operation, TieringFailure::Operation::Onboard);
  EXPECT_EQ(onboarded.failure->blocks, 2u);
  EXPECT_EQ(onboarded.failure->first_hash, hashes[2]);
  EXPECT_EQ(world.cache().counts().failures, 1u);
  EXPECT_TRUE(world.cache().take_failures().empty());
  EXPECT_FALSE(world.in_g1(hashes[2]));
  EXPECT_TRUE(world.in_g2(hashes[2]));  // where it was
}

TEST(Onboarding, TheNextAttemptAfterAFailureSucceeds) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 1});
  EXPECT_EQ(world.fetch(hashes).prefix.size(), 0u);

  EXPECT_EQ(world.fetch(hashes).prefix.size(), 4u);

  world.cache().settle();
  world.expect_sound(hashes);
}

TEST(Onboarding, TwoRequestsForOneHashLoadOnce) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  TieredMatch one = world.cache().match(hashes), two = world.cache().match(hashes);

  Onboarding first = world.cache().onboard(std::move(one));
  Onboarding second = world.cache().onboard(std::move(two));
  const Onboarded by_second = std::move(second).finish();
  const Onboarded by_first = std::move(first).finish();

  EXPECT_EQ(by_second.prefix.size(), 4u);
  EXPECT_EQ(by_first.prefix.size(), 4u);
  EXPECT_EQ(by_first.prefix.id(0), by_second.prefix.id(0));
  EXPECT_EQ(world.cache().counts().onboarded_blocks, 4u);
}

TEST(Onboarding, WhatWasLoadedSinceTheMatchIsNotLoadedAgain) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  TieredMatch late = world.cache().match(hashes);
  const Onboarded early = world.fetch(hashes);

  const Onboarded onboarded = world.cache().onboard(std::move(late)).finish();

  EXPECT_EQ(onboarded.prefix.size(), 4u);
  EXPECT_EQ(world.cache().counts().onboarded_blocks, 4u);
}

TEST(Onboarding, OfTwoThatShareALoadTheOneThatDidNotBeginItIsShortWhenItFails) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  TieredMatch one = world.cache().match(hashes), two = world.cache().match(hashes);
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 1});

  Onboarding first = world.cache().onboard(std::move(one));
  const Onboarded by_second = world.cache().onboard(std::move(two)).finish();
  const Onboarded by_first = std::move(first).finish();

  EXPECT_EQ(by_first.prefix.size(), 0u);
  EXPECT_TRUE(by_first.failure);
  if (by_second.prefix.empty()) {
    EXPECT_FALSE(by_second.failure);  // it is told once
  }
  EXPECT_EQ(world.cache().counts().failures, 1u);
}

TEST(Onboarding, DroppedItsLoadIsRegisteredByTheCache) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);

  { const Onboarding dropped = world.cache().onboard(world.cache().match(hashes)); }
  world.cache().settle();

  EXPECT_EQ(world.matched(hashes), "1111");
  world.expect_sound(hashes);
}

TEST(Onboarding, AFailureThatNobodyWaitsForIsReportedOnce) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 1});

  { const Onboarding dropped = world.cache().onboard(world.cache().match(hashes)); }
  world.cache().settle();

  ASSERT_EQ(world.cache().take_failures().size(), 1u);
  EXPECT_TRUE(world.cache().take_failures().empty());
  EXPECT_EQ(world.matched(hashes), "2222");
}

TEST(Onboarding, AStreamMayWaitInsteadOfTheHost) {
  TieredWorld world({.gated = true});
  Onboarding onboarding = held_back(world);
  const Stream stream(world.device(), StreamPriority::Normal, "consumer");
  const Event passed(world.device());

  onboarding.wait_on(stream.view());
  world.device()->record(passed.view(), stream.view());

  EXPECT_FALSE(world.device()->done(passed.view()));
  world.open_gate();
  world.device()->synchronize(passed.view());
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 2u);
}

TEST(Onboarding, AStreamMayWaitForOneLayer) {
  TieredWorld world({.layer_events = true, .gated = true});
  Onboarding onboarding = held_back(world);
  const Stream stream(world.device(), StreamPriority::Normal, "consumer");
  const Event passed(world.device());

  onboarding.wait_for_layer(1, stream.view());
  world.device()->record(passed.view(), stream.view());

  EXPECT_FALSE(world.device()->done(passed.view()));
  world.open_gate();
  world.device()->synchronize(passed.view());
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 2u);
}

TEST(Onboarding, OutlivesTheCache) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  Onboarding onboarding = world.cache().onboard(world.cache().match(hashes));

  world.drop_cache();
  world.drop_engine();

  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 4u);
  EXPECT_EQ(world.registry().registered_count(), 0u);  // both stores are gone
}

TEST(Onboarding, SeveralThreadsFetchOneChain) {
  TieredWorld world;
  const auto hashes = offloaded(world, 1);
  std::vector<std::optional<Onboarded>> onboarded(4);

  {
    std::vector<std::jthread> threads;
    for (auto& mine : onboarded) threads.emplace_back([&] { mine = world.fetch(hashes); });
  }

  for (const auto& mine : onboarded) EXPECT_EQ(mine->prefix.size(), 4u);
  EXPECT_EQ(world.cache().counts().onboarded_blocks, 4u);
  onboarded.clear();
  world.cache().settle();
  world.expect_sound(hashes);
}

}  // namespace
}  // namespace kvbm::test
