// Every interleaving, up to a number of preemptions, of what threads do to the same blocks: between any two steps that
// another thread can see. After each execution the store is examined with what is still held, and without.
//
// KVBM_EXPLORER_PREEMPTIONS=n  allows so many; otherwise any number with two threads, and 3 with three.
// KVBM_EXPLORER_SCHEDULE="0 0 1 ..."  replays the schedule of a failure; choose its test with --gtest_filter.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "tests/explorer/exploration.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::Exploration;
using test::Scenario;
using test::World;

SequenceHash a() { return test::hash(1); }
SequenceHash b() { return test::hash(2); }
/// a() and a child of it.
std::vector<SequenceHash> two() { return test::chain(1, 2); }

// ---- what threads do ----

/// Fills a block of the manager's, if it has one, and names it.
std::optional<CompleteBlock<G1>> filled(World& world, const SequenceHash& hash) {
  std::optional<MutableBlock<G1>> block = world.manager->allocate_block();
  if (!block) return std::nullopt;
  world.pages.begin_filling(block->id());
  KVBM_YIELD("fill");
  world.pages.end_filling(block->id(), hash);
  return test::stage(std::move(*block), hash);
}

void look_at(World& world, BlockId id, const SequenceHash& named, const SequenceHash& expected) {
  KVBM_ASSERT(named == expected, "a guard has another hash than was asked for");
  world.pages.begin_reading(id, expected);
  KVBM_YIELD("read");
  world.pages.end_reading(id, expected);
}

void look_at(World& world, const ImmutableBlock<G1>& block, const SequenceHash& expected) {
  look_at(world, block.id(), block.hash(), expected);
}

void look_at(World& world, const BlockRun<ImmutableBlock<G1>>& run, const SequenceHash& expected) {
  for (std::uint32_t i = 0; i < run.size(); ++i) look_at(world, run.id(i), run.hash(i), expected);
}

ImmutableBlock<G1> registered(World& world, const SequenceHash& hash) {
  return world.manager->register_block(std::move(*filled(world, hash)));
}

/// One block registered under `hash`, as a run.
BlockRun<ImmutableBlock<G1>> registered_run(World& world, const SequenceHash& hash) {
  std::vector<ImmutableBlock<G1>> blocks;
  blocks.push_back(registered(world, hash));
  return BlockRun<ImmutableBlock<G1>>::of(std::move(blocks));
}

template <std::size_t kIndex>
void drop_block(World& world) {
  world.block[kIndex].reset();
}
template <std::size_t kIndex>
void drop_run(World& world) {
  world.run[kIndex].reset();
}
void drop_weak(World& world) { world.weak[0].reset(); }
void end_manager(World& world) { world.manager.reset(); }
void reset_idle(World& world) { world.manager->reset_inactive_pool(); }

void match(World& world) {
  const std::optional<ImmutableBlock<G1>> found = world.manager->match_block(a());
  if (found) look_at(world, *found, a());
}

void match_and_keep(World& world) {
  world.block[2] = world.manager->match_block(a());
  KVBM_ASSERT(world.block[2], "a block that nobody evicts was not found");
  look_at(world, *world.block[2], a());
}

void match_run(World& world) {
  const SequenceHash hash = a();
  look_at(world, world.manager->match_blocks(std::span(&hash, 1)), a());
}

void match_two(World& world) {
  const BlockRun<ImmutableBlock<G1>> run = world.manager->match_blocks(two());
  for (std::uint32_t i = 0; i < run.size(); ++i) look_at(world, run.id(i), run.hash(i), two()[i]);
}

/// Takes two blocks, of which at most one is free without an eviction.
void take_two(World& world) {
  const auto run = world.manager->allocate(2);
  if (!run) return;
  for (const BlockId id : run->ids()) world.pages.begin_filling(id);
  KVBM_YIELD("fill");
  for (const BlockId id : run->ids()) world.pages.end_filling(id, b());
}

void match_then_end_manager(World& world) {
  const std::optional<ImmutableBlock<G1>> found = world.manager->match_block(a());
  world.manager.reset();
  if (found) look_at(world, *found, a());
}

/// Takes the place of whatever is idle.
void register_other(World& world) {
  std::optional<CompleteBlock<G1>> block = filled(world, b());
  if (block) look_at(world, world.manager->register_block(std::move(*block)), b());
}

void upgrade(World& world) {
  const std::optional<ImmutableBlock<G1>> block = world.weak[0]->upgrade();
  if (block) look_at(world, *block, a());
}

