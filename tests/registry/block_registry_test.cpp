#include "kvbm/registry/block_registry.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/support/exact_tracker.hpp"
#include "tests/support/managers.hpp"

// The registry: logical.md 18.13, cases 150 to 169. Attachments, cases 155, 156, 163, 166 and 170, are in
// attachments_test.cpp.

namespace kvbm {
namespace {

using test::ExactTracker;

using Hashes = std::vector<SequenceHash>;
using Lines = std::vector<std::string>;

std::string hook_line(const SequenceHash& hash) { return "hook " + hash.text(); }
std::string use_line(const SequenceHash& hash) { return "use " + hash.text(); }

/// A registry that writes down hooks and uses in the order they come.
class Diary {
 public:
  [[nodiscard]] const BlockRegistry& registry() const noexcept { return registry_; }
  [[nodiscard]] const Lines& lines() const noexcept { return *lines_; }
  void clear() { lines_->clear(); }
  /// Does more in the hook, after it is written down.
  void on_registered(std::function<void(const Registration&)> also) { *also_ = std::move(also); }

 private:
  class Tracker final : public FrequencyTracker {
   public:
    explicit Tracker(std::shared_ptr<Lines> lines) : lines_(std::move(lines)) {}
    void touch(std::span<const SequenceHash> hashes) noexcept override {
      for (const SequenceHash& hash : hashes) lines_->push_back(use_line(hash));
    }
    [[nodiscard]] std::uint32_t count(SequenceHash /*hash*/) const noexcept override { return 0; }

   private:
    std::shared_ptr<Lines> lines_;
  };

