#include "src/host/pools/backends/lineage_backend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "tests/support/backend_bench.hpp"
#include "tests/support/managers.hpp"

// logical.md 18.17. A "ghost" of the specification is either a block in use that stands in for itself, or a placeholder
// for one that is in no slot; together they must be just as many.

namespace kvbm {
namespace {

using test::hash;
using Ids = std::vector<BlockId>;
using Hashes = std::vector<SequenceHash>;

template <class Leaves>
class Lineage : public test::BackendBench {
 public:
  explicit Lineage(std::uint32_t capacity = 64) : BackendBench(capacity, std::make_unique<LineageBackend<Leaves>>()) {}

  [[nodiscard]] std::size_t placeholders() { return static_cast<LineageBackend<Leaves>&>(backend()).placeholders(); }
  [[nodiscard]] std::size_t ghosts() { return stand_ins() + placeholders(); }
  [[nodiscard]] bool graph_empty() { return untouched() && placeholders() == 0; }
};
using Tick = Lineage<TickOrder>;
using Fifo = Lineage<FifoOrder>;

/// Both orders.
template <class Leaves>
class LineageBoth : public testing::Test {
 protected:
  Lineage<Leaves> bench_;
};
using Orders = testing::Types<TickOrder, FifoOrder>;
TYPED_TEST_SUITE(LineageBoth, Orders);

const Hashes kA = test::chain(1, 8), kB = test::chain(2, 8);

TYPED_TEST(LineageBoth, OneLeafComesAndGoes) {  // case 196
  this->bench_.insert(kA[0], 0);
  EXPECT_EQ(this->bench_.leaves(), 1u);

  EXPECT_EQ(this->bench_.evict(1), Ids{0});
  EXPECT_TRUE(this->bench_.graph_empty());
}

TYPED_TEST(LineageBoth, AChildGoesBeforeItsParent) {  // case 197
  this->bench_.insert(kA[0], 0);
  this->bench_.insert(kA[1], 1);

  EXPECT_EQ(this->bench_.leaves(), 1u);
  EXPECT_EQ(this->bench_.evict_all(), (Ids{1, 0}));
}

TYPED_TEST(LineageBoth, AParentThatComesLaterTakesItsPlace) {  // case 198
  this->bench_.insert(kA[1], 1);
  EXPECT_EQ(this->bench_.ghosts(), 1u);
  this->bench_.insert(kA[0], 0);

  EXPECT_EQ(this->bench_.ghosts(), 0u);
  EXPECT_EQ(this->bench_.leaves(), 1u);
  EXPECT_EQ(this->bench_.evict_all(), (Ids{1, 0}));
}

TYPED_TEST(LineageBoth, EachChainHasOneLeaf) {  // case 199
  this->bench_.insert(std::span(kA).first(3), 0);
  this->bench_.insert(std::span(kB).first(3), 10);
  EXPECT_EQ(this->bench_.leaves(), 2u);

  EXPECT_EQ(this->bench_.evict(1), Ids{2});

  EXPECT_EQ(this->bench_.size(), 5u);
  EXPECT_EQ(this->bench_.leaves(), 2u);
}

TEST(LineageBackend, TheOrdersDifferOnInterleavedChains) {  // case 200
  const auto evicted = [](auto&& bench) {
    for (BlockId i = 0; i < 2; ++i) bench.insert(kA[i], i);
    for (BlockId i = 0; i < 2; ++i) bench.insert(kB[i], 10 + i);
    return bench.evict_all();
  };

  EXPECT_EQ(evicted(Tick()), (Ids{1, 0, 11, 10}));
  EXPECT_EQ(evicted(Fifo()), (Ids{1, 11, 0, 10}));
}

TEST(LineageBackend, TheRecordedOrders) {  // logical.md 13.5
  const auto evicted = [](auto&& bench, bool leaf_first) {
    const auto insert = [&](const Hashes& chain, BlockId first, BlockId length) {
      for (BlockId i = 0; i < length; ++i) {
        const BlockId place = leaf_first ? length - 1 - i : i;
        bench.insert(chain[place], first + place);
      }
    };
    insert(kA, 0, 4);
    insert(kB, 10, 3);
    return bench.evict_all();
  };

  for (const bool leaf_first : {false, true}) {
    EXPECT_EQ(evicted(Tick(), leaf_first), (Ids{3, 2, 1, 0, 12, 11, 10})) << leaf_first;
    EXPECT_EQ(evicted(Fifo(), leaf_first), (Ids{3, 12, 2, 11, 1, 10, 0})) << leaf_first;
  }
}

TYPED_TEST(LineageBoth, ABlockTakenByItsHashLeavesNothing) {  // case 201
  this->bench_.insert(kA[0], 0);

  ASSERT_TRUE(this->bench_.find(kA[0]).has_value());

  EXPECT_EQ(this->bench_.size(), 0u);
  EXPECT_TRUE(this->bench_.graph_empty());
}

TEST(LineageBackend, ALongChainLosesItsLeaf) {  // case 202
  const auto chain = test::chain(7, 1000);
  Tick bench(1000);
  bench.insert(chain, 0);

  ASSERT_TRUE(bench.take(chain[999], 999));

  EXPECT_EQ(bench.size(), 999u);
  EXPECT_EQ(bench.leaves(), 1u);
}

/// The last leaf takes all ghosts above it along, whether they stand in their own slots or were reset.
TEST(LineageBackend, TheLastLeafTakesAThousandGhostsAlong) {  // case 202
  for (const bool reset : {false, true}) {
    const auto chain = test::chain(7, 1000);
    Tick bench(1000);
    bench.insert(chain, 0);
    for (BlockId id = 0; id < 999; ++id) ASSERT_TRUE(bench.take(chain[id], id));
    for (BlockId id = 0; reset && id < 999; ++id) bench.reset(id);
    EXPECT_EQ(bench.size(), 1u);
    EXPECT_EQ(bench.ghosts(), 999u);
    EXPECT_EQ(bench.placeholders(), reset ? 999u : 0u);

    ASSERT_TRUE(bench.take(chain[999], 999));

    EXPECT_TRUE(bench.graph_empty());
  }
}

TYPED_TEST(LineageBoth, TwoChainsKeepTwoLeaves) {  // case 203
  this->bench_.insert(std::span(kA).first(5), 0);
  this->bench_.insert(std::span(kB).first(5), 10);

  for (const auto& [count, left] : std::vector<std::pair<std::size_t, std::size_t>>{{1, 9}, {1, 8}, {2, 6}}) {
    EXPECT_EQ(this->bench_.evict(count).size(), count);
    EXPECT_EQ(this->bench_.size(), left);
    EXPECT_EQ(this->bench_.leaves(), 2u);
  }
}

TYPED_TEST(LineageBoth, AnImpostorIsNotFound) {  // case 204
  const SequenceHash real(77, 1, 5), impostor(77, 2, 5);
  this->bench_.insert(real, 3);

  EXPECT_FALSE(this->bench_.has(impostor));
  EXPECT_TRUE(this->bench_.find(Hashes{impostor}).empty());
  EXPECT_TRUE(this->bench_.scan(Hashes{impostor}).empty());
  EXPECT_FALSE(this->bench_.take(impostor, 3));

  EXPECT_EQ(this->bench_.size(), 1u);
  EXPECT_TRUE(this->bench_.take(real, 3));
  EXPECT_TRUE(this->bench_.graph_empty());
}

/// Placeholders are bounded, so running through many times that number shows that their places are used again.
TYPED_TEST(LineageBoth, PlacesOfPlaceholdersAreReused) {  // case 205
  for (std::uint64_t round = 0; round < 4000; ++round) {
    for (BlockId id = 0; id < 8; ++id) this->bench_.insert(SequenceHash(1 + id, round * 8 + id, 3), id);
    ASSERT_EQ(this->bench_.placeholders(), 8u);
    ASSERT_EQ(this->bench_.evict(8).size(), 8u);
  }
  EXPECT_TRUE(this->bench_.graph_empty());
}

TEST(LineageBackend, FifoAppendsAParentThatBecomesALeafAgain) {  // case 206
  Fifo bench;
  for (BlockId i = 0; i < 2; ++i) bench.insert(kA[i], i);
  for (BlockId i = 0; i < 2; ++i) bench.insert(kB[i], 10 + i);

  ASSERT_TRUE(bench.take(kA[1], 1));

  EXPECT_EQ(bench.evict_all(), (Ids{11, 0, 10}));
}

/// A leaf order on its own, over slots that are never registered.
template <class Leaves>
class Order {
 public:
  Order() { leaves_.reserve(slots_); }
  void add(BlockId block) { leaves_.add(slots_, block); }
  void add_anew(BlockId block) {
    leaves_.became_idle(slots_.links(block));
    add(block);
  }
  void remove(BlockId block) { leaves_.remove(slots_, block); }
  Ids drain() {
    Ids order;
    while (!leaves_.empty()) order.push_back(leaves_.take_front(slots_));
    return order;
  }
  void replace_by_anew(BlockId leaf, BlockId block) {
    leaves_.became_idle(slots_.links(block));
    leaves_.replace(slots_, leaf, block);
  }
  [[nodiscard]] std::uint64_t tick(BlockId block) const { return slots_.links(block).tick(); }
  [[nodiscard]] BlockId take_front() { return leaves_.take_front(slots_); }