void upgrade_and_keep(World& world) {
  world.block[2] = world.weak[0]->upgrade();
  KVBM_ASSERT(world.block[2], "a block that nobody evicts was not found");
  look_at(world, *world.block[2], a());
}

void copy_and_drop(World& world) {
  const ImmutableBlock<G1> copy = *world.block[1];
  look_at(world, copy, a());
  world.block[1].reset();
}

/// The first weak block of a block that a run holds too.
void downgrade_and_upgrade(World& world) {
  world.weak[0] = world.block[0]->downgrade();
  world.block[0].reset();
  upgrade(world);
}

void dissolve_run(World& world) {
  std::vector<ImmutableBlock<G1>> blocks = std::move(*world.run[0]).into_blocks();
  world.run[0].reset();
  for (const ImmutableBlock<G1>& block : blocks) look_at(world, block, a());
}

template <std::size_t kIndex>
void register_staged(World& world) {
  world.block[kIndex] = world.manager->register_block(std::move(*world.staged[kIndex]));
  world.staged[kIndex].reset();
  look_at(world, *world.block[kIndex], a());
}

template <std::size_t kIndex>
void register_staged_and_drop(World& world) {
  register_staged<kIndex>(world);
  world.block[kIndex].reset();
}

template <std::size_t kIndex>
void register_staged_as_run(World& world) {
  std::vector<CompleteBlock<G1>> blocks;
  blocks.push_back(std::move(*world.staged[kIndex]));
  world.staged[kIndex].reset();
  look_at(world, world.manager->register_blocks(BlockRun<CompleteBlock<G1>>::of(std::move(blocks))), a());
}

// ---- from where they start ----

void one_block(World& world) { world.block[0] = registered(world, a()); }

void two_copies(World& world) {
  one_block(world);
  world.block[1] = world.block[0];
}

void block_and_weak(World& world) {
  one_block(world);
  world.weak[0] = world.block[0]->downgrade();
}

void copies_and_weak(World& world) {
  block_and_weak(world);
  world.block[1] = world.block[0];
}

/// A run of a root and its child; there is a third block.
void run_of_two(World& world) {
  std::vector<ImmutableBlock<G1>> blocks;
  for (const SequenceHash& hash : two()) blocks.push_back(registered(world, hash));
  world.run[0] = BlockRun<ImmutableBlock<G1>>::of(std::move(blocks));
}

void one_run(World& world) { world.run[0] = registered_run(world, a()); }

void run_and_weak(World& world) {
  one_run(world);
  world.weak[0] = world.run[0]->block(0).downgrade();
}

void run_and_copy(World& world) {
  one_run(world);
  world.block[0] = world.run[0]->block(0);
}

void two_runs(World& world) {
  one_run(world);
  world.run[1] = world.run[0]->share();
}

/// The second one is a duplicate.
void primary_and_duplicate(World& world) {
  world.block[0] = registered(world, a());
  world.block[1] = registered(world, a());
}

void duplicate_and_weak(World& world) {
  primary_and_duplicate(world);
  world.weak[0] = world.block[1]->downgrade();
}

void two_staged(World& world) {
  world.staged[0] = filled(world, a());
  world.staged[1] = filled(world, a());
}

void block_to_be_reset(World& world) {
  one_block(world);
  world.block[0]->set_evict_on_reset(true);
}

// ---- all of it ----

constexpr auto kReject = DuplicationPolicy::Reject;

