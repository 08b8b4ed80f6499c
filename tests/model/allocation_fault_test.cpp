#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "kvbm/registry/frequency_sketch.hpp"
#include "kvbm/tokens/token_sequence.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/every_backend.hpp"
#include "tests/support/managers.hpp"
#include "tests/support/zeroed_memory_faults.hpp"

// Memory runs out at the n-th allocation of a course that uses every operation, for every n: by operator new, or by
// calloc, where slots, tables, rings and indexes come from.

namespace kvbm {
namespace {

/// A tier whose name fits no string without memory of its own.
struct TierWithAVeryLongName {};
using Tier = TierWithAVeryLongName;
using Filling = BlockRun<MutableBlock<Tier>>;
using Shared = BlockRun<ImmutableBlock<Tier>>;

constexpr std::uint32_t kBlocks = 10;
constexpr std::uint32_t kTokens = 4;

/// Hangs on registrations; it counts how many of its kind there are.
template <int kKind>
struct Attached {
  static inline int live = 0;
  Attached() noexcept { ++live; }
  Attached(const Attached& /*other*/) noexcept { ++live; }
  Attached& operator=(const Attached&) noexcept = default;
  ~Attached() { --live; }
};
using Unique = Attached<0>;
using Repeated = Attached<1>;
using FromHook = Attached<2>;

struct Setup {
  test::NamedEviction eviction;
  DuplicationPolicy duplication = DuplicationPolicy::Allow;
  bool has_hook = false;
  bool runs_on_heap = false;  ///< what the store set aside for the ids of runs is in use
};

/// One course through the interface. Where memory runs out it notes the failure, checks, and goes on with what it has.
class Course {
 public:
  explicit Course(const Setup& setup) : setup_(setup) {
    singles_.reserve(2 * kBlocks);
    room_.reserve(16);
    if (setup.runs_on_heap) misses_.assign(1u << 16, test::hash(999));
  }

  void run() {
    make();
    if (setup_.runs_on_heap) use_up_room();
    fill();
    register_all();
    look_up();
    reshape();
    remember();
    use_registry();
    evict();
    report();
  }

  /// Lets go of everything. Whatever failed, all blocks are back, and nothing is registered or attached.
  void expect_nothing_lost() {
    if (!manager_) return;
    drop_all();
    manager_->check_invariants();
    const PoolMetrics now = manager_->metrics();
    EXPECT_EQ(manager_->available_blocks(), kBlocks);
    EXPECT_EQ(now.reset_pool_size + now.inactive_pool_size, kBlocks);
    EXPECT_EQ(now.inflight_mutable, 0);
    EXPECT_EQ(now.inflight_immutable, 0);
    EXPECT_EQ(now.allocations, now.allocations_from_reset + now.evictions);
    EXPECT_EQ(now.allocate_atomic_rollback_total, 0u);
    EXPECT_LE(now.registrations, now.stagings);
    EXPECT_TRUE(manager_->reset_inactive_pool().all_free());
    manager_->check_invariants();
    EXPECT_EQ(registry_->registered_count(), 0u);
    manager_.reset();
    EXPECT_EQ(registry_->registered_count(), 0u);
    registry_.reset();
    EXPECT_EQ(Unique::live, 0);
    EXPECT_EQ(Repeated::live, 0);
    EXPECT_EQ(FromHook::live, 0);
  }

 private:
  /// An operation that fails has done nothing: no number of the pools has moved.
  template <class Operation>
  void all_or_nothing(const char* name, Operation&& operation) {
    const PoolMetrics before = manager_->metrics();
    try {
      operation();
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(manager_->metrics() == before) << name << " failed and counted";
      manager_->check_invariants();
    }
  }
  /// An operation that fails may have done a part, and leaves everything in order.
  template <class Operation>
  void in_order(Operation&& operation) {
    try {
      operation();
    } catch (const std::bad_alloc&) {
      manager_->check_invariants();
    }
  }

