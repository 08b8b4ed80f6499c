// The store outlives the manager until the last guard, weak block and late drop is through, and not any longer. That it
// is not freed too early shows under AddressSanitizer as well.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "kvbm/manager/metrics.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::dropped_at;
using test::HeldThread;

/// A manager to destroy, and a way to see whether its store is still there: it is the last to hold the registry.
struct World {
  explicit World(ManagerOptions options = {.blocks = 4}) {
    manager.emplace(test::manager<G1>(std::move(options)));
    registry = manager->registry().state();
  }
  [[nodiscard]] bool store_lives() const { return !registry.expired(); }

  std::optional<BlockManager<G1>> manager;
  std::weak_ptr<RegistryState> registry;
};

template <class Object>
void drop(Object&& object) {
  const Object dropped(std::move(object));
}

TEST(Lifetime, StoreGoesWithAManagerThatNobodyOutlives) {
  World world;
  { const auto block = test::registered(*world.manager, test::hash(1)); }

  world.manager.reset();

  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, StoreWaitsForALastDropOnItsWay) {
  World world;
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, test::registered(*world.manager, test::hash(1)));

  world.manager.reset();

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, StoreWaitsForALateDropWhoseBlockOthersReleasedLongAgo) {
  World world;
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, test::registered(*world.manager, test::hash(1)));
  std::jthread([&] { ASSERT_TRUE(world.manager->match_block(test::hash(1))); }).join();  // rescues it and drops it
  EXPECT_EQ(world.manager->available_blocks(), 4u);

  world.manager.reset();

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, StoreWaitsForALateDropRescuedByARun) {
  World world;
  const SequenceHash hash = test::hash(1);
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, test::registered(*world.manager, hash));
  auto run = world.manager->match_blocks(std::span(&hash, 1));

  world.manager.reset();
  drop(std::move(run));

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, StoreWaitsForALateDropWhenAWeakBlockRescuesAfterTheManager) {
  World world;
  ImmutableBlock<G1> block = test::registered(*world.manager, test::hash(1));
  std::optional<WeakBlock<G1>> weak = block.downgrade();
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, std::move(block));
  world.manager.reset();

  std::jthread([&] {
    EXPECT_TRUE(weak->upgrade());
    weak.reset();
  }).join();

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, StoreWaitsForEveryLateDrop) {
  World world;
  HeldThread first = dropped_at(TestPoint::LastPinDropped, test::registered(*world.manager, test::hash(1)));
  HeldThread second = dropped_at(TestPoint::LastPinDropped, *world.manager->match_block(test::hash(1)));
  HeldThread third = dropped_at(TestPoint::LastPinDropped, *world.manager->match_block(test::hash(1)));

  world.manager.reset();

  second.let_through();  // releases the block
  EXPECT_TRUE(world.store_lives());
  first.let_through();
  EXPECT_TRUE(world.store_lives());
  third.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, StoreWaitsForADuplicateAndThenForItsPrimary) {
  World world;
  ImmutableBlock<G1> primary = test::registered(*world.manager, test::hash(1));
  HeldThread dropper = dropped_at(TestPoint::LastPinDropped, test::registered(*world.manager, test::hash(1)));

  world.manager.reset();
  drop(std::move(primary));

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

/// Registers a block that is reset when released, and has the registry keep a record of it.
ImmutableBlock<G1> recorded(const BlockManager<G1>& manager, const SequenceHash& hash) {
  ImmutableBlock<G1> block = test::registered(manager, hash);
  block.set_evict_on_reset(true);
  EXPECT_EQ(block.registration().hash(), hash);
  return block;
}

TEST(Lifetime, StoreWaitsForAReleaseThatTellsTheRegistry) {
  World world;
  HeldThread dropper = dropped_at(TestPoint::ReleaseUnlocked, recorded(*world.manager, test::hash(1)));
  EXPECT_EQ(world.manager->available_blocks(), 4u);

  world.manager.reset();

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, LastGuardLeavesTheStoreToAReleaseThatTellsTheRegistry) {
  World world;
  ImmutableBlock<G1> guard = test::registered(*world.manager, test::hash(2));
  HeldThread dropper = dropped_at(TestPoint::ReleaseUnlocked, recorded(*world.manager, test::hash(1)));
  world.manager.reset();

  drop(std::move(guard));

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, LastGuardTakesTheStoreAlongAfterAReleaseThatTellsTheRegistry) {
  World world;
  ImmutableBlock<G1> guard = test::registered(*world.manager, test::hash(2));
  HeldThread dropper = dropped_at(TestPoint::ReleaseUnlocked, recorded(*world.manager, test::hash(1)));
  world.manager.reset();

  dropper.let_through();

  EXPECT_TRUE(world.store_lives());
  drop(std::move(guard));
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, RunOfManyResetBlocksTellsTheRegistryInPartsAndEndsTheStore) {
  constexpr std::uint32_t kBlocks = 150;  // more than are told at once
  World world({.blocks = kBlocks, .reset_on_release = true});
  const std::vector<SequenceHash> hashes = test::roots(1, kBlocks);
  auto run = test::registered(*world.manager, hashes);
  for (std::uint32_t i = 0; i < kBlocks; ++i) EXPECT_EQ(run.block(i).registration().hash(), hashes[i]);
  HeldThread dropper = dropped_at(TestPoint::ReleaseUnlocked, std::move(run));

  world.manager.reset();

  EXPECT_TRUE(world.store_lives());
  dropper.let_through();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, WeakBlockUpgradesAfterTheManager) {
  World world;
  std::optional<ImmutableBlock<G1>> upgraded;
  {
    std::optional<WeakBlock<G1>> weak = test::registered(*world.manager, test::hash(1)).downgrade();
    HeldThread upgrader(TestPoint::WeakPinMissed, [&] {
      upgraded = weak->upgrade();
      weak.reset();
    });
    world.manager.reset();
    EXPECT_TRUE(world.store_lives());
    upgrader.let_through();
  }

  EXPECT_TRUE(upgraded);
  EXPECT_TRUE(world.store_lives());
  upgraded.reset();
  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, AttachmentThatHoldsGuardsOfTheSameStoreEndsIt) {
  World world;
  {
    ImmutableBlock<G1> block = recorded(*world.manager, test::hash(1));
    const ImmutableBlock<G1> other = test::registered(*world.manager, test::hash(2));
    ASSERT_TRUE(block.registration().attach_unique(other));
    ASSERT_TRUE(block.registration().attach_unique(std::make_shared<WeakBlock<G1>>(other.downgrade())));
    world.manager.reset();
    EXPECT_TRUE(world.store_lives());
  }  // the release of `block` drops them, while it tells the registry

  EXPECT_FALSE(world.store_lives());
}

TEST(Lifetime, GuardsOfEveryKindMayBeDroppedAllAtOnceAfterTheManager) {
  constexpr int kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    World world({.blocks = 16});
    const BlockManager<G1>& manager = *world.manager;
    const std::vector<SequenceHash> hashes = test::chain(1, 4);
    std::optional fresh(test::allocated(manager, 2));
    std::optional staged(test::staged(manager, std::span(hashes).first(2)));
    std::optional one(test::allocated_block(manager));
    std::optional run(test::registered(manager, hashes));
    std::optional sparse(manager.match_scattered(hashes));
    std::optional guard(run->block(0));
    std::optional duplicate(test::registered(manager, hashes[0]));
    std::optional pin(guard->pin());
    std::optional weak(run->block(3).downgrade());
    std::barrier start(6);
    {
      const auto at_once = [&](auto act) {
        return std::jthread([&start, act] {
          start.arrive_and_wait();
          act();
        });
      };
      const std::jthread threads[] = {
          at_once([&] { world.manager.reset(); }),
          at_once([&] {
            fresh.reset();
            one.reset();
            staged.reset();
          }),
          at_once([&] { run.reset(); }),
          at_once([&] {
            sparse.reset();
            pin.reset();
          }),
          at_once([&] {
            duplicate.reset();
            guard.reset();
          }),
          at_once([&] {
            EXPECT_TRUE(weak->upgrade());
            weak.reset();
          }),
      };
    }
    ASSERT_FALSE(world.store_lives());
  }
}

TEST(Lifetime, RegistryAndMetricsMayBeAskedWhileManagersComeAndGo) {
  constexpr int kRounds = 200;
  const BlockRegistry registry;
  MetricsAggregator metrics;
  const SequenceHash hash = test::hash(1);
  std::atomic<bool> done{false};
  std::jthread asker([&] {
    while (!done.load()) {
      static_cast<void>(registry.check_presence<G1>(std::span(&hash, 1)));
      static_cast<void>(registry.registered_count());
      static_cast<void>(registry.register_hash(test::hash(2)));
      static_cast<void>(metrics.collect());
    }
  });

  for (int round = 0; round < kRounds; ++round) {
    std::optional manager(test::manager<G1>({.blocks = 2, .registry = registry, .metrics = metrics}));
    ImmutableBlock<G1> block = test::registered(*manager, hash);
    EXPECT_TRUE(test::is_present(*manager, hash));
    if (round % 2 == 0) drop(std::move(block));
    manager.reset();
    drop(std::move(block));
    EXPECT_FALSE(registry.check_presence<G1>(std::span(&hash, 1)).front().second);
  }
  done.store(true);
}

}  // namespace
}  // namespace kvbm