std::vector<Scenario> basic_scenarios() {
  return {
      // Last drops
      {"LastDropMatch", {.blocks = 1}, one_block, {drop_block<0>, match_and_keep}},
      {"LastDropMatchDropped", {.blocks = 1}, one_block, {drop_block<0>, match}},
      {"LastDropMatchRun", {.blocks = 1}, one_block, {drop_block<0>, match_run}},
      {"LastDropTwoMatches", {.blocks = 1}, one_block, {drop_block<0>, match, match_and_keep}},
      {"LastDropMatchReplaced", {.blocks = 1}, one_block, {drop_block<0>, match, register_other}},
      {"LastDropMatchReset", {.blocks = 1}, one_block, {drop_block<0>, match, reset_idle}},
      {"TwoLastDrops", {.blocks = 1}, two_copies, {drop_block<0>, drop_block<1>}},
      {"TwoLastDropsMatch", {.blocks = 1}, two_copies, {drop_block<0>, drop_block<1>, match_and_keep}},
      {"TwoLastDropsReplaced", {.blocks = 1}, two_copies, {drop_block<0>, drop_block<1>, register_other}},
      {"DropCopied", {.blocks = 1}, two_copies, {drop_block<0>, copy_and_drop, match}},
      // Weak blocks
      {"LastDropUpgrade", {.blocks = 1}, block_and_weak, {drop_block<0>, upgrade_and_keep}},
      {"LastDropUpgradeReplaced", {.blocks = 1}, block_and_weak, {drop_block<0>, upgrade, register_other}},
      {"LastDropUpgradeMatch", {.blocks = 1}, block_and_weak, {drop_block<0>, upgrade, match}},
      {"TwoLastDropsUpgrade", {.blocks = 1}, copies_and_weak, {drop_block<0>, drop_block<1>, upgrade_and_keep}},
      {"DuplicateDropUpgrade", {.blocks = 2}, duplicate_and_weak, {drop_block<0>, drop_block<1>, upgrade_and_keep}},
      {"DuplicateDropUpgradeReplaced", {.blocks = 2}, duplicate_and_weak, {drop_block<1>, upgrade, register_other}},
      // Runs
      {"RunReleaseUpgrade", {.blocks = 1}, run_and_weak, {drop_run<0>, upgrade_and_keep}},
      {"RunReleaseUpgradeReplaced", {.blocks = 1}, run_and_weak, {drop_run<0>, upgrade, register_other}},
      {"RunReleaseFirstWeak", {.blocks = 1}, run_and_copy, {drop_run<0>, downgrade_and_upgrade}},
      {"RunReleaseCopyDrop", {.blocks = 1}, run_and_copy, {drop_run<0>, drop_block<0>}},
      {"RunReleaseCopyDropMatch", {.blocks = 1}, run_and_copy, {drop_run<0>, drop_block<0>, match_and_keep}},
      {"RunReleaseCopyDropMatchRun", {.blocks = 1}, run_and_copy, {drop_run<0>, drop_block<0>, match_run}},
      {"TwoRunReleases", {.blocks = 1}, two_runs, {drop_run<0>, drop_run<1>, match_run}},
      {"RunDissolvedCopyDrop", {.blocks = 1}, run_and_copy, {dissolve_run, drop_block<0>, match}},
      {"RunOfTwoReleaseMatchRunReplaced", {.blocks = 3}, run_of_two, {drop_run<0>, match_two, take_two}},
      {"RunOfTwoReleaseMatchReplaced", {.blocks = 3}, run_of_two, {drop_run<0>, match, take_two}},
      {"RunDissolvedRunRelease", {.blocks = 1}, two_runs, {dissolve_run, drop_run<1>, match}},
      // Duplicates and registrations
      {"DuplicateDropPrimaryDrop", {.blocks = 2}, primary_and_duplicate, {drop_block<0>, drop_block<1>}},
      {"DuplicateDropPrimaryDropMatch",
       {.blocks = 2},
       primary_and_duplicate,
       {drop_block<0>, drop_block<1>, match_and_keep}},
      {"DuplicateDropPrimaryDropReplaced",
       {.blocks = 2},
       primary_and_duplicate,
       {drop_block<0>, drop_block<1>, register_other}},
      {"RegisterTwice", {.blocks = 2}, two_staged, {register_staged<0>, register_staged<1>}},
      {"RegisterTwiceDropped",
       {.blocks = 2},
       two_staged,
       {register_staged_and_drop<0>, register_staged_and_drop<1>, match}},
      {"RegisterTwiceRejected",
       {.blocks = 2, .duplication = kReject},
       two_staged,
       {register_staged<0>, register_staged<1>}},
      {"RegisterTwiceRejectedDropped",
       {.blocks = 2, .duplication = kReject},
       two_staged,
       {register_staged_and_drop<0>, register_staged_and_drop<1>, match}},
      {"RegisterTwiceRejectedAsRuns",
       {.blocks = 2, .duplication = kReject},
       two_staged,
       {register_staged_as_run<0>, register_staged_as_run<1>, match}},
      // Blocks that are reset when released, also while the registry keeps a record of them
      {"ResetOnReleaseMatch", {.blocks = 1, .reset_on_release = true}, one_block, {drop_block<0>, match}},
      {"ResetOnReleaseUpgrade", {.blocks = 1, .reset_on_release = true}, block_and_weak, {drop_block<0>, upgrade}},
      {"ResetOnReleaseReplaced",
       {.blocks = 1, .reset_on_release = true},
       block_and_weak,
       {drop_block<0>, upgrade, register_other}},
      {"ResetBlockMatchRun", {.blocks = 1}, block_to_be_reset, {drop_block<0>, match_run}},
      // The end of the store
      {"LastDropManagerEnds", {.blocks = 1}, one_block, {drop_block<0>, end_manager}},
      {"LastDropMatchThenManagerEnds", {.blocks = 1}, one_block, {drop_block<0>, match_then_end_manager}},
      {"TwoLastDropsManagerEnds", {.blocks = 1}, two_copies, {drop_block<0>, drop_block<1>, end_manager}},
      {"LastDropUpgradeManagerEnds", {.blocks = 1}, block_and_weak, {drop_block<0>, upgrade, end_manager}},
      {"LastDropWeakDropManagerEnds", {.blocks = 1}, block_and_weak, {drop_block<0>, drop_weak, end_manager}},
      {"RunReleaseManagerEnds", {.blocks = 1}, run_and_copy, {drop_run<0>, drop_block<0>, end_manager}},
      {"ResetOnReleaseManagerEnds",
       {.blocks = 1, .reset_on_release = true},
       block_and_weak,
       {drop_block<0>, drop_weak, end_manager}},
  };
}

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all;
  for (const Scenario& basic : basic_scenarios()) {
    all.push_back(basic);
    all.back().options.eviction = LineageEviction{};
    all.back().name += "Lineage";
    all.push_back(basic);
    all.back().options.eviction = LruEviction{};
    all.back().name += "Lru";
  }
  return all;
}

