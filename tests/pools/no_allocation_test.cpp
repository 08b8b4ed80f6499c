#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "kvbm/registry/frequency_sketch.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/every_backend.hpp"
#include "tests/support/managers.hpp"

// Once a manager is made, no operation on runs and single guards takes memory from the heap. Excepted are those that
// return a vector (allocate_with_evictions, into_blocks) and those that need a record in the registry (downgrade,
// registration), and all of them with a hook in the registry.

namespace kvbm {
namespace {

using SharedRun = BlockRun<ImmutableBlock<G1>>;
using Block = ImmutableBlock<G1>;

/// Refuses the very first allocation within a scope, and says whether there was one.
template <class Work>
[[nodiscard]] bool allocates(Work&& work) {
  const test::AllocationFault fault(0);
  try {
    work();
  } catch (const std::bad_alloc&) {
    return true;
  }
  return fault.fired();
}

TEST(AllocationFault, SeesAnAllocation) {
  EXPECT_TRUE(allocates([] { static_cast<void>(std::make_unique<std::string>(1000, 'x')); }));
  EXPECT_FALSE(allocates([] {}));
}

struct Setting {
  test::NamedEviction eviction;
  bool tracked;

  [[nodiscard]] std::string name() const { return eviction.name + (tracked ? "Tracked" : "Untracked"); }
  friend void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name(); }
};

std::vector<Setting> every_setting() {
  std::vector<Setting> settings;
  for (const test::NamedEviction& eviction : test::every_eviction()) {
    settings.push_back({eviction, true});
    if (!eviction.needs_tracker) settings.push_back({eviction, false});
  }
  return settings;
}

constexpr std::uint32_t kBlocks = 64;
constexpr std::uint32_t kTokens = 4;

class NoAllocation : public testing::TestWithParam<Setting> {
 protected:
  NoAllocation()
      : manager_(test::manager({.blocks = kBlocks,
                                .tokens_per_block = kTokens,
                                .registry = BlockRegistry({.tracker = tracker(), .on_registered = {}}),
                                .eviction = GetParam().eviction.options})) {
    // The first lock of a thread takes memory in builds that record the order of locks.
    static_cast<void>(manager_.available_blocks());
  }
  static std::shared_ptr<FrequencyTracker> tracker() {
    return GetParam().tracked ? make_frequency_tracker(FrequencyTrackingCapacity::Small) : nullptr;
  }
  [[nodiscard]] SharedRun registered(std::span<const SequenceHash> hashes) const {
    return test::registered(manager_, hashes);
  }
  [[nodiscard]] Block registered(const SequenceHash& hash) const { return test::registered(manager_, hash); }

