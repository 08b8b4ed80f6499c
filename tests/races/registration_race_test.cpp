// Registrations against registrations, evictions and releases of the same hash, in one store and in two that share a
// registry (logical.md 7.3 to 7.7).
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <latch>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/blocks.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::dropped_at;
using test::HeldThread;

TEST(RegistrationRace, PresenceFollowsTheSlotWhenAHashTakesAnothersPlace) {  // logical.md 18.10 case 120
  const auto manager = test::manager<G1>({.blocks = 1});
  for (std::uint64_t round = 0; round < 100; ++round) {
    const SequenceHash a = test::hash(2 * round);
    const SequenceHash b = test::hash(2 * round + 1);
    { const auto block = test::registered(manager, a); }

    const auto block = test::registered(manager, b);

    ASSERT_FALSE(test::is_present(manager, a));
    ASSERT_TRUE(test::is_present(manager, b));
  }
}

TEST(RegistrationRace, PresenceCountsBothCopiesOfAHash) {  // logical.md 18.10 case 121
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  std::optional<ImmutableBlock<G1>> primary = test::registered(manager, hash);
  { const auto duplicate = test::registered(manager, hash); }

  EXPECT_TRUE(test::is_present(manager, hash));
  primary.reset();
  EXPECT_TRUE(test::is_present(manager, hash));
}

/// Two threads register the same hashes, round by round. Calls check(a, b) with both results of a round.
template <class Check>
void register_twice_at_once(const BlockManager<G1>& manager, int rounds, Check check) {
  std::optional<ImmutableBlock<G1>> results[2];
  std::barrier sync(2);
  const auto run = [&](int which) {
    for (int round = 0; round < rounds; ++round) {
      auto staged = test::stage(test::allocated_block(manager), test::hash(static_cast<std::uint64_t>(round)));
      sync.arrive_and_wait();
      results[which] = manager.register_block(std::move(staged));
      sync.arrive_and_wait();
      if (which == 0) check(*results[0], *results[1]);
      sync.arrive_and_wait();
      results[which].reset();
      sync.arrive_and_wait();
    }
  };
  std::jthread other([&] { run(1); });
  run(0);
}

TEST(RegistrationRace, OfTwoRegistrationsOneBecomesADuplicate) {  // logical.md 7.3, 18.10 case 127 (Allow)
  constexpr int kRounds = 1000;
  const auto manager = test::manager<G1>({.blocks = 4});

  register_twice_at_once(manager, kRounds, [&](const ImmutableBlock<G1>& a, const ImmutableBlock<G1>& b) {
    const BlockId primary = manager.match_block(a.hash())->id();
    EXPECT_NE(a.id(), b.id());
    EXPECT_TRUE(primary == a.id() || primary == b.id());
    EXPECT_EQ(a.use_count() + b.use_count(), 3u);  // the duplicate holds its primary
  });

  EXPECT_EQ(manager.metrics().duplicate_blocks, std::uint64_t{kRounds});
  EXPECT_EQ(manager.available_blocks(), 4u);
  manager.check_invariants();
}

TEST(RegistrationRace, OfTwoRegistrationsOneIsGivenBack) {  // logical.md 7.3, 18.10 case 127 (Reject)
  constexpr int kRounds = 1000;
  const auto manager = test::manager<G1>({.blocks = 4, .duplication = DuplicationPolicy::Reject});

  register_twice_at_once(manager, kRounds, [&](const ImmutableBlock<G1>& a, const ImmutableBlock<G1>& b) {
    EXPECT_EQ(a.id(), b.id());
    EXPECT_EQ(a.use_count(), 2u);
    EXPECT_EQ(manager.available_blocks(), 3u);
  });

  EXPECT_EQ(manager.metrics().registration_dedup, std::uint64_t{kRounds});
  EXPECT_EQ(manager.available_blocks(), 4u);
  manager.check_invariants();
}

