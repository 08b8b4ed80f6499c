// A guard gives up the last pin of a block and is held before it locks the store; meanwhile the block is looked up,
// passed over, or lost to somebody else (logical.md 7.1, 7.2).
#include <gtest/gtest.h>

#include <barrier>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/blocks.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::dropped_at;
using test::Gate;
using test::HeldThread;

/// Keeps what a look-up returned until the test drops it.
using Held = std::function<void()>;

template <class Guard>
Held keep(Guard guard) {
  auto kept = std::make_shared<std::optional<Guard>>(std::move(guard));
  return [kept] { kept->reset(); };
}

std::uint64_t rescued(const BlockManager<G1>& manager) { return manager.metrics().eager_primary_to_inactive_total; }
std::uint64_t late(const BlockManager<G1>& manager) { return manager.metrics().release_primary_noop_total; }

/// Every way to look a hash up. Each must find a block whose last holder is on its way out.
struct LookUp {
  std::string name;
  std::function<Held(const BlockManager<G1>&, const SequenceHash&, const WeakBlock<G1>&)> find;
};

const LookUp kLookUps[] = {
    {"Match", [](const auto& manager, const auto& hash,
                 const auto&) { return keep(manager.match_blocks(std::span(&hash, 1))); }},
    {"MatchOne", [](const auto& manager, const auto& hash, const auto&) { return keep(*manager.match_block(hash)); }},
    {"MatchScattered", [](const auto& manager, const auto& hash,
                          const auto&) { return keep(manager.match_scattered(std::span(&hash, 1))); }},
    {"Scan", [](const auto& manager, const auto& hash,
                const auto&) { return keep(manager.scan_matches(std::span(&hash, 1), true)); }},
    {"WeakUpgrade", [](const auto&, const auto&, const auto& weak) { return keep(*weak.upgrade()); }},
    {"RegisterOne",
     [](const auto& manager, const auto& hash, const auto&) { return keep(test::registered(manager, hash)); }},
    {"RegisterRun", [](const auto& manager, const auto& hash,
                       const auto&) { return keep(test::registered(manager, std::span(&hash, 1))); }},
};

class LastDrop : public testing::TestWithParam<LookUp> {};

TEST_P(LastDrop, BlockIsRescuedByALookUpAndTheLateDropFindsNothingToDo) {  // logical.md 18.10 cases 122, 124 (Reject)
  const auto manager = test::manager<G1>({.blocks = 4, .duplication = DuplicationPolicy::Reject});
  const SequenceHash hash = test::hash(1);
  ImmutableBlock<G1> block = test::registered(manager, hash);
  const BlockId id = block.id();
  const WeakBlock<G1> weak = block.downgrade();
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));

  const Held found = GetParam().find(manager, hash, weak);

  EXPECT_EQ(rescued(manager), 1u);
  EXPECT_EQ(late(manager), 0u);
  EXPECT_EQ(manager.match_block(hash)->id(), id);
  EXPECT_EQ(manager.available_blocks(), 3u);
  dropper.let_through();
  EXPECT_EQ(late(manager), 1u);
  EXPECT_EQ(manager.available_blocks(), 3u);
  manager.check_invariants();
  found();
  EXPECT_EQ(rescued(manager), 1u);
  EXPECT_EQ(late(manager), 1u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.available_blocks(), 4u);
  manager.check_invariants();
}

TEST_P(LastDrop, RescuedBlockDroppedFirstIsReleasedOnceAndTheLateDropFindsItIdle) {
  const auto manager = test::manager<G1>({.blocks = 4, .duplication = DuplicationPolicy::Reject});
  const SequenceHash hash = test::hash(1);
  ImmutableBlock<G1> block = test::registered(manager, hash);
  const WeakBlock<G1> weak = block.downgrade();
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));

  GetParam().find(manager, hash, weak)();

  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  manager.check_invariants();
  dropper.let_through();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
  EXPECT_EQ(rescued(manager), 1u);
  EXPECT_EQ(late(manager), 1u);
  manager.check_invariants();
}

TEST_P(LastDrop, ResetFlagWaitsForTheNewHolder) {  // logical.md 18.10 case 123
  const auto manager = test::manager<G1>({.blocks = 4, .duplication = DuplicationPolicy::Reject});
  const SequenceHash hash = test::hash(1);
  {
    ImmutableBlock<G1> block = test::registered(manager, hash);
    const WeakBlock<G1> weak = block.downgrade();
    block.set_evict_on_reset(true);
    HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));

    const Held found = GetParam().find(manager, hash, weak);
    dropper.let_through();

    EXPECT_TRUE(test::is_present(manager, hash));
    found();
  }
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  EXPECT_FALSE(manager.registry().is_registered(hash));
  manager.check_invariants();
}

