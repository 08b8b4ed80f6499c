#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "kvbm/registry/frequency_sketch.hpp"
#include "src/host/pools/block_store.hpp"
#include "src/host/pools/make_backend.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

constexpr DuplicationPolicy kAllow = DuplicationPolicy::Allow;
constexpr DuplicationPolicy kReject = DuplicationPolicy::Reject;

BlockManager<G1> manager_of(std::uint32_t blocks, DuplicationPolicy duplication = kAllow) {
  return test::manager({.blocks = blocks, .tokens_per_block = 4, .duplication = duplication});
}

template <class Tier>
CompleteBlock<Tier> staged_block(const BlockManager<Tier>& manager, const SequenceHash& hash) {
  return test::stage(test::allocated_block(manager), hash);
}

// ---- one holder of one hash ----

TEST(Registration, OneBlockIsCountedAsOne) {  // logical.md 18.4 case 57
  const auto manager = manager_of(10);

  const auto block = test::registered(manager, test::hash(1));

  EXPECT_EQ(block.hash(), test::hash(1));
  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.registrations, 1u);
  EXPECT_EQ(metrics.stagings, 1u);
  EXPECT_EQ(metrics.inflight_immutable, 1);
  EXPECT_EQ(metrics.inflight_mutable, 0);
  EXPECT_EQ(metrics.reset_pool_size, 9);
  EXPECT_EQ(metrics.inactive_pool_size, 0);
}

TEST(Registration, ARunKeepsItsOrder) {  // logical.md 18.4 case 58
  const auto manager = manager_of(10);
  const auto hashes = test::roots(7, 3);
  auto run = test::staged(manager, hashes);
  const auto ids = test::ids_of(run);

  const auto registered = manager.register_blocks(std::move(run));

  EXPECT_EQ(test::ids_of(registered), ids);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(registered.hash(i), hashes[i]);
  EXPECT_EQ(manager.metrics().registrations, 3u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
}

TEST(Registration, AnEmptyRunChangesNothing) {  // logical.md 18.4 case 59
  const auto manager = manager_of(10);
  const PoolMetrics before = manager.metrics();

  const auto registered = manager.register_blocks(test::staged(manager, {}));

  EXPECT_TRUE(registered.empty());
  EXPECT_EQ(manager.metrics(), before);
}

TEST(Registration, ABlockInUseIsMatchedAsAnotherHolder) {  // logical.md 18.4 case 60
  const auto manager = manager_of(10);
  std::optional block = test::registered(manager, test::hash(1));

  std::optional matched = manager.match_blocks(test::roots(1, 1));
  ASSERT_EQ(matched->size(), 1u);
  EXPECT_EQ(matched->hash(0), test::hash(1));
  EXPECT_EQ(manager.metrics().match_hashes_requested, 1u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 1u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 2);
  matched.reset();
  EXPECT_EQ(manager.metrics().inflight_immutable, 1);
  block.reset();

  EXPECT_EQ(manager.metrics().inflight_immutable, 0);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.available_blocks(), 10u);
}

TEST(Registration, AnIdleBlockIsMatchedAndBecomesIdleAgain) {  // logical.md 18.4 case 60
  const auto manager = manager_of(10);
  test::make_idle(manager, test::roots(1, 1));

  std::optional matched = manager.match_blocks(test::roots(1, 1));
  ASSERT_EQ(matched->size(), 1u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);

  matched.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
}

// ---- a hash that is known already ----

TEST(Registration, AllowKeepsASecondCopy) {  // logical.md 18.4 case 61
  const auto manager = manager_of(10, kAllow);
  const auto primary = test::registered(manager, test::hash(1));
  const auto duplicate = test::registered(manager, test::hash(1));

  EXPECT_NE(duplicate.id(), primary.id());
  EXPECT_EQ(duplicate.hash(), primary.hash());
  EXPECT_EQ(manager.metrics().duplicate_blocks, 1u);
  EXPECT_EQ(manager.metrics().registration_dedup, 0u);
  manager.check_invariants();
}

TEST(Registration, RejectReturnsTheBlockThatHasTheHash) {  // logical.md 18.4 case 62
  const auto manager = manager_of(2, kReject);
  const TokenBlock tokens = test::token_block(4);
  const auto primary = manager.register_block(*test::allocated_block(manager).complete(tokens));
  CompleteBlock<G1> candidate = *test::allocated_block(manager).complete(tokens);
  const BlockId candidate_id = candidate.id();
  EXPECT_EQ(manager.metrics().reset_pool_size, 0);

  const auto rejected = manager.register_block(std::move(candidate));

  EXPECT_EQ(rejected.id(), primary.id());
  EXPECT_EQ(rejected.use_count(), 2u);
  EXPECT_EQ(manager.metrics().registration_dedup, 1u);
  EXPECT_EQ(manager.metrics().duplicate_blocks, 0u);
  EXPECT_EQ(manager.metrics().registrations, 2u);
  EXPECT_EQ(manager.metrics().reset_pool_size, 1);
  EXPECT_EQ(test::allocated_block(manager).id(), candidate_id);
  manager.check_invariants();
}