  using Hook = std::function<void(const Registration&)>;
  std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
  std::shared_ptr<Hook> also_ = std::make_shared<Hook>();
  BlockRegistry registry_{{.tracker = std::make_shared<Tracker>(lines_),
                           .on_registered = [lines = lines_, also = also_](const Registration& registration) {
                             lines->push_back(hook_line(registration.hash()));
                             if (*also) (*also)(registration);
                           }}};
};

template <class Tier = G1>
BlockManager<Tier> manager_of(const BlockRegistry& registry, std::uint32_t blocks = 10) {
  return test::manager<Tier>({.blocks = blocks, .tokens_per_block = 4, .registry = registry});
}

template <class Tier>
bool present(const BlockRegistry& registry, const SequenceHash& hash) {
  return registry.check_presence<Tier>(Hashes{hash})[0].second;
}

// ---- registration of hashes ----

TEST(BlockRegistry, RegistersARepeatedHashOnceAndAnswersInOrder) {  // logical.md 18.13 case 150
  const BlockRegistry registry;
  const SequenceHash a = test::hash(1), b = test::hash(2);

  const std::vector<Registration> registrations = registry.register_hashes(Hashes{a, b, a});

  ASSERT_EQ(registrations.size(), 3u);
  EXPECT_EQ(registrations[0].hash(), a);
  EXPECT_EQ(registrations[1].hash(), b);
  EXPECT_EQ(registrations[2].hash(), a);
  EXPECT_TRUE(registrations[0].same_as(registrations[2]));
  EXPECT_FALSE(registrations[0].same_as(registrations[1]));
}

TEST(BlockRegistry, RegistersSiblingsOfOnePosition) {  // logical.md 18.13 case 151
  const BlockRegistry registry;
  const SequenceHash root = test::hash(1);
  const Hashes hashes{root, root.extend(1), root.extend(2), root.extend(1).extend(3)};

  const std::vector<Registration> registrations = registry.register_hashes(hashes);

  ASSERT_EQ(registrations.size(), 4u);
  for (std::size_t i = 0; i < hashes.size(); ++i) EXPECT_EQ(registrations[i].hash(), hashes[i]);
  EXPECT_EQ(registry.registered_count(), 4u);
}

TEST(BlockRegistry, RegistersPositionsInAnyOrder) {  // logical.md 18.13 case 152
  const BlockRegistry registry;
  const auto chain = test::chain(1, 3);
  const Registration existing = registry.register_hash(chain[1]);
  const Hashes hashes{chain[2], chain[0], chain[1], chain[2]};

  const std::vector<Registration> registrations = registry.register_hashes(hashes);

  ASSERT_EQ(registrations.size(), 4u);
  for (std::size_t i = 0; i < hashes.size(); ++i) EXPECT_EQ(registrations[i].hash(), hashes[i]);
  EXPECT_TRUE(registrations[2].same_as(existing));
  EXPECT_TRUE(registrations[3].same_as(registrations[0]));
  EXPECT_EQ(registry.registered_count(), 3u);
}

TEST(BlockRegistry, RegistersNoHashes) { EXPECT_TRUE(BlockRegistry().register_hashes({}).empty()); }

TEST(BlockRegistry, IsTheSameRegistryWhenCopied) {
  const BlockRegistry registry, other;
  const BlockRegistry copy = registry;  // NOLINT(performance-unnecessary-copy-initialization): that is the claim

  const Registration registration = copy.register_hash(test::hash(1));

  EXPECT_TRUE(copy == registry);
  EXPECT_FALSE(copy == other);
  EXPECT_TRUE(registry.is_registered(test::hash(1)));
  EXPECT_FALSE(other.is_registered(test::hash(1)));
}

TEST(BlockRegistry, KeepsAHashAsLongAsAHandleLives) {  // logical.md 18.13 case 162
  const BlockRegistry registry;
  std::optional<Registration> handle(registry.register_hash(test::hash(1)));
  EXPECT_TRUE(registry.is_registered(test::hash(1)));

  handle.reset();

  EXPECT_FALSE(registry.is_registered(test::hash(1)));
  EXPECT_EQ(registry.registered_count(), 0u);
}

TEST(BlockRegistry, KeepsAHashUntilTheSecondOfTwoHandlesIsGone) {  // logical.md 18.13 case 162
  const BlockRegistry registry;
  std::optional<Registration> first(registry.register_hash(test::hash(1)));
  std::optional<Registration> second(*first);

  first.reset();
  EXPECT_TRUE(registry.is_registered(test::hash(1)));
  EXPECT_EQ(registry.registered_count(), 1u);

  second.reset();
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
}

TEST(BlockRegistry, KeepsAHashWhileItsHandleMovesAndIsAssigned) {
  const BlockRegistry registry;
  Registration handle = registry.register_hash(test::hash(1));
  Registration other = registry.register_hash(test::hash(2));

  Registration taken(std::move(handle));
  other = std::move(taken);

  EXPECT_TRUE(registry.is_registered(test::hash(1)));
  EXPECT_FALSE(registry.is_registered(test::hash(2)));
  EXPECT_EQ(other.hash(), test::hash(1));
}

TEST(BlockRegistry, FindsOnlyWhatIsRegistered) {
  const BlockRegistry registry;
  const auto manager = manager_of(registry);
  const Registration handle = registry.register_hash(test::hash(1));
  (void)test::registered(manager, test::hash(2));

  EXPECT_TRUE(registry.find(test::hash(1), false)->same_as(handle));
  EXPECT_EQ(registry.find(test::hash(2), false)->hash(), test::hash(2));
  EXPECT_FALSE(registry.find(test::hash(3), false));
  EXPECT_FALSE(registry.is_registered(test::hash(3)));
}

// Record A's entry replaced by record B, A destroyed: here a record leaves the registry before its parts are destroyed,
// so what A's destruction can disturb is a B that is made while it lasts.
TEST(BlockRegistry, KeepsARegistrationMadeWhileItsPredecessorIsDestroyed) {  // logical.md 18.13 case 168
  const BlockRegistry registry;
  std::optional<Registration> first(registry.register_hash(test::hash(1)));
  std::optional<Registration> second;
  ASSERT_TRUE(first->attach(
      std::shared_ptr<void>(nullptr, [&](std::nullptr_t) { second.emplace(registry.register_hash(test::hash(1))); })));

  first.reset();

  ASSERT_TRUE(second);
  EXPECT_TRUE(registry.find(test::hash(1), false)->same_as(*second));
  EXPECT_EQ(registry.registered_count(), 1u);
  second.reset();
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
}

TEST(BlockRegistry, FindsEveryHandleWhileThreadsRegisterAndDropOneHash) {  // logical.md 18.13 case 169
  constexpr int kThreads = 4, kRounds = 500;
  const BlockRegistry registry;
  std::atomic<int> lost{0};
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      for (int round = 0; round < kRounds; ++round) {
        const Registration held = registry.register_hash(test::hash(1));
        const std::optional<Registration> found = registry.find(test::hash(1), false);
        if (!found || !found->same_as(held)) ++lost;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(lost, 0);
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
  EXPECT_EQ(registry.registered_count(), 0u);
}

// ---- hook and counted uses ----

TEST(BlockRegistryHook, RunsBeforeTheUseIsCountedForEachNewHashOfABatch) {  // logical.md 18.13 case 153
  Diary diary;
  const auto chain = test::chain(1, 3);
  const Registration existing = diary.registry().register_hash(chain[1]);
  diary.clear();

  const auto registrations = diary.registry().register_hashes(Hashes{chain[2], chain[0], chain[1], chain[2]});

  EXPECT_EQ(diary.lines(), (Lines{hook_line(chain[2]), use_line(chain[2]), hook_line(chain[0]), use_line(chain[0])}));
}

TEST(BlockRegistryHook, MayCallTheRegistry) {  // logical.md 18.13 case 153: no lock is held
  Diary diary;
  const BlockRegistry& registry = diary.registry();
  std::optional<Registration> other;
  std::size_t seen = 0;
  diary.on_registered([&](const Registration& registration) {
    if (registration.hash() == test::hash(2)) return;
    if (registry.is_registered(registration.hash()) && registry.find(registration.hash(), true)) ++seen;
    EXPECT_FALSE(present<G1>(registry, registration.hash()));
    EXPECT_TRUE(registration.attach(1));
    other.emplace(registry.register_hash(test::hash(2)));
    EXPECT_EQ(registry.registered_count(), 2u);
  });

  const Registration registration = registry.register_hash(test::hash(1));

  EXPECT_EQ(seen, 1u);
  EXPECT_EQ(diary.lines(), (Lines{hook_line(test::hash(1)), use_line(test::hash(1)), hook_line(test::hash(2)),
                                  use_line(test::hash(2)), use_line(test::hash(1))}));
}

TEST(BlockRegistryHook, IsSilentForAHashThatIsRegistered) {  // logical.md 18.13 case 154
  Diary diary;
  const Registration existing = diary.registry().register_hash(test::hash(1));
  diary.clear();

  const Registration again = diary.registry().register_hash(test::hash(1));

  EXPECT_TRUE(again.same_as(existing));
  EXPECT_TRUE(diary.lines().empty());
}

TEST(BlockRegistryHook, RunsAgainForAHashThatWasForgotten) {
  Diary diary;
  (void)diary.registry().register_hash(test::hash(1));
  diary.clear();

  (void)diary.registry().register_hash(test::hash(1));

  EXPECT_EQ(diary.lines(), (Lines{hook_line(test::hash(1)), use_line(test::hash(1))}));
}

TEST(BlockRegistryHook, IsNotRunForATransferredRegistration) {  // logical.md 18.13 case 157
  Diary diary;

  const Registration transferred = diary.registry().transfer_registration(test::hash(1));

  EXPECT_TRUE(diary.registry().is_registered(test::hash(1)));
  EXPECT_TRUE(diary.lines().empty());
}

TEST(BlockRegistry, CountsUsesOfRegistrationAndOfTouchingLookUps) {  // logical.md 18.13 case 157
  const BlockRegistry registry({.tracker = std::make_shared<ExactTracker>()});
  const SequenceHash hash = test::hash(1);

  (void)registry.transfer_registration(hash);
  EXPECT_EQ(registry.count(hash), 0u);
  const Registration registration = registry.register_hash(hash);
  EXPECT_EQ(registry.count(hash), 1u);
  (void)registry.find(hash, true);
  EXPECT_EQ(registry.count(hash), 2u);
  (void)registry.find(hash, false);
  EXPECT_EQ(registry.count(hash), 2u);
}

TEST(BlockRegistry, CountsNoUseForALookUpThatFindsNothing) {
  const BlockRegistry registry({.tracker = std::make_shared<ExactTracker>()});

  EXPECT_FALSE(registry.find(test::hash(1), true));

  EXPECT_EQ(registry.count(test::hash(1)), 0u);
}

TEST(BlockRegistry, WithoutATrackerCountsNothing) {
  const BlockRegistry registry;

  registry.touch(test::hash(1));

  EXPECT_FALSE(registry.has_frequency_tracking());
  EXPECT_EQ(registry.count(test::hash(1)), 0u);
}

// ---- the hook as managers run it ----

TEST(BlockRegistryHook, RunsForEachNewHashOfAManagersBatchInOrder) {
  Diary diary;
  const auto manager = manager_of(diary.registry());
  const auto chain = test::chain(1, 3);

  const auto run = test::registered(manager, Hashes{chain[0], chain[1], chain[0], chain[2]});

  EXPECT_EQ(diary.lines(), (Lines{hook_line(chain[0]), use_line(chain[0]), hook_line(chain[1]), use_line(chain[1]),
                                  hook_line(chain[2]), use_line(chain[2])}));
}

TEST(BlockRegistryHook, IsSilentForDuplicatesAndForBlocksTakenAgain) {
  Diary diary;
  const auto manager = manager_of(diary.registry());
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, test::hash(1)));
  diary.clear();

