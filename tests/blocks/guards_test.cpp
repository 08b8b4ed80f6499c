#include <gtest/gtest.h>

#include <optional>
#include <type_traits>
#include <utility>

#include "kvbm/blocks/block_run.hpp"
#include "kvbm/blocks/complete_block.hpp"
#include "kvbm/blocks/immutable_block.hpp"
#include "kvbm/blocks/lifecycle_pin.hpp"
#include "kvbm/blocks/mutable_block.hpp"
#include "kvbm/blocks/sparse_run.hpp"
#include "kvbm/blocks/weak_block.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/managers.hpp"

// What all guards have in common. That a result must not be ignored, and misuse in general, is tested by compile_fail.
namespace kvbm {
namespace {

// ---- static properties ----

template <class T>
constexpr bool kMoves =
    std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_assignable_v<T>&& std::is_nothrow_destructible_v<T>;
template <class T>
constexpr bool kMovesOnly = kMoves<T> && !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
template <class T>
constexpr bool kCopies = kMoves<T>&& std::is_copy_constructible_v<T>&& std::is_copy_assignable_v<T>;

static_assert(kMovesOnly<MutableBlock<G1>>);
static_assert(kMovesOnly<CompleteBlock<G1>>);
static_assert(kMovesOnly<BlockRun<MutableBlock<G1>>>);
static_assert(kMovesOnly<BlockRun<CompleteBlock<G1>>>);
static_assert(kMovesOnly<BlockRun<ImmutableBlock<G1>>>);
static_assert(kMovesOnly<SparseRun<G1>>);
static_assert(kMovesOnly<BlockManager<G1>>);
static_assert(kCopies<ImmutableBlock<G1>>);
static_assert(kCopies<WeakBlock<G1>>);
static_assert(kCopies<LifecyclePin>);

template <class... T>
constexpr bool kNeverEmpty = (!std::is_default_constructible_v<T> && ...);

static_assert(kNeverEmpty<MutableBlock<G1>, CompleteBlock<G1>, ImmutableBlock<G1>, WeakBlock<G1>, LifecyclePin>);
static_assert(kNeverEmpty<BlockRun<MutableBlock<G1>>, BlockRun<CompleteBlock<G1>>, BlockRun<ImmutableBlock<G1>>>);
static_assert(kNeverEmpty<SparseRun<G1>, BlockManager<G1>>);

template <class A, class B>
constexpr bool kUnrelated = !std::is_constructible_v<A, B> && !std::is_constructible_v<B, A> &&
                            !std::is_assignable_v<A&, B> && !std::is_assignable_v<B&, A>;

static_assert(kUnrelated<MutableBlock<G1>, MutableBlock<G2>>);
static_assert(kUnrelated<CompleteBlock<G1>, CompleteBlock<G2>>);
static_assert(kUnrelated<ImmutableBlock<G1>, ImmutableBlock<G2>>);
static_assert(kUnrelated<WeakBlock<G1>, WeakBlock<G2>>);
static_assert(kUnrelated<BlockRun<MutableBlock<G1>>, BlockRun<MutableBlock<G2>>>);
static_assert(kUnrelated<BlockRun<ImmutableBlock<G1>>, BlockRun<ImmutableBlock<G2>>>);
static_assert(kUnrelated<BlockManager<G1>, BlockManager<G2>>);
static_assert(kUnrelated<MutableBlock<G1>, CompleteBlock<G1>>);
static_assert(kUnrelated<CompleteBlock<G1>, ImmutableBlock<G1>>);
static_assert(kUnrelated<ImmutableBlock<G1>, WeakBlock<G1>>);
static_assert(kUnrelated<ImmutableBlock<G1>, LifecyclePin>);

// A pointer and an id: cheap to hand about by the thousand.
static_assert(sizeof(MutableBlock<G1>) == 16);
static_assert(sizeof(CompleteBlock<G1>) == 16);
static_assert(sizeof(ImmutableBlock<G1>) == 16);

// ---- moved-from guards ----

TEST(MutableBlock, MovedFromOwnsNothing) {  // logical.md 18.3 case 49
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional block = test::allocated_block(manager);
  const BlockId id = block->id();

  std::optional moved = std::move(*block);
  block.reset();
  EXPECT_EQ(manager.metrics().inflight_mutable, 1);
  EXPECT_EQ(moved->id(), id);

  moved.reset();
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  manager.check_invariants();
}

TEST(MutableBlock, AssignmentReleasesWhatWasThere) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  MutableBlock<G1> kept = test::allocated_block(manager);
  MutableBlock<G1> given = test::allocated_block(manager);
  const BlockId id = given.id();

  kept = std::move(given);