TEST(Registration, RejectTakesHashesLikeTokens) {  // logical.md 18.4 case 63
  const auto manager = manager_of(2, kReject);
  const auto primary = test::registered(manager, test::hash(1));
  const auto rejected = test::registered(manager, test::hash(1));
  EXPECT_EQ(rejected.id(), primary.id());
  EXPECT_EQ(manager.metrics().registration_dedup, 1u);

  std::optional again = test::allocated_block(manager);
  EXPECT_EQ(manager.metrics().reset_pool_size, 0);
  again.reset();

  EXPECT_EQ(manager.metrics().reset_pool_size, 1);
  EXPECT_EQ(manager.metrics().inflight_immutable, 2);
}

TEST(Registration, RejectSettlesARunInOrder) {  // logical.md 18.4 case 64
  const auto manager = manager_of(5, kReject);
  const SequenceHash a = test::hash(1), b = test::hash(2), c = test::hash(3);
  const auto held = test::registered(manager, a);
  auto candidates = test::staged(manager, std::vector{b, a, b, c});
  const auto ids = test::ids_of(candidates);

  const auto run = manager.register_blocks(std::move(candidates));

  EXPECT_EQ(test::ids_of(run), (std::vector<BlockId>{ids[0], held.id(), ids[0], ids[3]}));
  const std::vector<SequenceHash> expected{b, a, b, c};
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(run.hash(i), expected[i]) << i;
  for (const SequenceHash& hash : expected) EXPECT_TRUE(test::is_present(manager, hash));
  EXPECT_EQ(manager.metrics().registration_dedup, 2u);
  EXPECT_EQ(manager.available_blocks(), 2u);
  EXPECT_EQ(test::allocation_order(manager), (std::vector<BlockId>{ids[1], ids[2]}));
  manager.check_invariants();
}

TEST(Registration, ARejectedRunHoldsEachOccurrence) {  // logical.md 18.4 case 64
  const auto manager = manager_of(5, kReject);
  const SequenceHash a = test::hash(1);
  auto run = manager.register_blocks(test::staged(manager, std::vector{a, a, a}));
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);
  EXPECT_EQ(run.block(0).use_count(), 4u);

  test::drop_in_order(std::move(run).into_blocks());

  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  manager.check_invariants();
}

TEST(Registration, AllowKeepsACopyWithinARun) {  // logical.md 18.4 case 65
  const auto manager = manager_of(5, kAllow);
  const SequenceHash a = test::hash(1);
  auto run = manager.register_blocks(test::staged(manager, std::vector{a, a}));
  EXPECT_NE(run.id(0), run.id(1));
  EXPECT_EQ(manager.metrics().duplicate_blocks, 1u);

  { const auto duplicate = run.split_off(1); }

  EXPECT_TRUE(test::is_present(manager, a));
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  manager.check_invariants();
}

TEST(Registration, EachDuplicateHoldsThePrimary) {  // logical.md 18.4 case 66
  const auto manager = manager_of(5, kAllow);
  const SequenceHash a = test::hash(1);
  auto run = manager.register_blocks(test::staged(manager, std::vector{a, a, a}));
  const std::vector<ImmutableBlock<G1>> blocks = std::move(run).into_blocks();

  EXPECT_EQ(blocks[0].use_count(), 3u);
  EXPECT_EQ(blocks[1].use_count(), 1u);
  EXPECT_EQ(blocks[2].use_count(), 1u);
  EXPECT_EQ(manager.match_block(a)->id(), blocks[0].id());
  EXPECT_EQ(manager.metrics().inflight_immutable, 3);  // handles, not what duplicates hold
}