  (void)test::registered(manager, test::hash(1));  // a duplicate
  block.reset();
  (void)test::registered(manager, test::hash(1));  // a duplicate of an idle block

  EXPECT_TRUE(diary.lines().empty());
}

TEST(BlockRegistryHook, IsSilentForAHashThatAnotherTierHolds) {
  Diary diary;
  const auto upper = manager_of<G1>(diary.registry());
  const auto lower = manager_of<G2>(diary.registry());
  (void)test::registered(lower, test::hash(1));
  diary.clear();

  (void)test::registered(upper, test::hash(1));

  EXPECT_TRUE(diary.lines().empty());
}

TEST(BlockRegistryHook, IsSilentForAHashThatAHandleHolds) {
  Diary diary;
  const auto manager = manager_of(diary.registry());
  const Registration handle = diary.registry().register_hash(test::hash(1));
  diary.clear();

  const auto block = test::registered(manager, test::hash(1));

  EXPECT_TRUE(block.registration().same_as(handle));
  EXPECT_TRUE(diary.lines().empty());
}

TEST(BlockRegistryHook, RunsAgainAfterEviction) {
  Diary diary;
  const auto manager = manager_of(diary.registry(), 1);
  (void)test::registered(manager, test::hash(1));
  (void)manager.allocate_block();
  diary.clear();

  (void)test::registered(manager, test::hash(1));

  EXPECT_EQ(diary.lines(), (Lines{hook_line(test::hash(1)), use_line(test::hash(1))}));
}

TEST(BlockRegistryHook, MayCallTheManagerAndFindsTheBlockThere) {
  Diary diary;
  const auto manager = manager_of(diary.registry());
  std::size_t found = 0;
  diary.on_registered([&](const Registration& registration) {
    found += manager.match_block(registration.hash()) ? 1 : 0;
    EXPECT_TRUE(registration.has_block<G1>());
    EXPECT_TRUE(manager.allocate(2));
    (void)manager.reset_inactive_pool();
    manager.check_invariants();
  });

  const auto single = test::registered(manager, test::hash(1));
  const auto run = test::registered(manager, test::chain(2, 3));

  EXPECT_EQ(found, 4u);
}

TEST(BlockRegistryHook, SeesTheWholeBatchPublished) {
  Diary diary;
  const auto manager = manager_of(diary.registry());
  const auto chain = test::chain(1, 3);
  std::vector<std::uint32_t> matched;
  diary.on_registered([&](const Registration&) { matched.push_back(manager.match_blocks(chain).size()); });

  const auto run = test::registered(manager, chain);

  EXPECT_EQ(matched, (std::vector<std::uint32_t>{3, 3, 3}));
}

TEST(BlockRegistryHook, MayRegisterMoreBlocks) {
  Diary diary;
  const auto manager = manager_of(diary.registry());
  std::optional<ImmutableBlock<G1>> more;
  diary.on_registered([&](const Registration& registration) {
    if (registration.hash() == test::hash(1)) more.emplace(test::registered(manager, test::hash(2)));
  });

  const auto block = test::registered(manager, test::hash(1));

  ASSERT_TRUE(more);
  EXPECT_EQ(more->hash(), test::hash(2));
  manager.check_invariants();
}

// ---- presence ----

TEST(Presence, FollowsABlockThroughItsLife) {  // logical.md 18.13 case 158
  const BlockRegistry registry;
  const auto manager = manager_of(registry, 1);
  const SequenceHash hash = test::hash(1);
  const Registration handle = registry.register_hash(hash);
  EXPECT_FALSE(handle.has_block<G1>());

  std::optional<ImmutableBlock<G1>> block(test::registered(manager, hash));
  EXPECT_TRUE(handle.has_block<G1>());
  block.reset();  // idle
  EXPECT_TRUE(handle.has_block<G1>());
  const auto evicting = manager.allocate_block();

  EXPECT_FALSE(handle.has_block<G1>());
}

TEST(Presence, IsKeptByTier) {  // logical.md 18.13 case 159
  const BlockRegistry registry;
  const auto upper = manager_of<G1>(registry);
  const auto lower = manager_of<G2>(registry);
  const SequenceHash hash = test::hash(1);

  const auto above = test::registered(upper, hash);
  EXPECT_TRUE(present<G1>(registry, hash));
  EXPECT_FALSE(present<G2>(registry, hash));

  const auto below = test::registered(lower, hash);
  EXPECT_TRUE(present<G1>(registry, hash));
  EXPECT_TRUE(present<G2>(registry, hash));
}

TEST(Presence, EndsTierByTier) {
  const BlockRegistry registry;
  const auto upper = manager_of<G1>(registry);
  const auto lower = manager_of<G2>(registry);
  const SequenceHash hash = test::hash(1);
  (void)test::registered(upper, hash);
  (void)test::registered(lower, hash);

  (void)upper.reset_inactive_pool();
  EXPECT_FALSE(present<G1>(registry, hash));
  EXPECT_TRUE(present<G2>(registry, hash));
  EXPECT_TRUE(registry.is_registered(hash));

  (void)lower.reset_inactive_pool();
  EXPECT_FALSE(present<G2>(registry, hash));
  EXPECT_FALSE(registry.is_registered(hash));
}

TEST(Presence, OfOneTierIsThatOfAnyOfItsManagers) {
  const BlockRegistry registry;
  const auto one = manager_of<G1>(registry);
  const auto other = manager_of<G1>(registry);
  const SequenceHash hash = test::hash(1);
  (void)test::registered(one, hash);
  (void)test::registered(other, hash);

  (void)one.reset_inactive_pool();
  EXPECT_TRUE(present<G1>(registry, hash));
  (void)other.reset_inactive_pool();
  EXPECT_FALSE(present<G1>(registry, hash));
}

TEST(Presence, SurvivesTheEndOfADuplicate) {
  const BlockRegistry registry;
  const auto manager = manager_of(registry);
  const auto primary = test::registered(manager, test::hash(1));

  (void)test::registered(manager, test::hash(1));

  EXPECT_TRUE(present<G1>(registry, test::hash(1)));
}

TEST(Presence, IsAnsweredInOrderWithRepetitions) {  // logical.md 18.13 case 160
  const BlockRegistry registry;
  const auto manager = manager_of(registry);
  const SequenceHash a = test::hash(1), b = test::hash(2), absent = test::hash(3);
  const auto first = test::registered(manager, a);
  const auto second = test::registered(manager, b);

  const auto presence = registry.check_presence<G1>(Hashes{a, absent, b, a});

  EXPECT_EQ(presence, (std::vector<std::pair<SequenceHash, bool>>{{a, true}, {absent, false}, {b, true}, {a, true}}));
}

TEST(Presence, OfAnyTierNeedsOneOfThem) {  // logical.md 18.13 case 161
  const BlockRegistry registry;
  const auto upper = manager_of<G1>(registry);
  const auto lower = manager_of<G2>(registry);
  const SequenceHash a = test::hash(1), b = test::hash(2);
  const auto block_a = test::registered(upper, a);
  const auto block_b = test::registered(lower, b);
  const std::vector<TierKey> first_two{tier_key<G1>(), tier_key<G2>()};
  const std::vector<TierKey> first_and_third{tier_key<G1>(), tier_key<G3>()};

  EXPECT_TRUE(block_b.registration().has_any_block(first_two));
  EXPECT_FALSE(block_b.registration().has_any_block(first_and_third));
  EXPECT_EQ(registry.check_presence_any(Hashes{a, b}, first_two),
            (std::vector<std::pair<SequenceHash, bool>>{{a, true}, {b, true}}));
  EXPECT_EQ(registry.check_presence_any(Hashes{a, b}, first_and_third),
            (std::vector<std::pair<SequenceHash, bool>>{{a, true}, {b, false}}));
}

TEST(Presence, IsAskedForWithoutCountingAUse) {
  Diary diary;
  const auto manager = manager_of(diary.registry());
  const auto block = test::registered(manager, test::hash(1));
  diary.clear();

  (void)present<G1>(diary.registry(), test::hash(1));
  (void)block.registration().has_block<G1>();

  EXPECT_TRUE(diary.lines().empty());
}

TEST(Presence, IsNothingToAHandleWithoutBlocks) {
  const BlockRegistry registry;
  const auto manager = manager_of(registry);

  const Registration handle = registry.register_hash(test::hash(1));

  EXPECT_FALSE(handle.has_block<G1>());
  EXPECT_FALSE(handle.has_any_block({}));
}

// ---- blocks that come back ----

TEST(BlockRegistry, KnowsAnIdleBlockThatAWeakBlockTakesAgain) {  // logical.md 18.13 case 164
  const BlockRegistry registry;
  const auto manager = manager_of(registry);
  const WeakBlock<G1> weak = test::registered(manager, test::hash(1)).downgrade();

  const auto again = weak.upgrade();

  ASSERT_TRUE(again);
  EXPECT_TRUE(present<G1>(registry, test::hash(1)));
  EXPECT_TRUE(again->registration().same_as(*registry.find(test::hash(1), false)));
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
}

TEST(BlockRegistry, KnowsAnIdleBlockThatARejectedRegistrationTakesAgain) {  // logical.md 18.13 case 164
  const BlockRegistry registry;
  const auto manager = test::manager<G1>(
      {.blocks = 4, .tokens_per_block = 4, .registry = registry, .duplication = DuplicationPolicy::Reject});
  std::optional<ImmutableBlock<G1>> block(test::registered(manager, test::hash(1)));
  const BlockId id = block->id();
  block.reset();

  const auto again = test::registered(manager, test::hash(1));

  EXPECT_EQ(again.id(), id);
  EXPECT_TRUE(present<G1>(registry, test::hash(1)));
  EXPECT_EQ(manager.metrics().inactive_pool_size, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 3);
}

// ---- touch callbacks ----

TEST(Registration, TouchRunsOneCallbackWithTheHash) {  // logical.md 18.13 case 165
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  Hashes touched;
  registration.on_touch([&](const SequenceHash& hash) { touched.push_back(hash); });

  registration.touch();

  EXPECT_EQ(touched, Hashes{test::hash(1)});
}

TEST(Registration, TouchRunsCallbacksInTheOrderTheyCame) {  // logical.md 18.13 case 165
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) registration.on_touch([&order, i](const SequenceHash&) { order.push_back(i); });