  EXPECT_EQ(kept.id(), id);
  EXPECT_EQ(manager.metrics().inflight_mutable, 1);
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
  manager.check_invariants();
}

TEST(MutableBlock, StagedFromOwnsNothing) {  // logical.md 18.3 case 49
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional block = test::allocated_block(manager);
  const auto complete = std::move(*block).stage(test::hash(1), 4);

  block.reset();

  ASSERT_TRUE(complete.has_value());
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
  manager.check_invariants();
}

TEST(CompleteBlock, MovedFromOwnsNothing) {  // logical.md 18.3 case 49
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional block = test::stage(test::allocated_block(manager), test::hash(1));

  std::optional moved = std::move(*block);
  block.reset();
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);

  moved.reset();
  EXPECT_EQ(manager.metrics().reset_pool_size, 4);
  manager.check_invariants();
}

TEST(CompleteBlock, RegisteredFromOwnsNothing) {  // logical.md 18.3 case 49
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional block = test::stage(test::allocated_block(manager), test::hash(1));
  const auto registered = manager.register_block(std::move(*block));

  block.reset();

  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
  EXPECT_EQ(manager.metrics().inflight_immutable, 1);
  manager.check_invariants();
}

TEST(ImmutableBlock, MovedFromOwnsNothing) {  // logical.md 18.3 case 49
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional block = test::registered(manager, test::hash(1));

  std::optional moved = std::move(*block);
  block.reset();
  EXPECT_EQ(moved->use_count(), 1u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);

  moved.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  manager.check_invariants();
}

TEST(ImmutableBlock, ACopyIsOneMoreHolder) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional block = test::registered(manager, test::hash(1));
  std::optional copy = *block;
  EXPECT_EQ(copy->use_count(), 2u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 2);

  block.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);

  copy.reset();
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
}

TEST(ImmutableBlock, AssignmentReleasesWhatWasThere) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  ImmutableBlock<G1> kept = test::registered(manager, test::hash(1));
  ImmutableBlock<G1> given = test::registered(manager, test::hash(2));

  kept = given;
  EXPECT_EQ(kept.hash(), test::hash(2));
  EXPECT_EQ(kept.use_count(), 2u);
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);

  kept = std::move(given);
  EXPECT_EQ(kept.use_count(), 1u);
  manager.check_invariants();
}

// ---- guards that outlive the manager ----

TEST(MutableBlock, OutlivesTheManager) {  // logical.md 8.3
  std::optional manager = test::manager();
  MutableBlock<G1> block = test::allocated_block(*manager);
  manager.reset();

  auto complete = std::move(block).stage(test::hash(1), 4);

  ASSERT_TRUE(complete.has_value());
  EXPECT_EQ(complete->hash(), test::hash(1));
  EXPECT_EQ(std::move(*complete).reset().tokens_per_block(), 4u);
}

TEST(ImmutableBlock, OutlivesTheManager) {  // logical.md 8.3
  const BlockRegistry registry;
  std::optional manager = test::manager({.tokens_per_block = 4, .registry = registry});
  std::optional block = test::registered(*manager, test::hash(1));
  manager.reset();

  std::optional copy = *block;
  EXPECT_EQ(copy->use_count(), 2u);
  block.reset();
  EXPECT_TRUE(registry.is_registered(test::hash(1)));

  copy.reset();
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
}

TEST(LifecyclePin, OutlivesTheManager) {  // logical.md 8.3
  const BlockRegistry registry;
  std::optional manager = test::manager({.tokens_per_block = 4, .registry = registry});
  const ManagerId id = manager->id();
  std::optional pin = test::registered(*manager, test::hash(1)).pin();
  manager.reset();
  EXPECT_EQ(pin->manager_id(), id);
  EXPECT_EQ(pin->hash(), test::hash(1));
  EXPECT_EQ(pin->use_count(), 1u);
  EXPECT_TRUE(registry.is_registered(test::hash(1)));

  pin.reset();
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
}

TEST(WeakBlock, OutlivesTheManager) {  // logical.md 8.3
  std::optional manager = test::manager();
  std::optional block = test::registered(*manager, test::hash(1));
  const BlockId id = block->id();
  const WeakBlock<G1> weak = block->downgrade();
  manager.reset();
  EXPECT_EQ(weak.upgrade()->id(), id);  // while it is in use

  block.reset();
  const auto upgraded = weak.upgrade();  // while it is idle

  ASSERT_TRUE(upgraded.has_value());
  EXPECT_EQ(upgraded->id(), id);
  EXPECT_EQ(upgraded->hash(), test::hash(1));
}

}  // namespace
}  // namespace kvbm
