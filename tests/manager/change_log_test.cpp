#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

std::vector<Change> changes_of(const BlockManager<G1>& manager) {
  std::vector<Change> changes(manager.change_log()->capacity());
  ChangeReader reader(manager.change_log(), 0);
  const ChangeReader::Outcome outcome = reader.read(changes);
  EXPECT_FALSE(outcome.gap);
  changes.resize(outcome.count);
  return changes;
}

ManagerOptions logged(std::uint32_t blocks, DuplicationPolicy duplication = DuplicationPolicy::Allow) {
  return {.blocks = blocks, .tokens_per_block = 4, .duplication = duplication, .change_log = 1024};
}

TEST(ManagerChangeLog, IsThereOnlyIfAskedFor) {
  EXPECT_EQ(test::manager().change_log(), nullptr);
  EXPECT_NE(test::manager(logged(4)).change_log(), nullptr);
}

TEST(ManagerChangeLog, TooLargeALogIsRefused) {
  const auto made = BlockManager<G1>::create(
      {.blocks = 4, .registry = BlockRegistry(), .change_log = ManagerOptions::kMostChanges + 1});

  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, InvalidOptions::Code::TooManyChanges);
}

TEST(ManagerChangeLog, RegisteringStoresAndEvictingRemovesTheSameTenancy) {
  const auto manager = test::manager(logged(2));
  const auto hashes = test::chain(1, 2);
  { const auto run = test::registered(manager, hashes); }
  const auto victims = manager.allocate(2);

  const std::vector<Change> changes = changes_of(manager);
  ASSERT_EQ(changes.size(), 4u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(changes[i].kind, ChangeKind::Stored);
    EXPECT_EQ(changes[i].hash, hashes[i]);
  }
  EXPECT_EQ(changes[2].kind, ChangeKind::Removed);
  EXPECT_EQ(changes[2].hash, hashes[1]);  // the leaf goes first
  EXPECT_EQ(changes[2].id, changes[1].id);
  EXPECT_EQ(changes[2].generation, changes[1].generation);
  EXPECT_EQ(changes[3].hash, hashes[0]);
}

TEST(ManagerChangeLog, MatchingAndReleasingAreNoChanges) {
  const auto manager = test::manager(logged(2));
  const auto hashes = test::chain(1, 2);
  { const auto run = test::registered(manager, hashes); }
  { const auto run = manager.match_blocks(hashes); }

  EXPECT_EQ(changes_of(manager).size(), 2u);
}

TEST(ManagerChangeLog, ASecondTenancyOfASlotHasAnotherGeneration) {
  const auto manager = test::manager(logged(1));
  { const auto first = test::registered(manager, test::hash(1)); }
  { const auto second = test::registered(manager, test::hash(2)); }

  const std::vector<Change> changes = changes_of(manager);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[2].hash, test::hash(2));
  EXPECT_EQ(changes[2].id, changes[0].id);
  EXPECT_NE(changes[2].generation, changes[0].generation);
}

TEST(ManagerChangeLog, DuplicatesAndRejectedBlocksAreNoChanges) {
  for (const DuplicationPolicy policy : {DuplicationPolicy::Allow, DuplicationPolicy::Reject}) {
    const auto manager = test::manager(logged(8, policy));
    const auto hashes = test::chain(1, 3);
    {
      const auto first = test::registered(manager, hashes);
      const auto second = test::registered(manager, hashes);
      const auto third = test::registered(manager, hashes.front());
    }
    EXPECT_EQ(changes_of(manager).size(), 3u);
  }
}

TEST(ManagerChangeLog, AResetOnReleaseIsARemoval) {
  const auto manager = test::manager({.tokens_per_block = 4, .reset_on_release = true, .change_log = 16});
  { const auto one = test::registered(manager, test::hash(1)); }
  { const auto run = test::registered(manager, test::chain(2, 2)); }

  const std::vector<Change> changes = changes_of(manager);
  ASSERT_EQ(changes.size(), 6u);
  EXPECT_EQ(changes[1].kind, ChangeKind::Removed);
  EXPECT_EQ(changes[1].hash, test::hash(1));
  EXPECT_EQ(changes[1].generation, changes[0].generation);
  EXPECT_EQ(changes[5].kind, ChangeKind::Removed);
}

TEST(ManagerChangeLog, ResettingThePoolRemovesEachIdleBlock) {
  const auto manager = test::manager(logged(4));
  { const auto run = test::registered(manager, test::chain(1, 3)); }
  const auto held = test::registered(manager, test::hash(9));
  manager.reset_inactive_pool();

  std::map<SequenceHash, int> left;
  for (const Change& change : changes_of(manager)) left[change.hash] += change.kind == ChangeKind::Stored ? 1 : -1;
  std::erase_if(left, [](const auto& hash) { return hash.second == 0; });
  EXPECT_EQ(left, (std::map<SequenceHash, int>{{test::hash(9), 1}}));
}

TEST(ManagerChangeLog, EndsWithClearedWhenTheStoreIsGone) {
  std::optional<BlockManager<G1>> manager = test::manager(logged(4));
  const std::shared_ptr<const ChangeLog> log = manager->change_log();
  std::optional<ImmutableBlock<G1>> held = test::registered(*manager, test::hash(1));
  manager.reset();
  EXPECT_EQ(log->next(), 1u);
  held.reset();

  ChangeReader reader(log, 0);
  std::vector<Change> changes(8);
  ASSERT_EQ(reader.read(changes).count, 2u);
  EXPECT_EQ(changes[1].kind, ChangeKind::Cleared);
}

// What is registered, by the log alone, is what the store says, after any history.
TEST(ManagerChangeLog, ReplayedFromTheStartItGivesTheRegisteredBlocks) {
  constexpr std::uint64_t kSeed = 20260727;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  const auto manager = test::manager({.blocks = 32, .tokens_per_block = 4, .change_log = 1u << 14});
  std::vector<BlockRun<ImmutableBlock<G1>>> held;
  for (int step = 0; step < 2000; ++step) {
    const auto hashes = test::chain(random() % 12, 1 + random() % 6);
    if (random() % 3 == 0 && !held.empty()) {
      std::swap(held.back(), held[random() % held.size()]);
      held.pop_back();
    } else if (auto run = manager.allocate(static_cast<std::uint32_t>(hashes.size()))) {
      auto blocks = manager.register_blocks(std::move(std::move(*run).stage(hashes, 4)).value());
      if (random() % 2 == 0) held.push_back(std::move(blocks));
    }
    if (random() % 400 == 0) manager.reset_inactive_pool();
  }

  using Place = std::pair<BlockId, std::uint32_t>;
  std::map<SequenceHash, Place> by_log, by_store;
  for (const Change& change : changes_of(manager)) {
    const Place place{change.id, change.generation};
    if (change.kind == ChangeKind::Stored) {
      ASSERT_TRUE(by_log.emplace(change.hash, place).second);
    } else {
      ASSERT_EQ(by_log.at(change.hash), place);
      by_log.erase(change.hash);
    }
  }
  for (const auto& block : manager.registered_blocks().blocks) by_store[block.hash] = {block.id, block.generation};
  EXPECT_EQ(by_log, by_store);
  EXPECT_EQ(manager.registered_blocks().number, manager.change_log()->next());
}

}  // namespace
}  // namespace kvbm