  registration.touch();
  registration.touch();

  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 0, 1, 2}));
}

TEST(Registration, TouchWithoutCallbacksDoesNothing) {  // logical.md 18.13 case 165
  Diary diary;
  const Registration registration = diary.registry().register_hash(test::hash(1));
  diary.clear();

  registration.touch();

  EXPECT_TRUE(diary.lines().empty());
}

TEST(Registration, TouchCallbackMayAddAnother) {
  const BlockRegistry registry;
  const Registration registration = registry.register_hash(test::hash(1));
  int late = 0;
  registration.on_touch([&](const SequenceHash&) { registration.on_touch([&](const SequenceHash&) { ++late; }); });

  registration.touch();
  EXPECT_EQ(late, 0);
  registration.touch();
  EXPECT_EQ(late, 1);
}

TEST(Registration, IsNewWithoutTheCallbacksOfAnEarlierOne) {
  const BlockRegistry registry;
  int calls = 0;
  registry.register_hash(test::hash(1)).on_touch([&](const SequenceHash&) { ++calls; });

  registry.register_hash(test::hash(1)).touch();

  EXPECT_EQ(calls, 0);
}

// ---- where a registration comes from ----

TEST(Registration, KnowsItsRegistry) {  // logical.md 18.13 case 167
  const BlockRegistry registry, foreign;
  const BlockRegistry copy = registry;  // NOLINT(performance-unnecessary-copy-initialization): that is the claim

  const Registration registration = registry.register_hash(test::hash(1));

  EXPECT_TRUE(registration.is_from(registry));
  EXPECT_TRUE(registration.is_from(copy));
  EXPECT_FALSE(registration.is_from(foreign));
}