  BlockManager<G1> manager_;
  const std::vector<SequenceHash> chain_ = test::chain(1, 40);
  const std::vector<SequenceHash> other_ = test::chain(2, 40);
};

INSTANTIATE_TEST_SUITE_P(Every, NoAllocation, testing::ValuesIn(every_setting()),
                         [](const auto& every) { return every.param.name(); });

TEST_P(NoAllocation, RunsAllocateStageRegisterAndDrop) {
  EXPECT_FALSE(allocates([&] {
    { const auto dropped = manager_.allocate(40); }
    auto blocks = manager_.allocate(40);
    auto staged = std::move(*blocks).stage(chain_, kTokens);
    auto reset = std::move(*staged).reset();
    auto again = std::move(reset).stage(chain_, kTokens);
    const SharedRun run = manager_.register_blocks(std::move(*again));
  }));
  EXPECT_EQ(manager_.metrics().inactive_pool_size, 40);
}

TEST_P(NoAllocation, RefusalsOfRuns) {
  EXPECT_FALSE(allocates([&] {
    EXPECT_FALSE(manager_.allocate(kBlocks + 1).has_value());
    auto blocks = manager_.allocate(40);
    auto refused = std::move(*blocks).stage(chain_, kTokens + 1);
    EXPECT_FALSE(refused.has_value());
  }));
}

TEST_P(NoAllocation, RunsEvict) {
  { const SharedRun idle = registered(chain_); }
  EXPECT_FALSE(allocates([&] {
    for (int round = 0; round < 5; ++round) {
      { const SharedRun run = registered(other_); }
      { const SharedRun run = registered(chain_); }
    }
    const auto everything = manager_.allocate(kBlocks);
    EXPECT_TRUE(everything.has_value());
  }));
  EXPECT_GT(manager_.metrics().evictions, 0u);
}

TEST_P(NoAllocation, MatchesOfRuns) {
  { const SharedRun idle = registered(chain_); }
  const std::vector<SequenceHash> mixed{chain_[7], other_[0], chain_[3], chain_[7], other_[1], chain_[39]};
  EXPECT_FALSE(allocates([&] {
    const SharedRun all = manager_.match_blocks(chain_);
    const SharedRun none = manager_.match_blocks(other_);
    const SparseRun<G1> scattered = manager_.match_scattered(mixed);
    const SharedRun scanned = manager_.scan_matches(mixed, true);
    const SharedRun quiet = manager_.scan_matches(mixed, false);
    EXPECT_EQ(all.size(), 40u);
    EXPECT_EQ(scattered.found(), 4u);
    EXPECT_EQ(scanned.size(), 3u);
  }));
}

TEST_P(NoAllocation, RunsShareSplitAndAppend) {
  EXPECT_FALSE(allocates([&] {
    SharedRun run = registered(chain_);
    const SharedRun shared = run.share();
    SharedRun tail = run.split_off(25);
    SharedRun end = tail.split_off(3);
    run.append(std::move(end));
    run.append(std::move(tail));
    EXPECT_EQ(run.size(), 40u);
    auto blocks = manager_.allocate(20);
    auto rest = blocks->split_off(11);
    rest.append(std::move(*blocks));
    EXPECT_EQ(rest.size(), 20u);
  }));
}

TEST_P(NoAllocation, SingleGuardsJoinARun) {
  std::vector<Block> blocks;
  blocks.reserve(2);
  EXPECT_FALSE(allocates([&] {
    blocks.push_back(registered(chain_[0]));
    blocks.push_back(registered(chain_[1]));
    const SharedRun run = SharedRun::of(std::move(blocks));
    EXPECT_EQ(run.size(), 2u);
  }));
}

TEST_P(NoAllocation, SingleGuards) {
  EXPECT_FALSE(allocates([&] {
    for (const SequenceHash& hash : chain_) {
      const Block block = registered(hash);
      Block copy = block;
      const LifecyclePin pin = copy.pin();
      copy.set_evict_on_reset(hash == chain_[20]);
    }
    std::optional<Block> found = manager_.match_block(chain_[5]);
    EXPECT_TRUE(found.has_value());
    EXPECT_FALSE(manager_.match_block(chain_[20]).has_value());
    auto refused = std::move(manager_.allocate_block()).value();
    EXPECT_FALSE(std::move(refused).stage(chain_[0], kTokens + 1).has_value());
    { const auto dropped = test::stage(std::move(manager_.allocate_block()).value(), other_[0]); }
  }));
}

TEST_P(NoAllocation, SingleGuardsEvict) {
  EXPECT_FALSE(allocates([&] {
    for (std::uint64_t number = 0; number < 3 * kBlocks; ++number) static_cast<void>(registered(test::hash(number)));
  }));
  EXPECT_EQ(manager_.metrics().evictions, 2 * kBlocks);
}

TEST_P(NoAllocation, Duplicates) {
  EXPECT_FALSE(allocates([&] {
    const Block first = registered(chain_[0]);
    const Block second = registered(chain_[0]);
    const SharedRun run = registered(std::span(chain_).first(3));
    EXPECT_NE(first.id(), second.id());
  }));
}

TEST_P(NoAllocation, WeakUpgrades) {
  std::optional<Block> block = registered(chain_[0]);
  const WeakBlock<G1> weak = block->downgrade();
  EXPECT_FALSE(allocates([&] {
    const WeakBlock<G1> copy = weak;
    EXPECT_TRUE(copy.upgrade().has_value());  // in use: by its pin
    block.reset();
    EXPECT_TRUE(weak.upgrade().has_value());  // idle: by its hash
  }));
}

TEST_P(NoAllocation, ResettingTheInactivePool) {
  { const SharedRun idle = registered(chain_); }
  EXPECT_FALSE(allocates([&] { EXPECT_EQ(manager_.reset_inactive_pool().drained, 40u); }));
}

TEST_P(NoAllocation, FiguresAndTouches) {
  { const SharedRun idle = registered(chain_); }
  EXPECT_FALSE(allocates([&] {
    EXPECT_EQ(manager_.metrics().inactive_pool_size, 40);
    EXPECT_EQ(manager_.available_blocks(), kBlocks);
    manager_.registry().touch(chain_[0]);
    EXPECT_GE(manager_.registry().count(chain_[0]), GetParam().tracked ? 1u : 0u);
  }));
}

/// The exceptions are real, so the refusals above do reach the library's own allocations.
TEST_P(NoAllocation, SaveWhereAVectorIsAskedFor) {
  SharedRun run = registered(std::span(chain_).first(4));
  EXPECT_TRUE(allocates([&] { static_cast<void>(std::move(run).into_blocks()); }));
  EXPECT_TRUE(allocates([&] { static_cast<void>(manager_.allocate_with_evictions(2)); }));
  EXPECT_EQ(run.size(), 4u);
}

}  // namespace
}  // namespace kvbm