 private:
  SlotTable table_{16};
  SlotView slots_{table_.slots(), 16, table_};
  Leaves leaves_;
};

TEST(FifoOrder, WhatIsAddedAgainGoesLast) {  // case 207
  Order<FifoOrder> order;
  for (BlockId id = 0; id < 4; ++id) order.add_anew(id);
  order.remove(2);
  order.remove(0);
  order.add(0);

  EXPECT_EQ(order.drain(), (Ids{1, 3, 0}));
}

TEST(TickOrder, ADemotedLeafReturnsToItsPlace) {  // case 208
  Order<TickOrder> order;
  for (BlockId id = 0; id < 4; ++id) order.add_anew(id);
  order.remove(0);
  order.add(0);
  EXPECT_EQ(order.drain(), (Ids{0, 1, 2, 3}));
}

TEST(TickOrder, ABlockThatIsIdleAnewGoesLast) {  // case 208
  Order<TickOrder> order;
  for (BlockId id = 0; id < 4; ++id) order.add_anew(id);
  order.remove(0);
  order.add_anew(0);
  EXPECT_EQ(order.drain(), (Ids{1, 2, 3, 0}));
}

TEST(TickOrder, ALeafReplacedByAYoungerOneGivesItsPlaceUp) {
  for (BlockId leaf = 0; leaf < 4; ++leaf) {
    Order<TickOrder> order;
    for (BlockId id = 0; id < 4; ++id) order.add_anew(id);
    order.replace_by_anew(leaf, 4);

    Ids expected{0, 1, 2, 3, 4};
    std::erase(expected, leaf);
    EXPECT_EQ(order.drain(), expected) << leaf;
  }
}

/// All that can happen to leaves, at random, against a set of ticks.
TEST(TickOrder, GivesTheOldestLeafWhateverCameAndWent) {
  constexpr BlockId kBlocks = 16;
  std::mt19937 random(5);
  Order<TickOrder> order;
  std::set<std::pair<std::uint64_t, BlockId>> leaves;
  std::vector<bool> is_leaf(kBlocks, false);
  const auto leave = [&](BlockId id) { is_leaf[id] = leaves.erase({order.tick(id), id}) == 0; };
  const auto enter = [&](BlockId id) { is_leaf[id] = leaves.emplace(order.tick(id), id).second; };
  for (int step = 0; step < 20'000; ++step) {
    const BlockId id = random() % kBlocks, other = random() % kBlocks;
    if (!leaves.empty() && random() % 4 == 0) {
      const BlockId front = leaves.begin()->second;
      ASSERT_EQ(order.take_front(), front) << step;
      leave(front);
    } else if (is_leaf[id] && !is_leaf[other]) {
      leave(id);
      order.replace_by_anew(id, other);
      enter(other);
    } else if (is_leaf[id]) {
      leave(id);
      order.remove(id);
    } else if (order.tick(id) != 0 && random() % 2 == 0) {
      order.add(id);
      enter(id);
    } else {
      order.add_anew(id);
      enter(id);
    }
  }
  for (const BlockId id : order.drain()) {
    ASSERT_EQ(id, leaves.begin()->second);
    leaves.erase(leaves.begin());
  }
  EXPECT_TRUE(leaves.empty());
}

TEST(TickOrder, CountsBeyond32Bits) {
  OrderLinks links;
  links.set_tick(0x1'2345'6789u);
  EXPECT_EQ(links.tick(), 0x1'2345'6789u);
}

TYPED_TEST(LineageBoth, AMiddleBlockInUseProtectsItsAncestors) {  // case 209, logical.md 13.5
  this->bench_.insert(std::span(kA).first(3), 0);
  this->bench_.insert(kB[0], 10);

  ASSERT_TRUE(this->bench_.take(kA[1], 1));
  EXPECT_EQ(this->bench_.ghosts(), 1u);
  EXPECT_EQ(this->bench_.leaves(), 2u);
  EXPECT_EQ(this->bench_.evict(1), Ids{2});
  EXPECT_EQ(this->bench_.ghosts(), 0u);  // gone with its last descendant
  EXPECT_EQ(this->bench_.leaves(), 2u);  // A0 and B0
}

TEST(LineageBackend, AnUncoveredAncestorTakesItsOldTick) {  // case 209
  Tick bench;
  bench.insert(std::span(kA).first(3), 0);
  bench.insert(kB[0], 10);
  ASSERT_TRUE(bench.take(kA[1], 1));

  EXPECT_EQ(bench.evict(2), (Ids{2, 0}));
  EXPECT_EQ(bench.evict_all(), Ids{10});
}

TEST(LineageBackend, AMiddleBlockReleasedAgainHasANewTick) {  // case 210
  Tick bench;
  bench.insert(std::span(kA).first(3), 0);
  bench.insert(kB[0], 10);
  ASSERT_TRUE(bench.take(kA[1], 1));
  bench.insert(kA[1], 1);

  EXPECT_EQ(bench.evict_all(), (Ids{2, 10, 1, 0}));
}

TYPED_TEST(LineageBoth, AChildInUseDoesNotProtectItsParent) {  // case 211
  this->bench_.insert(kA[0], 0);
  this->bench_.insert(kA[1], 1);

  ASSERT_TRUE(this->bench_.take(kA[1], 1));
  EXPECT_EQ(this->bench_.ghosts(), 0u);
  EXPECT_EQ(this->bench_.evict(1), Ids{0});

  this->bench_.insert(kA[1], 1);  // its parent is gone
  EXPECT_EQ(this->bench_.placeholders(), 1u);
  EXPECT_EQ(this->bench_.evict_all(), Ids{1});
  EXPECT_TRUE(this->bench_.graph_empty());
}

TYPED_TEST(LineageBoth, EdgesAcrossAChangeOfModeAreSeen) {  // case 212
  for (const std::uint64_t position : {254u, 255u, 256u, 65'534u, 65'535u, 65'536u}) {
    const SequenceHash parent(0xFFFF'0000'FFFF'1234u + position, 5, position);
    const SequenceHash child = parent.extend(8);
    this->bench_.insert(parent, 0);
    const std::size_t above = this->bench_.placeholders();
    EXPECT_EQ(above, 1u);  // what stands above `parent`

    this->bench_.insert(child, 1);
    EXPECT_EQ(this->bench_.placeholders(), above) << position;
    EXPECT_EQ(this->bench_.leaves(), 1u);
    EXPECT_EQ(this->bench_.evict_all(), (Ids{1, 0}));

    this->bench_.insert(child, 1);  // and with a placeholder between them
    this->bench_.insert(parent, 0);
    EXPECT_EQ(this->bench_.placeholders(), above) << position;
    EXPECT_EQ(this->bench_.evict_all(), (Ids{1, 0}));
    EXPECT_TRUE(this->bench_.graph_empty());
  }
}

/// The order never sees a hash twice: the store makes the second block a duplicate, which is reset when it is dropped.
/// A slot inserted twice is caught, see BackendContractDeathTest.
TEST(LineageEviction, ASecondBlockOfOneHashStaysOutOfTheOrder) {  // case 213
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  {
    const auto first = test::registered(manager, hash(1));
    const auto second = test::registered(manager, hash(1));
    EXPECT_NE(first.id(), second.id());
  }
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
  manager.check_invariants();
}

/// How long it takes is measured by the benchmarks.
TYPED_TEST(LineageBoth, AWideFanOutIsGivenUpInOrder) {  // case 214
  constexpr BlockId kChildren = 10'000;
  Lineage<TypeParam> bench(kChildren + 1);
  const SequenceHash parent = hash(1);
  bench.insert(parent, kChildren);
  for (BlockId id = 0; id < kChildren; ++id) bench.insert(parent.extend(id), id);
  EXPECT_EQ(bench.leaves(), kChildren);

  Ids expected(kChildren + 1);
  std::iota(expected.begin(), expected.end(), 0u);
  EXPECT_EQ(bench.evict_all(), expected);
  EXPECT_TRUE(bench.graph_empty());
}

TYPED_TEST(LineageBoth, AWideFanOutBelowAPlaceholderIsGivenUpInOrder) {
  constexpr BlockId kChildren = 10'000;
  Lineage<TypeParam> bench(kChildren);
  for (BlockId id = 0; id < kChildren; ++id) bench.insert(hash(1).extend(id), id);
  EXPECT_EQ(bench.placeholders(), 1u);

  Ids expected(kChildren);
  std::iota(expected.begin(), expected.end(), 0u);
  EXPECT_EQ(bench.evict_all(), expected);
  EXPECT_TRUE(bench.graph_empty());
}

// Blocks that leave without having been idle, or come back elsewhere.

TYPED_TEST(LineageBoth, ABlockResetAboveIdleOnesKeepsProtectingItsAncestors) {
  this->bench_.insert(std::span(kA).first(3), 0);
  ASSERT_TRUE(this->bench_.take(kA[1], 1));

  this->bench_.reset(1);
  EXPECT_EQ(this->bench_.placeholders(), 1u);
  EXPECT_EQ(this->bench_.leaves(), 1u);

  EXPECT_EQ(this->bench_.evict_all(), (Ids{2, 0}));
  EXPECT_TRUE(this->bench_.graph_empty());
}

TYPED_TEST(LineageBoth, ABlockThatReturnsInAnotherSlotFindsItsChildren) {
  this->bench_.insert(std::span(kA).first(3), 0);
  ASSERT_TRUE(this->bench_.take(kA[1], 1));
  this->bench_.reset(1);

  this->bench_.insert(kA[1], 20);
  EXPECT_EQ(this->bench_.ghosts(), 0u);
  EXPECT_EQ(this->bench_.leaves(), 1u);

  EXPECT_EQ(this->bench_.evict_all(), (Ids{2, 20, 0}));
  EXPECT_TRUE(this->bench_.graph_empty());
}

TYPED_TEST(LineageBoth, AResetSlotMayServeAnotherBlockAtOnce) {
  this->bench_.insert(std::span(kA).first(3), 0);
  ASSERT_TRUE(this->bench_.take(kA[1], 1));
  this->bench_.reset(1);
  this->bench_.insert(kB[0], 1);  // the slot in which A2 last saw its parent

  EXPECT_EQ(this->bench_.leaves(), 2u);
  EXPECT_EQ(this->bench_.evict(1), Ids{2});
  EXPECT_EQ(this->bench_.leaves(), 2u);  // A0 is uncovered, B0 is none of A2's business
}

TYPED_TEST(LineageBoth, AParentRegisteredButInUseIsCountedInItsPlaceholder) {
  this->bench_.insert(kA[1], 1);  // below a placeholder
  this->bench_.hold(kA[0], 0);
  this->bench_.insert(kA[0].extend(99), 2);
  EXPECT_EQ(this->bench_.ghosts(), 1u);

  this->bench_.release(Ids{0});
  EXPECT_EQ(this->bench_.ghosts(), 0u);
  EXPECT_EQ(this->bench_.evict_all(), (Ids{1, 2, 0}));
  EXPECT_TRUE(this->bench_.graph_empty());
}

/// What another hash left behind under the same key is taken over by the next one, and must not keep the old parent.
TYPED_TEST(LineageBoth, AStrangerThatTakesOverAPlaceholderLeavesNothingBehind) {
  const SequenceHash real_parent(1, 9, 4), other_parent(2, 9, 4);
  const SequenceHash real(77, 1, 5), stranger(77, 2, 5);
  this->bench_.insert(real_parent, 0);
  this->bench_.insert(real, 1);
  this->bench_.insert(real.extend(3), 2);
  ASSERT_TRUE(this->bench_.take(real, 1));
  this->bench_.reset(1);

  this->bench_.insert(other_parent, 3);
  this->bench_.insert(stranger, 4);

  EXPECT_EQ(this->bench_.evict_all().size(), 4u);
  EXPECT_EQ(this->bench_.size(), 0u);
  EXPECT_TRUE(this->bench_.graph_empty());
}

/// Each of many chains keeps an idle leaf while all above it is reset: more placeholders are wanted than there are.
TYPED_TEST(LineageBoth, WithoutRoomForPlaceholdersBlocksAreStillGivenUp) {
  constexpr BlockId kBlocks = 200, kLength = 100;
  Lineage<TypeParam> bench(kBlocks);
  for (BlockId chain = 0; chain < kBlocks - kLength; ++chain) {
    const auto hashes = test::chain(chain, kLength);
    const BlockId leaf = kLength + chain;
    bench.insert(std::span(hashes).first(kLength - 1), 0);
    bench.insert(hashes[kLength - 1], leaf);
    for (BlockId id = 0; id < kLength - 1; ++id) ASSERT_TRUE(bench.take(hashes[id], id));
    for (BlockId id = 0; id < kLength - 1; ++id) bench.reset(id);
  }
  EXPECT_LE(bench.placeholders(), kBlocks + 4096u);
  EXPECT_GT(bench.placeholders(), kBlocks + 4000u);

  // The ancestors of one of those that found no room come back, and others hang themselves below them.
  const auto last = test::chain(kBlocks - kLength - 1, kLength);
  bench.insert(std::span(last).first(50), 0);
  for (BlockId id = 50; id < 99; ++id) bench.insert(last[49].extend(id), id);

  std::set<BlockId> seen;
  for (const BlockId id : bench.evict_all()) seen.insert(id);
  EXPECT_EQ(seen.size(), 100u + 99u);
  EXPECT_EQ(bench.size(), 0u);
  EXPECT_TRUE(bench.graph_empty());
}

// Through a manager.

TEST(LineageEviction, ABlockWhoseKeyAnotherHasIsNotKept) {  // case 204
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  const SequenceHash real(77, 1, 5), impostor(77, 2, 5);
  { const auto block = test::registered(manager, real); }
  EXPECT_FALSE(manager.match_block(impostor).has_value());
  EXPECT_TRUE(manager.scan_matches(Hashes{impostor}, false).empty());

  {
    const auto block = test::registered(manager, impostor);
    EXPECT_EQ(manager.match_block(impostor)->id(), block.id());  // found as long as it is held
  }

  EXPECT_FALSE(manager.match_block(impostor).has_value());
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
  EXPECT_TRUE(manager.match_block(real).has_value());
  manager.check_invariants();
}

TEST(LineageEviction, TheKeyIsFreeAgainOnceItsBlockIsGone) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  const SequenceHash real(77, 1, 5), impostor(77, 2, 5);
  {
    const auto held = test::registered(manager, impostor);
    { const auto late = test::registered(manager, real); }  // held or idle, whoever comes second is not kept
    EXPECT_FALSE(manager.match_block(real).has_value());
  }
  ASSERT_EQ(manager.reset_inactive_pool().drained, 1u);

  { const auto block = test::registered(manager, real); }
  EXPECT_TRUE(manager.match_block(real).has_value());
}

TEST(LineageEviction, ChildrenOfAnImpostorHangOnWhoHasTheKey) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  const SequenceHash real(77, 1, 5), impostor(77, 2, 5);
  { const auto block = test::registered(manager, real); }
  {
    const auto run = test::registered(manager, Hashes{impostor, impostor.extend(9)});
    EXPECT_EQ(run.size(), 2u);
  }
  manager.check_invariants();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 2);

