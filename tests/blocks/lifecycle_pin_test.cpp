#include "kvbm/blocks/lifecycle_pin.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/managers.hpp"
#include "tests/support/token_chains.hpp"

// Pins: logical.md 18.8, cases 105 to 108. LifecyclePin is both LifecyclePin and LifecyclePinRef of the reference.

namespace kvbm {
namespace {

static_assert(std::is_copy_constructible_v<LifecyclePin> && std::is_copy_assignable_v<LifecyclePin>);
static_assert(std::is_nothrow_move_constructible_v<LifecyclePin>);
static_assert(!std::is_default_constructible_v<LifecyclePin>);

void expect_same_block(const LifecyclePin& a, const LifecyclePin& b) {
  EXPECT_EQ(a.manager_id(), b.manager_id());
  EXPECT_EQ(a.id(), b.id());
  EXPECT_EQ(a.hash(), b.hash());
}

TEST(LifecyclePin, NamesItsManager) {  // logical.md 18.8 case 105
  const auto one = test::manager();
  const auto other = test::manager();
  const auto of_one = test::registered(one, test::hash(1));
  const auto of_other = test::registered(other, test::hash(1));

  EXPECT_EQ(of_one.pin().manager_id(), one.id());
  EXPECT_EQ(of_other.pin().manager_id(), other.id());
  EXPECT_FALSE(one.id() == other.id());
}

TEST(LifecyclePin, OfACopyAndCopyOfAPinNameTheSameBlock) {  // logical.md 18.8 case 105
  const auto manager = test::manager();
  const auto block = test::registered(manager, test::hash(1));
  const ImmutableBlock<G1> copied = block;
  const LifecyclePin pin = block.pin();

  const LifecyclePin of_copy = copied.pin();
  const LifecyclePin copy = pin;

  expect_same_block(pin, of_copy);
  expect_same_block(pin, copy);
  EXPECT_EQ(pin.id(), block.id());
  EXPECT_EQ(pin.hash(), test::hash(1));
}

TEST(LifecyclePin, KeepsTheBlockFromAllocation) {  // logical.md 18.8 case 106
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, test::hash(1)));
  std::optional<LifecyclePin> pin(block->pin());

  block.reset();
  EXPECT_EQ(manager.available_blocks(), 3u);
  EXPECT_FALSE(manager.allocate(4));

  pin.reset();
  EXPECT_EQ(manager.available_blocks(), 4u);
}

TEST(LifecyclePin, LeavesTheBlockMatchable) {  // logical.md 18.8 case 106
  const auto manager = test::manager();
  const LifecyclePin pin = test::registered(manager, test::hash(1)).pin();

  const auto match = manager.match_block(test::hash(1));

  ASSERT_TRUE(match);
  EXPECT_EQ(match->id(), pin.id());
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
}

TEST(LifecyclePin, CopiedIsOneMoreHolder) {  // logical.md 18.8 case 107
  const auto manager = test::manager();
  const auto block = test::registered(manager, test::hash(1));
  const LifecyclePin pin = block.pin();
  EXPECT_EQ(pin.use_count(), 2u);

  const LifecyclePin copy = pin;

  EXPECT_EQ(pin.use_count(), 3u);
  EXPECT_EQ(block.use_count(), 3u);
}

TEST(LifecyclePin, IsNoImmutableBlockInFlight) {  // logical.md 18.8 case 107
  const auto manager = test::manager();
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, test::hash(1)));
  const LifecyclePin pin = block->pin();
  const LifecyclePin copy = pin;
  EXPECT_EQ(manager.metrics().inflight_immutable, 1);

  block.reset();

  EXPECT_EQ(manager.metrics().inflight_immutable, 0);
}

TEST(LifecyclePin, TellsEqualHashesOfTwoManagersApart) {  // logical.md 18.8 case 108
  const auto one = test::manager<G1>();
  const auto other = test::manager<G2>();
  const SequenceHash hash = test::counting_block(100).hash();
  const SequenceHash same = test::counting_block(100).hash();

  const LifecyclePin of_one = test::registered(one, hash).pin();
  const LifecyclePin of_other = test::registered(other, same).pin();

  EXPECT_EQ(of_one.hash(), of_other.hash());
  EXPECT_FALSE(of_one.manager_id() == of_other.manager_id());
}

TEST(LifecyclePin, OfADuplicateKeepsThePrimaryToo) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4});
  std::optional<ImmutableBlock<G1>> primary(test::registered(manager, test::hash(1)));
  std::optional<LifecyclePin> pin(test::registered(manager, test::hash(1)).pin());
  primary.reset();

  EXPECT_EQ(manager.available_blocks(), 2u);
  pin.reset();
  EXPECT_EQ(manager.available_blocks(), 4u);
}

TEST(LifecyclePin, MovedFromHoldsNothing) {
  const auto manager = test::manager();
  const auto block = test::registered(manager, test::hash(1));
  LifecyclePin pin = block.pin();

  LifecyclePin taken(std::move(pin));
  EXPECT_EQ(block.use_count(), 2u);
  pin = std::move(taken);  // NOLINT(bugprone-use-after-move): that is the claim

  EXPECT_EQ(block.use_count(), 2u);
  EXPECT_EQ(manager.metrics().inflight_immutable, 1);
}

TEST(LifecyclePin, AssignedLetsGoOfItsOldBlock) {
  const auto manager = test::manager();
  const auto kept = test::registered(manager, test::hash(1));
  LifecyclePin pin = test::registered(manager, test::hash(2)).pin();
  ASSERT_EQ(manager.metrics().inactive_pool_size, 0);

  pin = kept.pin();

  EXPECT_EQ(pin.hash(), test::hash(1));
  EXPECT_EQ(manager.metrics().inactive_pool_size, 1);
  EXPECT_EQ(manager.metrics().inflight_immutable, 1);
}

}  // namespace
}  // namespace kvbm