TEST(Registration, ADuplicateKeepsItsPrimaryInUse) {  // logical.md 18.4 case 67
  const auto manager = manager_of(5, kAllow);
  std::optional primary = test::registered(manager, test::hash(1));
  std::optional duplicate = test::registered(manager, test::hash(1));
  const BlockId primary_id = primary->id();
  const BlockId duplicate_id = duplicate->id();

  primary.reset();
  EXPECT_EQ(manager.available_blocks(), 3u);
  EXPECT_EQ(manager.match_block(test::hash(1))->id(), primary_id);
  EXPECT_EQ(manager.available_blocks(), 3u);

  duplicate.reset();
  EXPECT_EQ(manager.available_blocks(), 5u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  const auto order = test::allocation_order(manager);  // the duplicate is reset, the primary can be evicted
  EXPECT_EQ(order[3], duplicate_id);
  EXPECT_EQ(order[4], primary_id);
}

TEST(Registration, ADuplicateDroppedFirstLeavesThePrimaryInUse) {  // logical.md 18.4 case 68
  const auto manager = manager_of(5, kAllow);
  std::optional primary = test::registered(manager, test::hash(1));
  std::optional duplicate = test::registered(manager, test::hash(1));

  duplicate.reset();
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_TRUE(test::is_present(manager, test::hash(1)));

  primary.reset();
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  manager.check_invariants();
}

TEST(Registration, AllowMakesADuplicateOfAnIdleBlock) {  // logical.md 6.6
  const auto manager = manager_of(5, kAllow);
  test::make_idle(manager, test::roots(1, 1));

  std::optional duplicate = test::registered(manager, test::hash(1));
  EXPECT_EQ(manager.metrics().duplicate_blocks, 1u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);  // the duplicate holds it
  EXPECT_EQ(manager.match_block(test::hash(1))->id(), 0u);

  duplicate.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
}

TEST(Registration, RejectResurrectsAnIdleBlock) {  // logical.md 18.4 case 69
  const auto manager = manager_of(3, kReject);
  std::optional first = test::registered(manager, test::hash(1));
  const BlockId id = first->id();
  const WeakBlock<G1> weak = first->downgrade();
  first.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);

  const auto again = test::registered(manager, test::hash(1));

  EXPECT_EQ(again.id(), id);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 2);
  const auto upgraded = weak.upgrade();
  ASSERT_TRUE(upgraded.has_value());
  EXPECT_EQ(upgraded->id(), id);
  EXPECT_EQ(again.use_count(), 2u);
}

// A single block and a run reach the store by different ways.
TEST(Registration, SinglesAndRunsAreSettledAlike) {
  for (const DuplicationPolicy policy : {kAllow, kReject}) {
    const auto by_run = manager_of(5, policy);
    const auto by_block = manager_of(5, policy);
    const std::vector hashes{test::hash(1), test::hash(2), test::hash(1)};
    const auto run = by_run.register_blocks(test::staged(by_run, hashes));
    std::vector<CompleteBlock<G1>> candidates = test::staged(by_block, hashes).into_blocks();
    std::vector<ImmutableBlock<G1>> blocks;
    for (CompleteBlock<G1>& candidate : candidates) blocks.push_back(by_block.register_block(std::move(candidate)));

    EXPECT_EQ(by_block.metrics(), by_run.metrics());
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(blocks[i].id(), run.id(i)) << i;
  }
}

// ---- contract violations ----

// Case 70 (a handle of another hash) cannot be written: no handle is passed, the block's own hash is registered. What
// can still be mixed up is the manager.
TEST(RegistrationDeathTest, ABlockOfAnotherManagerAborts) {  // logical.md 18.4 case 70
  const auto manager = manager_of(5);
  const auto other = manager_of(5);

  EXPECT_DEATH((void)manager.register_block(staged_block(other, test::hash(1))), "a block of another manager");
  EXPECT_DEATH((void)manager.register_blocks(test::staged(other, test::roots(0, 2))), "blocks of another manager");
}

/// A store without a manager, so that slots can be put into states that no guard would leave them in.
struct BareStore {
  BareStore()
      : store(new BlockStore(
            {5, 4, tier_key<G1>(), kAllow, false, make_backend(LruEviction{}, nullptr), registry.state()})) {}
  ~BareStore() { store->close(); }
  BareStore(const BareStore&) = delete;
  BareStore& operator=(const BareStore&) = delete;

  [[nodiscard]] BlockId staged(const SequenceHash& hash) const {
    const BlockId id = store->allocate_one();
    store->slots[id].hash = hash;
    store->slots[id].state = SlotState::Staged;
    return id;
  }

  BlockRegistry registry;
  BlockStore* store;  // goes with close()
};

TEST(RegistrationDeathTest, TheSameBlockTwiceAborts) {  // logical.md 18.4 case 71
  const BareStore bare;
  const BlockId id = bare.staged(test::hash(1));
  const SharedHold held(*bare.store, bare.store->register_one(id));

  EXPECT_DEATH(
      {
        bare.store->slots[id].state = SlotState::Staged;
        (void)bare.store->register_one(id);
      },
      "a block was registered twice");
}

