// A weak block that saw no pin is held before its look-up locks the store; meanwhile the block changes hands
// (logical.md 7.8).
#include <gtest/gtest.h>

#include <barrier>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "tests/support/blocks.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::dropped_at;
using test::HeldThread;

/// Registers `hash`, lets it go idle and keeps the weak block.
WeakBlock<G1> weak_of_idle(const BlockManager<G1>& manager, const SequenceHash& hash) {
  return test::registered(manager, hash).downgrade();
}

TEST(WeakUpgradeRace, HashRegisteredAnewElsewhereIsFoundThere) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  const WeakBlock<G1> weak = weak_of_idle(manager, hash);
  std::optional<ImmutableBlock<G1>> upgraded;
  HeldThread upgrader(TestPoint::WeakPinMissed, [&] { upgraded = weak.upgrade(); });

  auto all = test::allocated(manager, 2);  // the reset one, then the evicted one
  auto tail = all.split_off(1);
  const BlockId was = tail.id(0);
  auto again = manager.register_blocks(std::move(std::move(all).stage(std::span(&hash, 1), 16)).value());
  upgrader.let_through();

  ASSERT_TRUE(upgraded);
  EXPECT_NE(upgraded->id(), was);
  EXPECT_EQ(upgraded->id(), again.id(0));
  EXPECT_EQ(upgraded->use_count(), 2u);
}

TEST(WeakUpgradeRace, EvictedBlockIsNotMistakenForTheNextTenant) {
  const auto manager = test::manager<G1>({.blocks = 1});
  const WeakBlock<G1> weak = weak_of_idle(manager, test::hash(1));
  std::optional<ImmutableBlock<G1>> upgraded;
  HeldThread upgrader(TestPoint::WeakPinMissed, [&] { upgraded = weak.upgrade(); });

  const ImmutableBlock<G1> tenant = test::registered(manager, test::hash(2));
  upgrader.let_through();

  EXPECT_FALSE(upgraded);
  EXPECT_FALSE(weak.upgrade());  // the slot has pins again, but of another generation
  EXPECT_EQ(tenant.use_count(), 1u);
  manager.check_invariants();
}

TEST(WeakUpgradeRace, BlockTakenByAMatchMeanwhileIsShared) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  const WeakBlock<G1> weak = weak_of_idle(manager, hash);
  std::optional<ImmutableBlock<G1>> upgraded;
  HeldThread upgrader(TestPoint::WeakPinMissed, [&] { upgraded = weak.upgrade(); });

  const auto matched = manager.match_blocks(std::span(&hash, 1));
  upgrader.let_through();

  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->id(), matched.id(0));
  EXPECT_EQ(upgraded->use_count(), 2u);
  EXPECT_EQ(manager.available_blocks(), 1u);
}

TEST(WeakUpgradeRace, BlockResetMeanwhileIsGone) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const WeakBlock<G1> weak = weak_of_idle(manager, test::hash(1));
  std::optional<ImmutableBlock<G1>> upgraded;
  HeldThread upgrader(TestPoint::WeakPinMissed, [&] { upgraded = weak.upgrade(); });

  EXPECT_TRUE(manager.reset_inactive_pool().all_free());
  upgrader.let_through();

  EXPECT_FALSE(upgraded);
  EXPECT_EQ(manager.metrics().reset_pool_size, 2);
}

TEST(WeakUpgradeRace, WeakBlockOfADuplicateOnItsWayOutLeadsToThePrimary) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  const ImmutableBlock<G1> primary = test::registered(manager, hash);
  ImmutableBlock<G1> duplicate = test::registered(manager, hash);
  const WeakBlock<G1> weak = duplicate.downgrade();
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(duplicate));

  const std::optional<ImmutableBlock<G1>> upgraded = weak.upgrade();
  dropper.let_through();

  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->id(), primary.id());
  EXPECT_EQ(manager.metrics().reset_pool_size, 1);
  EXPECT_EQ(manager.metrics().release_primary_noop_total, 0u);
  manager.check_invariants();
}

/// Runs `drop` against an upgrade, many times. Each round starts with what `make` returns as the only holder.
template <class Make>
void race_drops_against_upgrades(const BlockManager<G1>& manager, const WeakBlock<G1>& weak, Make make) {
  constexpr int kRounds = 500;
  std::optional holder(make());
  std::barrier sync(2);
  std::jthread dropper([&] {
    for (int round = 0; round < kRounds; ++round) {
      sync.arrive_and_wait();
      holder.reset();
      sync.arrive_and_wait();
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    sync.arrive_and_wait();
    std::optional<ImmutableBlock<G1>> upgraded = weak.upgrade();
    sync.arrive_and_wait();
    EXPECT_TRUE(upgraded && upgraded->use_count() == 1 && manager.available_blocks() == 1);
    holder.emplace(make());
  }
  dropper.join();
  holder.reset();
  EXPECT_EQ(manager.available_blocks(), 2u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 0);
  EXPECT_EQ(manager.metrics().eager_primary_to_inactive_total, manager.metrics().release_primary_noop_total);
  manager.check_invariants();
}

TEST(WeakUpgradeRace, UpgradeAgainstTheLastGuardAlwaysYieldsTheBlock) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const WeakBlock<G1> weak = weak_of_idle(manager, test::hash(1));

  race_drops_against_upgrades(manager, weak, [&] { return std::move(manager.match_block(test::hash(1))).value(); });
}

TEST(WeakUpgradeRace, UpgradeAgainstTheLastRunAlwaysYieldsTheBlock) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  const WeakBlock<G1> weak = weak_of_idle(manager, hash);

  race_drops_against_upgrades(manager, weak, [&] { return manager.match_blocks(std::span(&hash, 1)); });
}

}  // namespace
}  // namespace kvbm