  void make_registry() {
    RegistryOptions options;
    if (setup_.eviction.needs_tracker) options.tracker = *make_frequency_tracker({.capacity = 64});
    if (setup_.has_hook) {
      options.on_registered = [](const Registration& registration) {
        EXPECT_TRUE(registration.attach_unique(FromHook()).has_value());
      };
    }
    registry_.emplace(std::move(options));
  }
  void make_manager() {
    manager_.emplace(*BlockManager<Tier>::create({.blocks = kBlocks,
                                                  .tokens_per_block = kTokens,
                                                  .registry = registry_,
                                                  .duplication = setup_.duplication,
                                                  .eviction = setup_.eviction.options,
                                                  .metrics = aggregator_}));
  }
  void make() {
    try {
      make_registry();
    } catch (const std::bad_alloc&) {
      make_registry();
    }
    try {
      make_manager();
    } catch (const std::bad_alloc&) {
      EXPECT_EQ(registry_->registered_count(), 0u);
      make_manager();
    }
  }

  /// The store set aside 8 ids for each block and 2^18 more, and lends no fewer than 16.
  void use_up_room() {
    for (int i = 0; i < 4; ++i) room_.push_back(manager_->match_scattered(misses_));
    for (std::uint32_t ids = 0; ids < 8 * kBlocks; ids += 16) {
      room_.push_back(manager_->match_scattered(std::span(misses_).first(1)));
    }
  }

  void fill() {
    all_or_nothing("allocate", [&] { filling_ = manager_->allocate(4); });
    if (!filling_) filling_ = manager_->allocate(4);
    std::optional<Filling> tail;
    all_or_nothing("split_off", [&] { tail = filling_->split_off(1); });
    EXPECT_EQ(filling_->size() + (tail ? tail->size() : 0), 4u);
    if (tail) {
      all_or_nothing("append", [&] { filling_->append(std::move(*tail)); });
      EXPECT_EQ(filling_->size() + tail->size(), 4u);
      if (!tail->empty()) filling_->append(std::move(*tail));
    }
    std::vector<MutableBlock<Tier>> blocks;
    all_or_nothing("into_blocks", [&] { blocks = std::move(*filling_).into_blocks(); });
    if (!blocks.empty()) {
      all_or_nothing("of", [&] { filling_ = Filling::of(std::move(blocks)); });
      if (!blocks.empty()) filling_ = Filling::of(std::move(blocks));
    }
    EXPECT_EQ(filling_->ids().size(), 4u);
    std::optional<MutableBlock<Tier>> single;
    all_or_nothing("allocate_block", [&] { single = manager_->allocate_block(); });
    all_or_nothing("allocate_with_evictions", [&] { EXPECT_TRUE(manager_->allocate_with_evictions(3).has_value()); });
    EXPECT_EQ(manager_->available_blocks(), kBlocks - 4 - (single ? 1 : 0));
  }

  void register_all() {
    auto staged = std::move(std::move(*filling_).stage(std::span(chain_).first(4), kTokens)).value();
    in_order([&] { shared_ = manager_->register_blocks(std::move(staged)); });
    EXPECT_EQ(manager_->available_blocks(), kBlocks - (shared_ ? 4 : 0));  // handed over, so they are back
    register_single(other_[0]);
    register_single(chain_[0]);  // by the policy a duplicate, or its primary once more
  }
  void register_single(const SequenceHash& hash) {
    CompleteBlock<Tier> staged = test::stage(std::move(manager_->allocate_block()).value(), hash);
    in_order([&] { singles_.push_back(manager_->register_block(std::move(staged))); });
  }

  void look_up() {
    if (!shared_) shared_ = manager_->match_blocks(std::span(chain_).first(4));
    EXPECT_EQ(shared_->size(), 4u);
    all_or_nothing("match_blocks", [&] { EXPECT_EQ(manager_->match_blocks(chain_).size(), 4u); });
    all_or_nothing("match_blocks of a miss", [&] { EXPECT_TRUE(manager_->match_blocks(absent_).empty()); });
    all_or_nothing("match_block", [&] { EXPECT_TRUE(manager_->match_block(chain_[1]).has_value()); });
    all_or_nothing("match_scattered", [&] { EXPECT_EQ(manager_->match_scattered(chain_).found(), 4u); });
    all_or_nothing("scan_matches", [&] { EXPECT_EQ(manager_->scan_matches(chain_, true).size(), 4u); });
    all_or_nothing("scan_matches of misses", [&] { EXPECT_TRUE(manager_->scan_matches(absent_, true).empty()); });
    all_or_nothing("check_presence", [&] { EXPECT_EQ(registry_->check_presence<Tier>(chain_).size(), 6u); });
  }