  EXPECT_EQ(manager.allocate_with_evictions(4)->evicted, (Hashes{impostor.extend(9), real}));
}

TEST(LruEviction, KnowsNoImpostors) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4, .eviction = LruEviction{}});
  { const auto block = test::registered(manager, SequenceHash(77, 1, 5)); }
  { const auto block = test::registered(manager, SequenceHash(77, 2, 5)); }

  EXPECT_EQ(manager.metrics().inactive_pool_size, 2);
}

/// What a run's order suggests as a parent is checked: here it is wrong for every block but one.
TEST(LineageEviction, ARunNeedNotBeAChain) {
  const auto manager = test::manager({.blocks = 5, .tokens_per_block = 4});
  const auto a = test::chain(1, 3), b = test::chain(2, 2);
  { const auto run = test::registered(manager, Hashes{b[1], a[0], b[0], a[2], a[1]}); }

  // released last first: a1, a2, b0, a0, b1; so a1 has the oldest tick, but a2 covers it
  EXPECT_EQ(manager.allocate_with_evictions(5)->evicted, (Hashes{a[2], a[1], a[0], b[1], b[0]}));
}

TEST(LineageEviction, ABlockResetBetweenIdleOnesUncoversNobody) {
  const auto manager = test::manager({.blocks = 3, .tokens_per_block = 4});
  const auto chain = test::chain(1, 3);
  auto blocks = test::registered(manager, chain).into_blocks();
  while (!blocks.empty()) blocks.erase(blocks.begin());  // the head becomes idle first
  manager.match_block(chain[1])->set_evict_on_reset(true);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 2);
  manager.check_invariants();

  EXPECT_EQ(manager.allocate_with_evictions(3)->evicted, (Hashes{chain[2], chain[0]}));
}

}  // namespace
}  // namespace kvbm
