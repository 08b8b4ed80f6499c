// physical.md 5.2; 6.9 settlement

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/held_stream.hpp"
#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

/// Batches of one block.
TieredWorld::Options one_by_one(bool gated = false) {
  return {.g1_blocks = 8,
          .mode = TierMode::Inclusive,
          .offload = OffloadPolicy::WhenAsked,
          .offload_blocks_max = 1,
          .gated = gated,
          .mechanism = Mechanism::CopyKernel};
}

TEST(Settlement, WithNothingSubmittedIsAtOnce) {
  TieredWorld world;
  const SettlementToken token = world.cache().token();
  EXPECT_TRUE(world.cache().settled(token).value());
  EXPECT_TRUE(world.cache().settle(token));
}

TEST(Settlement, WaitsForSuccessorsThatWereOnlyQueued) {
  TieredWorld world(one_by_one());
  const auto hashes = chain(1, 4);
  const auto held = world.compute(hashes);
  static_cast<void>(world.cache().offload(hashes));
  world.cache().advance();  // one is under way, three are queued

  EXPECT_TRUE(world.cache().settle(world.cache().token()));

  for (const SequenceHash& hash : hashes) EXPECT_TRUE(world.in_g2(hash));
}

TEST(Settlement, WaitsForWhatALoadLeadsTo) {
  TieredWorld world;
  const auto hashes = chain(1, 4), victims = chain(2, 4);
  static_cast<void>(world.compute(victims));
  world.put_in_g2(hashes);
  const Onboarding onboarding = world.cache().onboard(world.cache().match(hashes));

  EXPECT_TRUE(world.cache().settle(world.cache().token()));

  for (const SequenceHash& hash : victims) EXPECT_TRUE(world.in_g2(hash));
}

TEST(Settlement, DoesNotWaitForWhatCameLater) {
  TieredWorld world(one_by_one());
  const auto hashes = chain(1, 2);
  const auto held = world.compute(hashes);
  const HeldStream pass(world.device());
  const auto filled = std::make_shared<Event>(world.device());
  world.device()->record(filled->view(), pass.view());
  const Offloading early = world.cache().offload(std::span(hashes).first(1));
  const SettlementToken token = world.cache().token();
  const Offloading late = world.cache().offload(std::span(hashes).last(1), filled);

  EXPECT_TRUE(world.cache().settle(token));

  EXPECT_EQ(early.progress().completed, 1u);
  EXPECT_EQ(late.progress().remaining(), 1u);
}

TEST(Settlement, IsAskedForWithoutWaiting) {
  TieredWorld world(one_by_one(true));
  const auto hashes = chain(1, 1);
  const auto held = world.compute(hashes);
  static_cast<void>(world.cache().offload(hashes));
  const SettlementToken token = world.cache().token();

  EXPECT_FALSE(world.cache().settled(token).value());
  EXPECT_FALSE(world.cache().settled(token).value());  // the gate is closed: it would never return if it waited

  world.open_gate();
  while (!world.cache().settled(token).value()) std::this_thread::yield();
  EXPECT_TRUE(world.in_g2(hashes[0]));
}

TEST(Settlement, ComesWithFailuresToo) {
  TieredWorld world(one_by_one());
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);
  world.device()->add_fault(
      {FaultKind::Launch, world.device()->call_counts().launches + 2, DeviceFault::Effect::Break});
  const Offloading offloading = world.cache().offload(hashes);

  EXPECT_TRUE(world.cache().settle(world.cache().token()));

  EXPECT_EQ(offloading.progress().completed, 1u);
  EXPECT_EQ(offloading.progress().failed, 2u);
}

TEST(Settlement, ComesWhenTheEngineTakesNothingMore) {
  TieredWorld world(one_by_one());
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);
  const Offloading offloading = world.cache().offload(hashes);
  world.engine().quiesce();

  EXPECT_TRUE(world.cache().settle(world.cache().token()));

  EXPECT_EQ(offloading.progress().failed, 3u);
  world.engine().resume();
}

TEST(Settlement, ComesWithCancellation) {
  TieredWorld world(one_by_one(true));
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);
  const Offloading offloading = world.cache().offload(hashes);
  const SettlementToken token = world.cache().token();

  offloading.cancel();

  EXPECT_TRUE(world.cache().settle(token));  // the gate is closed
}

TEST(Settlement, OfALoadThatNobodyFinishes) {
  TieredWorld world({.g1_blocks = 8});
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);
  const Onboarding onboarding = world.cache().onboard(world.cache().match(hashes));

  EXPECT_TRUE(world.cache().settle(world.cache().token()));

  EXPECT_TRUE(world.in_g1(hashes[1]));
}

TEST(SettlementToken, OfAnotherCacheIsForeign) {
  TieredWorld world, other;
  const auto settled = world.cache().settled(other.cache().token());
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, SettlementError::Code::Foreign);
  EXPECT_FALSE(world.cache().settle(other.cache().token()));
}

TEST(SettlementToken, OfACacheThatIsGoneIsStale) {
  TieredWorld world;
  std::optional<TieredWorld> gone(std::in_place);
  const SettlementToken token = gone->cache().token();
  gone.reset();
  const auto settled = world.cache().settle(token);
  ASSERT_FALSE(settled);
  EXPECT_EQ(settled.error().code, SettlementError::Code::Stale);
}

TEST(SettlementToken, BeyondAllThatWereGivenOverflows) {
  TieredWorld world(one_by_one());
  const auto hashes = chain(1, 2);
  const auto held = world.compute(hashes);
  static_cast<void>(world.cache().offload(hashes));
  const std::uint64_t number = world.cache().token().number();

  EXPECT_TRUE(world.cache().settle(world.cache().token_at(number)));
  for (const std::uint64_t beyond : {number + 1, UINT64_MAX}) {
    const auto settled = world.cache().settled(world.cache().token_at(beyond));
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code, SettlementError::Code::Overflow);
    EXPECT_NE(settled.error().text.find(std::to_string(beyond)), std::string::npos);
  }
}

/// Each thread's token covers its own work, whoever does it.
TEST(SettlementRace, OfSeveralThreadsEachSeesItsOwnWorkSettled) {
  TieredWorld world({.g1_blocks = 40,
                     .g2_blocks = 40,
                     .mode = TierMode::Inclusive,
                     .offload = OffloadPolicy::WhenAsked,
                     .device = {.delay_seed = 3}});
  const auto serve = [&](std::uint64_t of) {
    for (std::uint64_t round = 0; round < 30; ++round) {
      const auto hashes = chain(1000 * of + 10 * round, 3);
      const auto held = world.compute(hashes);
      const Offloading offloading = world.cache().offload(hashes);
      const SettlementToken token = world.cache().token();
      if (round % 2 == 0) {
        EXPECT_TRUE(world.cache().settle(token));
      } else {
        while (!world.cache().settled(token).value()) std::this_thread::yield();
      }
      EXPECT_EQ(offloading.progress().completed, 3u);
    }
  };
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 1; i <= 4; ++i) threads.emplace_back(serve, i);
}

}  // namespace
}  // namespace kvbm::test