  void reshape() {
    std::optional<Shared> again;
    all_or_nothing("share", [&] { again = shared_->share(); });
    if (!again) again = shared_->share();
    std::optional<Shared> tail;
    all_or_nothing("split_off", [&] { tail = again->split_off(2); });
    if (tail) {
      all_or_nothing("append", [&] { again->append(std::move(*tail)); });
      EXPECT_EQ(again->size() + tail->size(), 4u);
    }
    std::optional<Shared> more;
    all_or_nothing("share", [&] { more = shared_->share(); });
    if (more) all_or_nothing("append", [&] { again->append(std::move(*more)); });  // now each block twice
    std::vector<ImmutableBlock<Tier>> blocks;
    const std::uint32_t size = again->size();
    all_or_nothing("into_blocks", [&] { blocks = std::move(*again).into_blocks(); });
    EXPECT_EQ(blocks.size() + again->size(), size);
    if (blocks.empty()) return;
    all_or_nothing("of", [&] { again = Shared::of(std::move(blocks)); });
    EXPECT_EQ(blocks.size() + again->size(), size);
  }

  void remember() {
    const ImmutableBlock<Tier> block = shared_->block(3);
    const LifecyclePin pin = block.pin();
    std::optional<WeakBlock<Tier>> weak;
    all_or_nothing("downgrade", [&] { weak = block.downgrade(); });
    if (weak) weak_ = *weak;
    EXPECT_EQ(weak_ && weak_->upgrade(), weak_.has_value());
    all_or_nothing("registration", [&] { registration_ = block.registration(); });
    if (!singles_.empty()) singles_.front().set_evict_on_reset(true);
  }

  void use_registry() {
    std::vector<Registration> handles;
    all_or_nothing("register_hashes", [&] { handles = registry_->register_hashes(absent_); });
    EXPECT_EQ(registry_->is_registered(absent_[0]), !handles.empty());
    EXPECT_EQ(registry_->is_registered(absent_[2]), !handles.empty());
    all_or_nothing("find", [&] { EXPECT_TRUE(registry_->find(chain_[0], true).has_value()); });
    all_or_nothing("transfer_registration", [&] { static_cast<void>(registry_->transfer_registration(other_[1])); });
    EXPECT_FALSE(registry_->is_registered(other_[1]));
    all_or_nothing("registered_count", [&] { EXPECT_GE(registry_->registered_count(), 4u); });
    if (registration_) attach_to(*registration_);
  }
  void attach_to(const Registration& registration) {
    bool unique = false;
    all_or_nothing("attach_unique", [&] { unique = registration.attach_unique(Unique()).has_value(); });
    EXPECT_EQ(registration.with_unique<Unique>([](Unique&) {}), unique);
    std::size_t repeated = 0;
    for (int i = 0; i < 3; ++i) {
      all_or_nothing("attach", [&] { repeated += registration.attach(Repeated()).has_value() ? 1 : 0; });
    }
    registration.with_multiple<Repeated>([&](std::span<Repeated> values) { EXPECT_EQ(values.size(), repeated); });
    all_or_nothing("a refused attach", [&] { EXPECT_FALSE(registration.attach_unique(Repeated()).has_value()); });
    registration.with_multiple<Repeated>([&](std::span<Repeated> values) { EXPECT_EQ(values.size(), repeated); });
    int touched = 0;
    all_or_nothing("on_touch", [&] { registration.on_touch([&touched](const SequenceHash&) { ++touched; }); });
    all_or_nothing("touch", [&] { registration.touch(); });
    EXPECT_LE(touched, 1);
    registration_.reset();  // the callbacks go no later than what they refer to, where the weak block failed
    weak_.reset();
  }