// "False after the registry is gone" has no counterpart: a registration keeps its registry's state, so there is nothing
// left to ask about but other registries, and none of them can lie where it was.
TEST(Registration, OutlivesItsRegistryAndIsOfNoOther) {  // logical.md 18.13 case 167
  std::optional<BlockRegistry> registry(std::in_place);
  const Registration registration = registry->register_hash(test::hash(1));
  registry.reset();

  const BlockRegistry later;

  EXPECT_FALSE(registration.is_from(later));
  EXPECT_EQ(registration.hash(), test::hash(1));
}

TEST(Registration, OfABlockIsThatOfItsHash) {
  const BlockRegistry registry;
  const auto upper = manager_of<G1>(registry);
  const auto lower = manager_of<G2>(registry);
  const auto above = test::registered(upper, test::hash(1));
  const auto below = test::registered(lower, test::hash(1));

  EXPECT_TRUE(above.registration().is_from(registry));
  EXPECT_TRUE(above.registration().same_as(below.registration()));
  EXPECT_EQ(above.registration().hash(), test::hash(1));
}

// ---- registries of several managers ----

TEST(SharedRegistry, IsRegisteredWhileAnyManagerHasTheHash) {
  const BlockRegistry registry;
  const auto upper = manager_of<G1>(registry);
  const auto lower = manager_of<G2>(registry);
  EXPECT_FALSE(registry.is_registered(test::hash(1)));

  (void)test::registered(lower, test::hash(1));
  EXPECT_TRUE(registry.is_registered(test::hash(1)));
  EXPECT_FALSE(upper.match_block(test::hash(1)));

  (void)lower.reset_inactive_pool();
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
}

