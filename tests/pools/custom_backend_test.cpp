#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/support/every_backend.hpp"
#include "tests/support/managers.hpp"

// The conformance suite runs a well-behaved order of a user's too; here are those that break their word.

namespace kvbm {
namespace {

using test::hash;
using Ids = std::vector<BlockId>;

/// Oldest first, but yields only so many blocks a call, whatever it holds.
class FickleBackend final : public test::VectorBackend {
 public:
  [[nodiscard]] std::size_t evict(std::span<BlockId> victims) noexcept override {
    asked = victims.size();
    return VectorBackend::evict(victims.first(std::min(victims.size(), yields_most)));
  }

  std::size_t yields_most = 1000;
  std::size_t asked = 0;
};

struct Fickle {
  explicit Fickle(std::uint32_t blocks)
      : manager(test::manager({.blocks = blocks, .tokens_per_block = 4, .eviction = CustomEviction{[&] {
                                                                          auto made = std::make_unique<FickleBackend>();
                                                                          backend = made.get();
                                                                          return made;
                                                                        }}})) {}

  FickleBackend* backend = nullptr;
  BlockManager<G1> manager;
};

Ids ids_of(const BlockRun<MutableBlock<G1>>& run) { return {run.ids().begin(), run.ids().end()}; }

/// The store counts idle blocks itself, so an order cannot claim more than it was given; it can refuse to yield them.
TEST(CustomBackend, AnOrderThatYieldsNothingFailsAnAllocationWithoutATrace) {  // logical.md 18.2 case 37
  Fickle fickle(6);
  const std::vector hashes{hash(0), hash(1)};
  { const auto idle = test::registered(fickle.manager, hashes); }
  { const auto rotated = fickle.manager.allocate(2); }  // the reset pool's order is 4, 5, 2, 3 now
  const std::uint64_t allocations = fickle.manager.metrics().allocations;
  fickle.backend->yields_most = 0;

  EXPECT_FALSE(fickle.manager.allocate(5).has_value());

  EXPECT_EQ(fickle.backend->asked, 1u);
  const PoolMetrics metrics = fickle.manager.metrics();
  EXPECT_EQ(metrics.allocate_atomic_rollback_total, 1u);
  EXPECT_EQ(metrics.allocations, allocations);
  EXPECT_EQ(metrics.evictions, 0u);
  EXPECT_EQ(metrics.inactive_pool_size, 2);
  EXPECT_EQ(metrics.reset_pool_size, 4);
  EXPECT_EQ(ids_of(*fickle.manager.allocate(4)), (Ids{4, 5, 2, 3}));
}

TEST(CustomBackend, VictimsOfAFailedAllocationGoBack) {  // case 38
  Fickle fickle(8);
  const std::vector hashes{hash(0), hash(1), hash(2), hash(3)};
  { const auto idle = test::registered(fickle.manager, hashes); }
  ASSERT_EQ(fickle.manager.metrics().inactive_pool_size, 4);
  fickle.backend->yields_most = 2;

  EXPECT_FALSE(fickle.manager.allocate(7).has_value());

  EXPECT_EQ(fickle.backend->asked, 3u);
  const PoolMetrics metrics = fickle.manager.metrics();
  EXPECT_EQ(metrics.allocate_atomic_rollback_total, 1u);
  EXPECT_EQ(metrics.evictions, 0u);
  EXPECT_EQ(metrics.inactive_pool_size, 4);
  EXPECT_EQ(metrics.reset_pool_size, 4);
  EXPECT_EQ(fickle.manager.match_blocks(hashes).size(), 4u);  // the victims are still found
  EXPECT_EQ(ids_of(*fickle.manager.allocate(4)), (Ids{4, 5, 6, 7}));
}

TEST(CustomBackend, AFailedAllocationLeavesEverythingUsable) {
  Fickle fickle(8);
  const auto chain = test::chain(1, 6);
  { const auto idle = test::registered(fickle.manager, chain); }
  fickle.backend->yields_most = 3;
  EXPECT_FALSE(fickle.manager.allocate(8).has_value());
  EXPECT_FALSE(fickle.manager.allocate_with_evictions(6).has_value());

  fickle.backend->yields_most = 1000;
  const auto all = fickle.manager.allocate_with_evictions(8);

  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->evicted.size(), 6u);
  EXPECT_EQ(fickle.manager.available_blocks(), 0u);
}

TEST(CustomBackend, ASingleBlockIsRefusedToo) {
  Fickle fickle(1);
  { const auto idle = test::registered(fickle.manager, hash(1)); }
  fickle.backend->yields_most = 0;

  EXPECT_FALSE(fickle.manager.allocate_block().has_value());
  EXPECT_FALSE(fickle.manager.allocate(1).has_value());
  EXPECT_EQ(fickle.manager.metrics().allocate_atomic_rollback_total, 2u);

  fickle.backend->yields_most = 1;
  EXPECT_TRUE(fickle.manager.allocate_block().has_value());
}

TEST(CustomBackend, DrainingEndsWhenNothingMoreComes) {
  Fickle fickle(4);
  { const auto idle = test::registered(fickle.manager, test::chain(1, 3)); }
  fickle.backend->yields_most = 0;
  EXPECT_EQ(fickle.manager.reset_inactive_pool().drained, 0u);

  fickle.backend->yields_most = 2;
  const ResetOutcome outcome = fickle.manager.reset_inactive_pool();

  EXPECT_EQ(outcome.drained, 3u);
  EXPECT_TRUE(outcome.all_free());
}

TEST(CustomBackend, IsMadeOncePerManager) {
  int made = 0;
  const ManagerOptions options{.blocks = 4, .tokens_per_block = 4, .eviction = CustomEviction{[&made] {
                                                                     ++made;
                                                                     return std::make_unique<test::VectorBackend>();
                                                                   }}};
  const auto first = test::manager(options);
  EXPECT_EQ(made, 1);
  const auto second = test::manager(options);
  EXPECT_EQ(made, 2);
}

TEST(CustomBackend, NoBackendIsAnError) {
  const auto manager =
      BlockManager<G1>::create({.blocks = 4, .registry = BlockRegistry(), .eviction = CustomEviction{[] {
                                                                            return std::unique_ptr<EvictionBackend>();
                                                                          }}});
  ASSERT_FALSE(manager);
  EXPECT_EQ(manager.error().code, InvalidOptions::Code::BackendMissing);
}

/// The order sees the hashes of idle blocks, and only those become known to it.
TEST(CustomBackend, DecidesWhoGoes) {
  class HighestPosition final : public EvictionBackend {
   public:
    void reserve(const SlotView& slots) override { slots_.emplace(slots); }
    void insert(std::span<const BlockId> blocks) noexcept override {
      for (const BlockId block : blocks) idle_.push_back(block);
    }
    void erase(std::span<const BlockId> blocks) noexcept override {
      for (const BlockId block : blocks) std::erase(idle_, block);
    }
    [[nodiscard]] std::size_t evict(std::span<BlockId> victims) noexcept override {
      std::sort(idle_.begin(), idle_.end(),
                [&](BlockId a, BlockId b) { return slots_->hash(a).position() < slots_->hash(b).position(); });
      std::size_t count = 0;
      for (; count < victims.size() && !idle_.empty(); idle_.pop_back()) victims[count++] = idle_.back();
      return count;
    }
    [[nodiscard]] std::size_t size() const noexcept override { return idle_.size(); }

   private:
    std::optional<SlotView> slots_;
    Ids idle_;
  };
  const auto manager = test::manager({.blocks = 6, .tokens_per_block = 4, .eviction = CustomEviction{[] {
                                                                            return std::make_unique<HighestPosition>();
                                                                          }}});
  const auto older = test::chain(1, 2), longer = test::chain(2, 4);
  { const auto idle = test::registered(manager, longer); }
  { const auto idle = test::registered(manager, older); }

  EXPECT_EQ(manager.allocate_with_evictions(2)->evicted, (std::vector{longer[3], longer[2]}));
}

}  // namespace
}  // namespace kvbm