  void evict() {
    shared_.reset();
    singles_.clear();
    const std::uint32_t available = manager_->available_blocks();
    EXPECT_EQ(available, kBlocks);
    all_or_nothing("allocate_with_evictions", [&] {
      auto all = manager_->allocate_with_evictions(available);
      EXPECT_GE(all->evicted.size(), 4u);
    });
    EXPECT_EQ(manager_->available_blocks(), kBlocks);
    std::optional<Filling> run;
    all_or_nothing("allocate", [&] { run = manager_->allocate(3); });
    if (run) {
      auto staged = std::move(std::move(*run).stage(other_, kTokens)).value();
      in_order([&] { static_cast<void>(manager_->register_blocks(std::move(staged))); });
    }
    EXPECT_TRUE(manager_->reset_inactive_pool().all_free());
  }

  void report() {
    all_or_nothing("collect", [&] {
      const std::vector<MetricFamily> families = aggregator_.collect();
      EXPECT_FALSE(write_prometheus_text(families).empty());
    });
  }

  void drop_all() {
    filling_.reset();
    shared_.reset();
    singles_.clear();
    weak_.reset();
    registration_.reset();
    room_.clear();
  }

  const Setup& setup_;
  const std::vector<SequenceHash> chain_ = test::chain(1, 6);  // four of them get blocks
  const std::vector<SequenceHash> other_ = test::chain(2, 3);
  const std::vector<SequenceHash> absent_ = test::chain(3, 3);
  std::vector<SequenceHash> misses_;
  MetricsAggregator aggregator_;
  std::optional<BlockRegistry> registry_;
  std::optional<BlockManager<Tier>> manager_;
  std::optional<Filling> filling_;
  std::optional<Shared> shared_;
  std::vector<ImmutableBlock<Tier>> singles_;
  std::optional<WeakBlock<Tier>> weak_;
  std::optional<Registration> registration_;
  std::vector<SparseRun<Tier>> room_;
};

/// Runs the course with each of its allocations failing. Returns how many there are.
std::size_t fail_each(const Setup& setup) {
  for (std::size_t n = 0;; ++n) {
    Course course(setup);
    bool fired = false;
    {
      const test::AllocationFault fault(n);
      course.run();
      fired = fault.fired();
    }
    course.expect_nothing_lost();
    if (testing::Test::HasFailure()) ADD_FAILURE() << "where allocation " << n << " failed";
    if (!fired || testing::Test::HasFailure()) return n;
  }
}

class AllocationFaults : public testing::TestWithParam<test::NamedEviction> {};
INSTANTIATE_TEST_SUITE_P(EveryEviction, AllocationFaults, testing::ValuesIn(test::every_eviction()),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(AllocationFaults, LoseNothing) { EXPECT_GT(fail_each({.eviction = GetParam()}), 20u); }

/// Slots, their table, the reset ring and the ids of runs.
TEST_P(AllocationFaults, ReachTheTablesOfAManager) {
  const std::size_t before = test::refused_callocs();
  fail_each({.eviction = GetParam()});
  EXPECT_GE(test::refused_callocs() - before, 4u);
}

TEST_P(AllocationFaults, LoseNothingWhereDuplicatesAreRejected) {
  EXPECT_GT(fail_each({.eviction = GetParam(), .duplication = DuplicationPolicy::Reject}), 20u);
}

TEST_P(AllocationFaults, LoseNothingWhereAHookAttachesToEachHash) {
  EXPECT_GT(fail_each({.eviction = GetParam(), .has_hook = true}), 30u);
}

TEST(AllocationFaultsOfRuns, LoseNothingWhereTheIdsComeFromTheHeap) {
  const test::NamedEviction eviction{"LineageTick", LineageEviction{}};  // where ids lie is nothing to the order
  const std::size_t without = fail_each({.eviction = eviction});
  EXPECT_GT(fail_each({.eviction = eviction, .has_hook = true, .runs_on_heap = true}), without + 10);
}

TEST(AllocationFaultsOfRuns, LoseNothingWhereOnePoolHasTensOfThousandsOfRuns) {
  const auto manager = test::manager<Tier>();
  const Shared first = test::registered(manager, test::chain(1, 10));
  std::vector<Shared> shares;
  constexpr std::size_t kRuns = 40'000;  // 16 ids each: more than twice of what the store set aside
  shares.reserve(kRuns);
  while (shares.size() < kRuns) shares.push_back(first.share());
  manager.check_invariants();
  EXPECT_EQ(first.block(0).use_count(), kRuns + 2);
  const test::AllocationFault fault(0);
  EXPECT_THROW(static_cast<void>(first.share()), std::bad_alloc);
  EXPECT_EQ(manager.metrics().inflight_immutable, static_cast<std::int64_t>(10 * (kRuns + 1)));
  shares.clear();
  EXPECT_EQ(first.block(0).use_count(), 2u);
  EXPECT_EQ(first.share().size(), 10u);  // from what was given back
  EXPECT_EQ(manager.metrics().inflight_immutable, 10);
}

/// A sequence is left alone by what fails, and its hashes stay those of its tokens.
class TokenCourse {
 public:
  void run() {
    attempt([&] { sequence_.emplace(std::vector<Token>(6, 7), options_); });
    if (!sequence_) sequence_.emplace(std::vector<Token>(6, 7), options_);
    for (Token token = 0; token < 9; ++token) attempt([&] { sequence_->append(token); });
    attempt([&] { sequence_->extend(std::vector<Token>(21, 3)); });
    attempt([&] { static_cast<void>(sequence_->unwind(5)); });
    attempt([&] { static_cast<void>(sequence_->truncate(20)); });
    attempt([&] { static_cast<void>(sequence_->try_pop()); });
    attempt([&] { static_cast<void>(sequence_->blocks()); });
    attempt([&] { static_cast<void>(sequence_->current_block()); });
    attempt([&] { static_cast<void>(TokenBlockSequence(*sequence_)); });
    attempt([&] { static_cast<void>(sequence_->push_mm_run(5, 33)); });
    attempt([&] {
      static_cast<void>(sequence_->extend_with_mm(std::vector<Token>(40, 2), std::vector<MmRun>{{6, 8, 4}, {7, 1, 3}}));
    });
    attempt([&] {
      static_cast<void>(TokenBlockSequence::with_mm(std::vector<Token>(9, 1), std::vector<MmRun>{{6, 2, 4}}, options_));
    });
    attempt([&] { static_cast<void>(TokenBlockSequence(*sequence_).into_parts()); });
    expect_consistent();
  }

 private:
  template <class Operation>
  void attempt(Operation&& operation) {
    const std::size_t size = sequence_ ? sequence_->size() : 0;
    const std::size_t runs = sequence_ ? sequence_->mm_runs().size() : 0;
    try {
      operation();
    } catch (const std::bad_alloc&) {
      if (!sequence_) return;
      EXPECT_EQ(sequence_->size(), size);
      EXPECT_EQ(sequence_->mm_runs().size(), runs);
      expect_consistent();
    }
  }
  void expect_consistent() {
    EXPECT_EQ(sequence_->block_count(), sequence_->size() / 4);
    std::optional<std::uint64_t> parent;
    for (std::size_t i = 0; i < sequence_->block_count(); ++i) {
      const std::uint64_t content = sequence_->block_hash(i);
      EXPECT_EQ(sequence_->parent_of(i), parent);
      parent = parent ? chain_hash(*parent, content) : content;
      EXPECT_EQ(sequence_->hashes()[i].current(), *parent);
    }
  }

  const TokenSequenceOptions options_{.block_size = 4, .salt = 9};
  std::optional<TokenBlockSequence> sequence_;
};

TEST(AllocationFaultsOfTokens, LeaveTheSequenceAsItWas) {
  std::size_t n = 0;
  for (bool fired = true; fired && !testing::Test::HasFailure(); ++n) {
    TokenCourse course;
    const test::AllocationFault fault(n);
    course.run();
    fired = fault.fired();
  }
  EXPECT_GT(n, 20u);
}

}  // namespace
}  // namespace kvbm