TEST(SharedRegistry, CountsHandlesAloneWithoutManagers) {
  const BlockRegistry registry;
  EXPECT_EQ(registry.registered_count(), 0u);

  const auto handles = registry.register_hashes(Hashes{test::hash(1), test::hash(2), test::hash(1)});

  EXPECT_EQ(registry.registered_count(), 2u);
}

TEST(SharedRegistry, CountsEachHashOfOneManagerOnce) {
  const BlockRegistry registry;
  const auto manager = manager_of(registry);
  const auto held = test::registered(manager, test::hash(1));
  const auto duplicate = test::registered(manager, test::hash(1));
  (void)test::registered(manager, test::hash(2));  // idle
  EXPECT_EQ(registry.registered_count(), 2u);

  const Registration of_held = held.registration();
  const Registration of_nobody = registry.register_hash(test::hash(3));

  EXPECT_EQ(registry.registered_count(), 3u);
}

TEST(SharedRegistry, CountsEachHashOfTwoManagersOnce) {
  const BlockRegistry registry;
  const auto upper = manager_of<G1>(registry);
  const auto lower = manager_of<G2>(registry);
  const auto in_both = test::registered(upper, test::hash(1));
  (void)test::registered(lower, test::hash(1));
  (void)test::registered(upper, test::hash(2));
  const auto in_lower = test::registered(lower, test::hash(3));

  EXPECT_EQ(registry.registered_count(), 3u);
  const Registration of_held = in_both.registration();
  const Registration of_nobody = registry.register_hash(test::hash(4));
  EXPECT_EQ(registry.registered_count(), 4u);
}