INSTANTIATE_TEST_SUITE_P(EveryLookUp, LastDrop, testing::ValuesIn(kLookUps),
                         [](const auto& tested) { return tested.param.name; });

TEST(LastDropRace, SecondCopyRelyingOnABlockRescuesIt) {  // logical.md 18.10 case 124 (Allow)
  const auto manager = test::manager<G1>({.blocks = 4});
  const SequenceHash hash = test::hash(1);
  ImmutableBlock<G1> block = test::registered(manager, hash);
  const BlockId primary = block.id();
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));

  std::optional<ImmutableBlock<G1>> duplicate = test::registered(manager, hash);
  dropper.let_through();

  EXPECT_NE(duplicate->id(), primary);
  EXPECT_EQ(rescued(manager), 1u);
  EXPECT_EQ(late(manager), 1u);
  EXPECT_EQ(manager.metrics().duplicate_blocks, 1u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);  // the primary stays in use for its duplicate
  EXPECT_EQ(manager.match_block(hash)->id(), primary);
  manager.check_invariants();
  duplicate.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.available_blocks(), 4u);
  manager.check_invariants();
}

TEST(LastDropRace, AllocationPassesOverABlockThatIsOnItsWayOut) {  // logical.md 18.10 case 125
  const auto manager = test::manager<G1>({.blocks = 4});
  ImmutableBlock<G1> block = test::registered(manager, test::hash(1));
  const BlockId id = block.id();
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));

  EXPECT_EQ(manager.available_blocks(), 3u);
  EXPECT_FALSE(manager.allocate(4));
  const auto rest = manager.allocate(3);
  ASSERT_TRUE(rest);
  for (const BlockId other : rest->ids()) EXPECT_NE(other, id);
  EXPECT_FALSE(manager.allocate_block());

  dropper.let_through();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.allocate_block()->id(), id);
  EXPECT_EQ(late(manager), 0u);
}

TEST(LastDropRace, LateDropLeavesTheNextTenantAlone) {  // logical.md 18.10 case 126
  const auto manager = test::manager<G1>({.blocks = 1});
  ImmutableBlock<G1> block = test::registered(manager, test::hash(1));
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));
  ASSERT_TRUE(manager.match_block(test::hash(1)));  // rescued, and released for both

  const ImmutableBlock<G1> tenant = test::registered(manager, test::hash(2));
  dropper.let_through();

  EXPECT_EQ(manager.metrics().evictions, 1u);
  EXPECT_EQ(tenant.use_count(), 1u);
  EXPECT_EQ(manager.available_blocks(), 0u);
  EXPECT_EQ(manager.match_block(test::hash(2))->id(), tenant.id());
  EXPECT_FALSE(manager.match_block(test::hash(1)));
  EXPECT_EQ(rescued(manager), 1u);
  EXPECT_EQ(late(manager), 1u);
  manager.check_invariants();
}

TEST(LastDropRace, LateDropLeavesASlotThatIsBeingFilledAlone) {
  const auto manager = test::manager<G1>({.blocks = 1});
  ImmutableBlock<G1> block = test::registered(manager, test::hash(1));
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));
  ASSERT_TRUE(manager.match_block(test::hash(1)));

  const CompleteBlock<G1> tenant = test::stage(test::allocated_block(manager), test::hash(2));
  dropper.let_through();

  EXPECT_EQ(manager.available_blocks(), 0u);
  EXPECT_EQ(late(manager), 1u);
  manager.check_invariants();
}

TEST(LastDropRace, OfTwoLateDropsOneReleasesTheSlotForWhateverItHoldsNow) {
  const auto manager = test::manager<G1>({.blocks = 1});
  ImmutableBlock<G1> first = test::registered(manager, test::hash(1));
  HeldThread first_dropper = dropped_at(TestPoint::LastPinDropped, std::move(first));
  ASSERT_TRUE(manager.match_block(test::hash(1)));
  ImmutableBlock<G1> second = test::registered(manager, test::hash(2));
  HeldThread second_dropper = dropped_at(TestPoint::LastPinDropped, std::move(second));

  first_dropper.let_through();  // was the first hash's, finds the second without holders
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(late(manager), 0u);
  second_dropper.let_through();

  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(rescued(manager), 1u);
  EXPECT_EQ(late(manager), 1u);
  EXPECT_TRUE(manager.match_block(test::hash(2)));
  manager.check_invariants();
}