TEST(RegistrationRace, PresenceIsTheTruthAfterRegisterAgainstEvict) {  // logical.md 7.4, 18.10 case 128
  constexpr int kRounds = 500;
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  std::barrier sync(2);
  std::optional<MutableBlock<G1>> evicted;
  std::jthread evictor([&] {
    for (int round = 0; round < kRounds; ++round) {
      sync.arrive_and_wait();
      evicted = manager.allocate_block();
      sync.arrive_and_wait();
      sync.arrive_and_wait();
    }
  });
  int evictions = 0;
  for (int round = 0; round < kRounds; ++round) {
    const WeakBlock<G1> weak = test::registered(manager, hash).downgrade();  // the registry keeps a record from here on
    auto staged = test::stage(test::allocated_block(manager), hash);
    sync.arrive_and_wait();
    std::optional<ImmutableBlock<G1>> block = manager.register_block(std::move(staged));
    sync.arrive_and_wait();
    evictions += evicted ? 1 : 0;
    EXPECT_EQ(block->use_count(), 1u);  // a fresh primary, or the duplicate of the one that could not be evicted
    EXPECT_EQ(manager.available_blocks(), 0u);
    EXPECT_TRUE(test::is_present(manager, hash));
    EXPECT_TRUE(weak.upgrade());
    block.reset();
    evicted.reset();
    EXPECT_EQ(test::is_present(manager, hash), manager.match_block(hash).has_value());
    EXPECT_EQ(manager.reset_inactive_pool().drained, 1u);
    EXPECT_FALSE(test::is_present(manager, hash));
    sync.arrive_and_wait();
  }

  EXPECT_EQ(manager.metrics().evictions, static_cast<std::uint64_t>(evictions));
  EXPECT_FALSE(manager.registry().is_registered(hash));
  manager.check_invariants();
}

TEST(RegistrationRace, BatchesAppearAndDisappearAsAWhole) {  // logical.md 4.4
  constexpr int kRounds = 300;
  const auto manager = test::manager<G1>({.blocks = 8, .reset_on_release = true});
  const std::vector<SequenceHash> hashes = test::chain(1, 4);
  std::atomic<bool> done{false};
  std::jthread writer([&] {
    for (int round = 0; round < kRounds; ++round) {
      const auto run = test::registered(manager, hashes);
    }
    done.store(true);
  });

  while (!done.load()) {
    const auto found = manager.match_blocks(hashes);
    EXPECT_TRUE(found.size() == 0 || found.size() == 4) << found.size();
    EXPECT_TRUE(manager.match_scattered(hashes).found() % 4 == 0);
  }
  writer.join();

  EXPECT_EQ(manager.metrics().reset_pool_size, 8);
  manager.check_invariants();
}

// The hook runs once for each hash that becomes registered, whoever notices first.

/// A registry whose hook counts its calls.
struct CountedHooks {
  std::atomic<int> calls{0};
  BlockRegistry registry{RegistryOptions{.on_registered = [this](const Registration&) { calls.fetch_add(1); }}};
};

/// A thread that registers `hashes` as one run, keeps the blocks, and is held when they are published but not
/// announced.
template <class Tier>
HeldThread registering(const BlockManager<Tier>& manager, std::span<const SequenceHash> hashes,
                       std::optional<BlockRun<ImmutableBlock<Tier>>>& result) {
  return HeldThread(TestPoint::RegisteredUnlocked,
                    [&manager, hashes, &result] { result = test::registered(manager, hashes); });
}

TEST(RegistrationHook, BlocksArePublishedBeforeTheHookRuns) {
  CountedHooks hooks;
  const auto manager = test::manager<G1>({.blocks = 4, .registry = hooks.registry});
  const std::vector<SequenceHash> hashes = test::chain(1, 3);
  std::optional<BlockRun<ImmutableBlock<G1>>> run;
  HeldThread registrar = registering(manager, hashes, run);

  EXPECT_EQ(hooks.calls.load(), 0);
  EXPECT_EQ(manager.match_blocks(hashes).size(), 3u);
  EXPECT_TRUE(test::is_present(manager, hashes[2]));
  EXPECT_EQ(manager.available_blocks(), 1u);
  EXPECT_FALSE(manager.allocate(2));
  registrar.let_through();

  EXPECT_EQ(hooks.calls.load(), 3);
  manager.check_invariants();
}