TEST(RegistrationDeathTest, ABlockThatIsNotStagedAborts) {  // logical.md 6.6
  const BareStore bare;
  const BlockId id = bare.staged(test::hash(1));
  const SharedHold held(*bare.store, bare.store->register_one(id));

  EXPECT_DEATH((void)bare.store->register_one(id), "a block that is not staged was to be registered");
}

// ---- several managers, several batches, several threads ----

TEST(Registration, TiersShareARegistryButNotTheirBlocks) {  // logical.md 18.4 case 72
  const BlockRegistry registry({.tracker = make_frequency_tracker(FrequencyTrackingCapacity::Small)});
  const auto g1 = test::manager<G1>({.tokens_per_block = 4, .registry = registry, .eviction = MultiLruEviction{}});
  const auto g2 = test::manager<G2>(
      {.tokens_per_block = 4, .registry = registry, .duplication = kReject, .eviction = MultiLruEviction{}});

  const auto block = test::registered(g1, test::hash(1));

  EXPECT_TRUE(g2.registry().is_registered(test::hash(1)));
  EXPECT_TRUE(test::is_present(g1, test::hash(1)));
  EXPECT_FALSE(test::is_present(g2, test::hash(1)));
  EXPECT_TRUE(g2.match_blocks(test::roots(1, 1)).empty());
}

TEST(Registration, BatchesOfOneSequenceAreMatchedTogether) {  // logical.md 18.4 case 73
  const auto manager = manager_of(20);
  const auto hashes = test::chain(1, 15);
  const auto first = test::registered(manager, std::span(hashes).first(8));
  const auto between = test::allocated(manager, 3);
  const auto second = test::registered(manager, std::span(hashes).last(7));
  const auto after = test::allocated(manager, 2);

  const auto matched = manager.match_blocks(hashes);

  ASSERT_EQ(matched.size(), 15u);
  for (std::uint32_t i = 0; i < 15; ++i) {
    EXPECT_EQ(matched.hash(i), hashes[i]);
    EXPECT_EQ(matched.id(i), i < 8 ? first.id(i) : second.id(i - 8));
  }
}

TEST(Registration, WhoIsToldOfABlockFindsTheWholeBatch) {  // logical.md 18.4 case 74
  constexpr std::uint32_t kBatch = 32;
  const auto hashes = test::chain(1, kBatch);
  const BlockManager<G1>* observed = nullptr;
  std::uint32_t told = 0;
  const BlockRegistry registry({.on_registered = [&](const Registration&) {
    ++told;
    EXPECT_EQ(observed->metrics().registrations, kBatch);
    EXPECT_EQ(observed->match_blocks(hashes).size(), kBatch);
    EXPECT_TRUE(std::ranges::all_of(hashes, [&](const SequenceHash& h) { return test::is_present(*observed, h); }));
  }});
  const auto manager = test::manager({.blocks = kBatch, .tokens_per_block = 4, .registry = registry});
  observed = &manager;

  const auto held = test::registered(manager, hashes);

  EXPECT_EQ(told, kBatch);
}

/// Reads the counter until it reaches `registrations`, then counts which of `hashes` can be found.
struct Observation {
  std::size_t matched = 0;
  std::size_t present = 0;

  void watch(const BlockManager<G1>& manager, std::uint64_t registrations, std::span<const SequenceHash> hashes) {
    while (manager.metrics().registrations < registrations) std::this_thread::yield();
    matched = manager.match_blocks(hashes).size();
    for (const auto& [hash, is_present] : manager.registry().check_presence<G1>(hashes)) present += is_present ? 1 : 0;
  }
};

TEST(Registration, WhoSeesTheCounterFindsTheBlocks) {  // logical.md 18.4 case 74
  constexpr std::size_t kRounds = 100, kBatch = 32;
  const auto manager = manager_of(kBatch);
  for (std::size_t round = 0; round < kRounds; ++round) {
    const auto hashes = test::chain(round, kBatch);
    auto candidates = test::staged(manager, hashes);
    Observation seen;
    std::jthread observer([&] { seen.watch(manager, (round + 1) * kBatch, hashes); });

    const auto held = manager.register_blocks(std::move(candidates));
    observer.join();

    ASSERT_EQ(seen.matched, kBatch) << "round " << round;
    ASSERT_EQ(seen.present, kBatch) << "round " << round;
  }
}

}  // namespace
}  // namespace kvbm