TEST(LastDropRace, BlockRescuedTwiceOutlivesBothLateDrops) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  HeldThread first_dropper = dropped_at(TestPoint::LastPinDropped, test::registered(manager, hash));
  HeldThread second_dropper = dropped_at(TestPoint::LastPinDropped, *manager.match_block(hash));

  const auto held = manager.match_blocks(std::span(&hash, 1));
  second_dropper.let_through();
  first_dropper.let_through();

  EXPECT_EQ(held.size(), 1u);
  EXPECT_EQ(manager.available_blocks(), 1u);
  EXPECT_EQ(rescued(manager), 2u);
  EXPECT_EQ(late(manager), 2u);
  manager.check_invariants();
}

TEST(LastDropRace, PinOfAnotherOwnerRescuedKeepsTheBlock) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  LifecyclePin pin = test::registered(manager, hash).pin();
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(pin));

  const LifecyclePin other = manager.match_block(hash)->pin();
  dropper.let_through();

  EXPECT_EQ(other.use_count(), 1u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 0);
  EXPECT_EQ(manager.available_blocks(), 1u);
  manager.check_invariants();
}

TEST(LastDropRace, RunDropThatReachesZeroUnderTheLockNeedsNoRescue) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  auto run = test::registered(manager, std::span(&hash, 1));
  std::optional<ImmutableBlock<G1>> guard = run.block(0);
  const Gate gate(TestPoint::LastPinDropped);  // would hold this thread

  guard.reset();
  { const auto dropped = std::move(run); }

  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(rescued(manager), 0u);
  EXPECT_EQ(late(manager), 0u);
  manager.check_invariants();
}

TEST(LastDropRace, ParkedDuplicateLeavesItsPrimaryInUse) {  // logical.md 7.5
  const auto manager = test::manager<G1>({.blocks = 4});
  const SequenceHash hash = test::hash(1);
  ImmutableBlock<G1> primary = test::registered(manager, hash);
  const BlockId primary_id = primary.id();
  ImmutableBlock<G1> duplicate = test::registered(manager, hash);
  { const auto dropped = std::move(primary); }
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(duplicate));

  EXPECT_EQ(manager.available_blocks(), 2u);
  EXPECT_EQ(manager.match_block(hash)->id(), primary_id);
  EXPECT_EQ(rescued(manager), 0u);  // the duplicate pins it still
  const ImmutableBlock<G1> another = test::registered(manager, hash);
  EXPECT_NE(another.id(), primary_id);
  dropper.let_through();

  EXPECT_EQ(manager.available_blocks(), 2u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().release_duplicate_noop_total, 0u);
  EXPECT_TRUE(test::is_present(manager, hash));
  manager.check_invariants();
}

TEST(LastDropRace, DropAgainstMatchLosesNothingInManyRounds) {  // logical.md 18.10 case 119
  const auto manager = test::manager<G1>({.blocks = 4});
  const SequenceHash hash = test::hash(1);
  constexpr int kRounds = 200;
  std::optional<ImmutableBlock<G1>> block = test::registered(manager, hash);
  const BlockId id = block->id();
  std::optional<BlockRun<ImmutableBlock<G1>>> found;
  std::barrier sync(2);

  std::jthread dropper([&] {
    for (int round = 0; round < kRounds; ++round) {
      sync.arrive_and_wait();
      block.reset();
      sync.arrive_and_wait();
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    sync.arrive_and_wait();
    found = manager.match_blocks(std::span(&hash, 1));
    sync.arrive_and_wait();
    ASSERT_EQ(found->size(), 1u);
    ASSERT_EQ(found->id(0), id);
    ASSERT_EQ(manager.available_blocks(), 3u);
    block = found->block(0);
    found.reset();
  }
  dropper.join();
  block.reset();

  EXPECT_EQ(manager.available_blocks(), manager.total_blocks());
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(rescued(manager), late(manager));
  EXPECT_EQ(manager.registry().registered_count(), 1u);
  manager.check_invariants();
}

}  // namespace
}  // namespace kvbm