TEST(RegistrationHook, RunsAlthoughADuplicateCameFirst) {
  CountedHooks hooks;
  const auto manager = test::manager<G1>({.blocks = 4, .registry = hooks.registry});
  const SequenceHash hash = test::hash(1);
  std::optional<BlockRun<ImmutableBlock<G1>>> run;
  HeldThread registrar = registering(manager, std::span(&hash, 1), run);

  const ImmutableBlock<G1> duplicate = test::registered(manager, hash);
  registrar.let_through();

  EXPECT_NE(duplicate.id(), run->id(0));
  EXPECT_EQ(hooks.calls.load(), 1);
}

TEST(RegistrationHook, RunsAlthoughAWeakBlockCameFirst) {
  CountedHooks hooks;
  const auto manager = test::manager<G1>({.blocks = 4, .registry = hooks.registry});
  const SequenceHash hash = test::hash(1);
  std::optional<BlockRun<ImmutableBlock<G1>>> run;
  HeldThread registrar = registering(manager, std::span(&hash, 1), run);

  const WeakBlock<G1> weak = manager.match_block(hash)->downgrade();
  registrar.let_through();

  EXPECT_EQ(hooks.calls.load(), 1);
}

TEST(RegistrationHook, RunsOnceAlthoughTheHashIsRegisteredByHandMeanwhile) {
  CountedHooks hooks;
  const auto manager = test::manager<G1>({.blocks = 4, .registry = hooks.registry});
  const SequenceHash hash = test::hash(1);
  std::optional<BlockRun<ImmutableBlock<G1>>> run;
  HeldThread registrar = registering(manager, std::span(&hash, 1), run);

  const Registration registration = hooks.registry.register_hash(hash);
  registrar.let_through();

  EXPECT_EQ(hooks.calls.load(), 1);
}

TEST(RegistrationHook, RunsAlthoughAHandleIsTransferredMeanwhile) {
  CountedHooks hooks;
  const auto manager = test::manager<G1>({.blocks = 4, .registry = hooks.registry});
  const SequenceHash hash = test::hash(1);
  std::optional<BlockRun<ImmutableBlock<G1>>> run;
  HeldThread registrar = registering(manager, std::span(&hash, 1), run);

  const Registration registration = hooks.registry.transfer_registration(hash);
  registrar.let_through();

  EXPECT_EQ(hooks.calls.load(), 1);
}

TEST(RegistrationHook, RunsOnceWhenTwoTiersRegisterAHashTogether) {
  CountedHooks hooks;
  const auto device = test::manager<G1>({.blocks = 4, .registry = hooks.registry});
  const auto host = test::manager<G2>({.blocks = 4, .registry = hooks.registry});
  const SequenceHash hash = test::hash(1);
  std::optional<BlockRun<ImmutableBlock<G1>>> run;
  HeldThread registrar = registering(device, std::span(&hash, 1), run);

  const ImmutableBlock<G2> other = test::registered(host, hash);
  registrar.let_through();

  EXPECT_EQ(hooks.calls.load(), 1);
}

// A registration that dies against one that is born.

TEST(RegistrationEnd, ReleaseThatHasYetToTellLeavesANewRegistrationAlone) {  // logical.md 7.4
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  ImmutableBlock<G1> block = test::registered(manager, hash);
  block.set_evict_on_reset(true);
  ASSERT_TRUE(block.registration().attach_unique(7));
  HeldThread dropper = dropped_at(TestPoint::ReleaseUnlocked, std::move(block));
  EXPECT_FALSE(test::is_present(manager, hash));
  EXPECT_EQ(manager.available_blocks(), 2u);

  const ImmutableBlock<G1> again = test::registered(manager, hash);
  dropper.let_through();

  EXPECT_TRUE(test::is_present(manager, hash));
  EXPECT_TRUE(manager.registry().is_registered(hash));
  EXPECT_TRUE(again.registration().with_unique<int>([](int) {}));  // never out of use, so it is the same registration
}