/// By its name in the tables above.
Scenario scenario(const std::string& name) {
  for (const Scenario& candidate : basic_scenarios()) {
    if (candidate.name == name) return candidate;
  }
  KVBM_ASSERT(false, "no such scenario");
}

/// Two threads: all interleavings there are. Three have too many.
std::size_t preemptions(const Scenario& scenario) {
  const char* most = std::getenv("KVBM_EXPLORER_PREEMPTIONS");
  if (most != nullptr) return std::strtoul(most, nullptr, 10);
  return scenario.scripts.size() == 2 ? SIZE_MAX : 3;
}

class Explorer : public testing::TestWithParam<Scenario> {};

TEST_P(Explorer, NoInterleavingBreaksTheStore) {
  const char* schedule = std::getenv("KVBM_EXPLORER_SCHEDULE");
  const Exploration explored = schedule != nullptr ? test::replay(GetParam(), test::to_schedule(schedule))
                                                   : test::explore(GetParam(), preemptions(GetParam()));

  EXPECT_FALSE(explored.failed) << explored.report;
  EXPECT_GE(explored.executions, 1u);
  std::printf("%s: %llu executions\n", GetParam().name.c_str(), static_cast<unsigned long long>(explored.executions));
  RecordProperty("executions", std::to_string(explored.executions));
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Explorer, testing::ValuesIn(all_scenarios()),
                         [](const auto& each) { return each.param.name; });

// ---- what it cannot miss ----

struct Planted {
  std::string name;
  PlantedBug bug;
  std::string scenario;
};

void PrintTo(const Planted& planted, std::ostream* out) { *out << planted.name; }

class PlantedBugs : public testing::TestWithParam<Planted> {
 protected:
  ~PlantedBugs() override { planted_bug = PlantedBug::None; }
};

TEST_P(PlantedBugs, AreFoundAndTheirScheduleReplays) {
  const Scenario where = scenario(GetParam().scenario);
  planted_bug = GetParam().bug;

  const Exploration explored = test::explore(where, preemptions(where));

  ASSERT_TRUE(explored.failed);
  ASSERT_TRUE(explored.failing) << explored.report;
  EXPECT_TRUE(test::replay(where, *explored.failing).failed);
  planted_bug = PlantedBug::None;
  EXPECT_FALSE(test::replay(where, {}).failed);
  std::printf("found after %llu executions: %s\n%s\n", static_cast<unsigned long long>(explored.executions),
              test::to_text(*explored.failing).c_str(), explored.report.c_str());
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugs,
                         testing::Values(Planted{"ReleaseUnseen", PlantedBug::ReleaseUnseen, "LastDropMatch"},
                                         Planted{"StoreDespiteWeak", PlantedBug::StoreDespiteWeak, "RunReleaseUpgrade"},
                                         Planted{"AnyGeneration", PlantedBug::AnyGeneration,
                                                 "LastDropUpgradeReplaced"}),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace kvbm