TEST(SharedRegistry, ForgetsWhatOnlyADestroyedManagerHeld) {
  const BlockRegistry registry;
  const auto lower = manager_of<G2>(registry);
  const SequenceHash shared = test::hash(1), lost = test::hash(2);
  {
    const auto upper = manager_of<G1>(registry);
    (void)test::registered(upper, shared);
    (void)test::registered(upper, lost);
    (void)test::registered(lower, shared);
  }

  EXPECT_FALSE(registry.is_registered(lost));
  EXPECT_TRUE(registry.is_registered(shared));
  EXPECT_FALSE(present<G1>(registry, shared));
  EXPECT_TRUE(present<G2>(registry, shared));
  EXPECT_EQ(registry.registered_count(), 1u);
}

TEST(SharedRegistry, ForgetsWhatOnlyADestroyedManagerHeldThoughItWasAskedAboutIt) {
  const BlockRegistry registry;
  {
    const auto manager = manager_of(registry);
    (void)test::registered(manager, test::hash(1)).registration();
  }

  EXPECT_FALSE(registry.is_registered(test::hash(1)));
  EXPECT_EQ(registry.registered_count(), 0u);
}

TEST(SharedRegistry, RunsTheHookAgainForWhatADestroyedManagerHeld) {
  Diary diary;
  {
    const auto manager = manager_of(diary.registry());
    (void)test::registered(manager, test::hash(1));
  }
  const auto manager = manager_of(diary.registry());
  diary.clear();

  (void)test::registered(manager, test::hash(1));

  EXPECT_EQ(diary.lines(), (Lines{hook_line(test::hash(1)), use_line(test::hash(1))}));
}

TEST(SharedRegistry, KnowsBlocksThatOutliveTheirManager) {
  const BlockRegistry registry;
  std::optional<BlockManager<G1>> manager(manager_of(registry));
  std::optional<ImmutableBlock<G1>> block(test::registered(*manager, test::hash(1)));

  manager.reset();
  EXPECT_TRUE(present<G1>(registry, test::hash(1)));

  block.reset();
  EXPECT_FALSE(present<G1>(registry, test::hash(1)));
  EXPECT_FALSE(registry.is_registered(test::hash(1)));
}

TEST(SharedRegistry, LivesOnInItsManagers) {
  std::optional<BlockRegistry> registry(std::in_place);
  const auto manager = manager_of(*registry);
  registry.reset();

  const auto block = test::registered(manager, test::hash(1));

  EXPECT_TRUE(manager.registry().is_registered(test::hash(1)));
  EXPECT_TRUE(block.registration().has_block<G1>());
}

}  // namespace
}  // namespace kvbm