TEST(RegistrationEnd, ReleaseThatHasYetToTellEndsTheRegistrationWhenItDoes) {
  const auto manager = test::manager<G1>({.blocks = 2});
  const SequenceHash hash = test::hash(1);
  ImmutableBlock<G1> block = test::registered(manager, hash);
  block.set_evict_on_reset(true);
  const auto attached = std::make_shared<int>();
  ASSERT_TRUE(block.registration().attach_unique(attached));
  HeldThread dropper = dropped_at(TestPoint::ReleaseUnlocked, std::move(block));
  EXPECT_EQ(attached.use_count(), 2);

  dropper.let_through();

  EXPECT_EQ(attached.use_count(), 1);
  EXPECT_FALSE(manager.registry().is_registered(hash));
  EXPECT_EQ(manager.registry().registered_count(), 0u);
}

/// Holds the thread that destroys the last of its copies until the test opens it; never the thread that made it, whose
/// doing that would be a failure.
class Doorstop {
 public:
  struct Door {
    std::latch reached{1};
    std::latch opened{1};
  };
  explicit Doorstop(Door& door)
      : stop_(&door, [maker = std::this_thread::get_id()](Door* held) {
          EXPECT_NE(std::this_thread::get_id(), maker) << "a registration died although a block carries its hash";
          held->reached.count_down();
          if (std::this_thread::get_id() != maker) held->opened.wait();
        }) {}

 private:
  std::shared_ptr<Door> stop_;
};

TEST(RegistrationEnd, DyingRegistrationLeavesItsSuccessorAlone) {  // logical.md 7.7
  const auto manager = test::manager<G1>({.blocks = 1});
  const BlockRegistry registry = manager.registry();
  const SequenceHash hash = test::hash(1);
  Doorstop::Door door;
  ASSERT_TRUE(test::registered(manager, hash).registration().attach_unique(Doorstop(door)));
  std::optional<MutableBlock<G1>> evicted;
  std::jthread evictor([&] { evicted = manager.allocate_block(); });
  door.reached.wait();  // the evicted hash's attachments are dying

  EXPECT_FALSE(registry.is_registered(hash));
  const Registration successor = registry.register_hash(hash);
  EXPECT_TRUE(successor.attach_unique(std::make_unique<int>(7)));
  door.opened.count_down();
  evictor.join();

  EXPECT_TRUE(registry.is_registered(hash));
  EXPECT_TRUE(registry.find(hash, false)->same_as(successor));
  EXPECT_TRUE(successor.with_unique<std::unique_ptr<int>>([](const auto& value) { EXPECT_EQ(*value, 7); }));
  EXPECT_FALSE(successor.has_block<G1>());
}

TEST(RegistrationEnd, LastHandleAgainstEvictionEndsTheRegistrationOnce) {
  constexpr int kRounds = 300;
  const auto manager = test::manager<G1>({.blocks = 1});
  const auto attached = std::make_shared<int>();
  std::optional<Registration> handle;
  std::barrier sync(2);
  std::jthread dropper([&] {
    for (int round = 0; round < kRounds; ++round) {
      sync.arrive_and_wait();
      handle.reset();
      sync.arrive_and_wait();
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    const SequenceHash hash = test::hash(static_cast<std::uint64_t>(round % 2));
    handle = test::registered(manager, hash).registration();
    EXPECT_TRUE(handle->attach_unique(attached));
    sync.arrive_and_wait();
    const std::optional<MutableBlock<G1>> evicted = manager.allocate_block();
    sync.arrive_and_wait();
    EXPECT_EQ(attached.use_count(), 1);
    EXPECT_EQ(manager.registry().registered_count(), 0u);
  }
}

}  // namespace
}  // namespace kvbm
