// Threads doing everything at once, for a fixed number of steps. Each writes the pages it may fill and reads those it
// holds: a page handed out twice is a wrong word, and a data race under ThreadSanitizer.
//
// The environment makes it longer: KVBM_STRESS_FACTOR multiplies the steps (1000: minutes; under ThreadSanitizer
// most of an hour), KVBM_STRESS_SEED chooses others.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kvbm/registry/frequency_sketch.hpp"
#include "src/host/base/test_points.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/environment.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

constexpr std::uint32_t kBlocks = 48;
constexpr std::uint32_t kThreads = 4;
constexpr std::uint32_t kChains = 16;
constexpr std::uint32_t kChainLength = 6;

/// The bytes of one block, plain memory on purpose.
struct Page {
  std::array<std::uint64_t, 8> words{};

  void fill(std::uint64_t word) { words.fill(word); }
  [[nodiscard]] bool holds(std::uint64_t word) const {
    return std::all_of(words.begin(), words.end(), [&](std::uint64_t other) { return other == word; });
  }
};

/// A manager with the pages of its blocks.
template <class Tier>
struct Pool {
  explicit Pool(ManagerOptions options) : manager(test::manager<Tier>(std::move(options))), pages(kBlocks) {}

  std::optional<BlockManager<Tier>> manager;
  std::vector<Page> pages;
};

/// One thread's holdings in one pool, and what it does to them at random.
template <class Tier>
class Worker {
 public:
  Worker(Pool<Tier>& pool, std::uint64_t number, std::uint64_t seed) : pool_(pool), number_(number), random_(seed) {}

  /// One operation on the manager or on what is held.
  void step() {
    switch (below(16)) {
      case 0:
      case 1:
        return register_run();
      case 2:
        return register_one();
      case 3:
      case 4:
        return match();
      case 5:
        return match_one();
      case 6:
        return match_scattered();
      case 7:
        return scan();
      case 8:
        return fill_and_give_back();
      case 9:
        return ask();
      case 10:
        return drop_much();
      default:
        return step_without_manager();
    }
  }

  /// One operation on what is held; the manager may be gone.
  void step_without_manager() {
    switch (below(8)) {
      case 0:
        return copy();
      case 1:
        return make_weak();
      case 2:
        return upgrade();
      case 3:
        return set_flag();
      case 4:
        return reshape();
      default:
        return drop_some();
    }
  }

 private:
  using Guard = ImmutableBlock<Tier>;
  using Run = BlockRun<Guard>;
  static constexpr std::size_t kMostHeld = 4;  // of a kind

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  const BlockManager<Tier>& manager() { return *pool_.manager; }
  static std::uint64_t word_of(const SequenceHash& hash) { return hash.current() * 2 + hash.position(); }

  std::vector<SequenceHash> some_prefix() { return test::chain(below(kChains), 1 + below(kChainLength)); }
  std::vector<SequenceHash> some_hashes() {
    std::vector<SequenceHash> hashes;
    for (std::uint32_t i = 1 + below(8); i > 0; --i) hashes.push_back(some_prefix().back());
    return hashes;
  }

  /// Writes a page that this thread alone may touch: first with a word of its own, then with the hash's.
  void fill(BlockId id, const SequenceHash& hash) {
    const std::uint64_t own = ~(number_ << 32 | ++serial_);
    pool_.pages[id].fill(own);
    EXPECT_TRUE(pool_.pages[id].holds(own)) << "block " << id << " is filled by two threads";
    pool_.pages[id].fill(word_of(hash));
  }
  void check(BlockId id, const SequenceHash& hash) const {
    EXPECT_TRUE(pool_.pages[id].holds(word_of(hash))) << "block " << id << " was overwritten while held";
  }
  void check(const Run& run) const {
    for (std::uint32_t i = 0; i < run.size(); ++i) check(run.id(i), run.hash(i));
  }

  template <class Object>
  void keep(std::vector<Object>& held, Object object) {
    if (held.size() < kMostHeld) {
      held.push_back(std::move(object));
    } else {
      held[below(kMostHeld)] = std::move(object);
    }
  }
  template <class Object>
  void drop_one(std::vector<Object>& held) {
    if (held.empty()) return;
    std::swap(held[below(static_cast<std::uint32_t>(held.size()))], held.back());
    held.pop_back();
  }
  template <class Object>
  Object* any(std::vector<Object>& held) {
    return held.empty() ? nullptr : &held[below(static_cast<std::uint32_t>(held.size()))];
  }

  void register_run() {
    const auto hashes = some_prefix();
    auto run = manager().allocate(static_cast<std::uint32_t>(hashes.size()));
    if (!run) return drop_much();
    for (std::uint32_t i = 0; i < run->size(); ++i) fill(run->id(i), hashes[i]);
    auto staged = std::move(*run).stage(hashes, manager().tokens_per_block());
    Run registered = manager().register_blocks(std::move(*staged));
    for (std::uint32_t i = 0; i < registered.size(); ++i) EXPECT_EQ(registered.hash(i), hashes[i]);
    check(registered);
    if (below(2) == 0) keep(runs_, std::move(registered));
  }

  void register_one() {
    const SequenceHash hash = some_prefix().back();
    auto block = manager().allocate_block();
    if (!block) return drop_much();
    fill(block->id(), hash);
    Guard guard = manager().register_block(test::stage(std::move(*block), hash));
    check(guard.id(), hash);
    if (below(2) == 0) keep(guards_, std::move(guard));
  }

  void match() {
    const auto hashes = some_prefix();
    Run run = manager().match_blocks(hashes);
    for (std::uint32_t i = 0; i < run.size(); ++i) EXPECT_EQ(run.hash(i), hashes[i]);
    check(run);
    if (below(2) == 0) keep(runs_, std::move(run));
  }

  void match_one() {
    const SequenceHash hash = some_prefix().back();
    std::optional<Guard> guard = manager().match_block(hash);
    if (!guard) return;
    check(guard->id(), hash);
    if (below(2) == 0) keep(guards_, std::move(*guard));
  }

  void match_scattered() {
    const auto hashes = some_hashes();
    auto found = manager().match_scattered(hashes);
    for (std::uint32_t i = 0; i < found.size(); ++i) {
      if (found.has(i)) check(found.ids()[i], hashes[i]);
    }
    keep(sparse_, std::move(found));
  }

  void scan() {
    const auto hashes = some_hashes();
    Run run = manager().scan_matches(hashes, below(2) == 0);
    check(run);
    if (below(2) == 0) keep(runs_, std::move(run));
  }

  void fill_and_give_back() {
    const auto hashes = some_prefix();
    auto run = manager().allocate(static_cast<std::uint32_t>(hashes.size()));
    if (!run) return drop_much();
    for (std::uint32_t i = 0; i < run->size(); ++i) fill(run->id(i), hashes[i]);
    if (below(2) == 0) return;
    auto staged = std::move(*run).stage(hashes, manager().tokens_per_block());
    if (below(2) == 0) return;
    auto again = std::move(*staged).reset();
    for (std::uint32_t i = 0; i < again.size(); ++i) fill(again.id(i), hashes[i]);
  }

  void ask() {
    const auto hashes = some_hashes();
    const BlockRegistry& registry = manager().registry();
    EXPECT_LE(manager().available_blocks(), kBlocks);
    EXPECT_LE(manager().metrics().reset_pool_size, kBlocks);
    EXPECT_EQ(registry.template check_presence<Tier>(hashes).size(), hashes.size());
    const std::optional<Registration> found = registry.find(hashes[0], true);
    EXPECT_TRUE(!found || found->hash() == hashes[0]);
    if (below(8) == 0) manager().reset_inactive_pool();
    if (below(8) == 0) static_cast<void>(registry.registered_count());
  }

  void copy() {
    if (const Run* run = any(runs_); run != nullptr && !run->empty()) {
      keep(guards_, run->block(below(run->size())));
      if (below(2) == 0) keep(runs_, run->share());
    }
    if (const Guard* guard = any(guards_)) {
      check(guard->id(), guard->hash());
      EXPECT_GE(guard->use_count(), 1u);
      if (below(2) == 0) keep(pins_, guard->pin());
      keep(guards_, Guard(*guard));
    }
    if (const LifecyclePin* pin = any(pins_)) check(pin->id(), pin->hash());
  }

  void make_weak() {
    if (const Guard* guard = any(guards_)) keep(weak_, guard->downgrade());
    if (const WeakBlock<Tier>* weak = any(weak_); weak != nullptr && below(4) == 0) keep(weak_, WeakBlock<Tier>(*weak));
  }

  void upgrade() {
    const WeakBlock<Tier>* weak = any(weak_);
    if (weak == nullptr) return;
    std::optional<Guard> guard = weak->upgrade();
    if (!guard) return;
    EXPECT_EQ(guard->hash(), weak->hash());
    check(guard->id(), guard->hash());
    if (below(2) == 0) keep(guards_, std::move(*guard));
  }

  void set_flag() {
    if (Guard* guard = any(guards_)) guard->set_evict_on_reset(below(2) == 0);
  }

  /// Joins, cuts and dissolves runs.
  void reshape() {
    Run* run = any(runs_);
    if (run == nullptr || run->empty()) return;
    Run tail = run->split_off(below(run->size() + 1));
    check(tail);
    if (below(2) == 0) {
      run->append(std::move(tail));
      return;
    }
    std::vector<Guard> guards = std::move(tail).into_blocks();
    std::shuffle(guards.begin(), guards.end(), random_);
    if (!guards.empty() && below(2) == 0) keep(runs_, Run::of(std::move(guards)));
  }

  void drop_some() {
    drop_one(guards_);
    drop_one(runs_);
    if (below(2) == 0) drop_one(sparse_);
    if (below(2) == 0) drop_one(pins_);
    if (below(4) == 0) drop_one(weak_);
  }
  void drop_much() {
    guards_.clear();
    runs_.clear();
    sparse_.clear();
    pins_.clear();
  }

  Pool<Tier>& pool_;
  const std::uint64_t number_;
  std::uint64_t serial_ = 0;
  std::mt19937_64 random_;
  std::vector<Guard> guards_;
  std::vector<Run> runs_;
  std::vector<SparseRun<Tier>> sparse_;
  std::vector<WeakBlock<Tier>> weak_;
  std::vector<LifecyclePin> pins_;
};

struct Setting {
  std::string name;
  EvictionOptions eviction;
  DuplicationPolicy duplication = DuplicationPolicy::Allow;
  bool reset_on_release = false;
  bool hook = false;
};

/// Threads give way at the named points, which makes the rare meetings common.
class Stress : public testing::TestWithParam<Setting> {
 protected:
  static constexpr std::uint64_t kSteps = 4'000;

  void SetUp() override {
    test_point_hook.store([](TestPoint) { std::this_thread::yield(); });
  }
  void TearDown() override { test_point_hook.store(nullptr); }

  [[nodiscard]] ManagerOptions options() const {
    const Setting& setting = GetParam();
    return {.blocks = kBlocks,
            .tokens_per_block = 4,
            .registry = registry_,
            .duplication = setting.duplication,
            .eviction = setting.eviction,
            .reset_on_release = setting.reset_on_release};
  }

  /// Runs act(thread's number, its seed) on all threads and waits for them.
  template <class Act>
  void on_all_threads(std::uint64_t salt, Act act) const {
    std::barrier start(kThreads);
    std::vector<std::jthread> threads;
    for (std::uint32_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([=, &start, seed = (seed_ + salt) * kThreads + i] {
        start.arrive_and_wait();
        act(i, seed);
      });
    }
  }

  const std::uint64_t seed_ = test::from_environment("KVBM_STRESS_SEED", 1);
  const std::uint64_t factor_ = test::from_environment("KVBM_STRESS_FACTOR", 1);
  const std::shared_ptr<int> attached_ = std::make_shared<int>();
  BlockRegistry registry_ = BlockRegistry(make_options());

  [[nodiscard]] RegistryOptions make_options() const {
    RegistryOptions made;
    if (std::holds_alternative<MultiLruEviction>(GetParam().eviction)) {
      made.tracker = *make_frequency_tracker({.capacity = 1024});
    }
    if (GetParam().hook) {
      made.on_registered = [attached = std::weak_ptr(attached_)](const Registration& registration) {
        EXPECT_TRUE(registration.attach_unique(attached.lock()));
      };
    }
    return made;
  }
};

template <class Tier>
void expect_all_home(const BlockManager<Tier>& manager) {
  manager.check_invariants();
  EXPECT_EQ(manager.available_blocks(), kBlocks);
  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.eager_primary_to_inactive_total, metrics.release_primary_noop_total);
  EXPECT_EQ(metrics.allocations, metrics.allocations_from_reset + metrics.evictions);
  EXPECT_EQ(metrics.allocate_atomic_rollback_total, 0u);
  EXPECT_EQ(metrics.inflight_mutable, 0);
  EXPECT_EQ(metrics.inflight_immutable, 0);
}

TEST_P(Stress, NoPageIsHandedOutTwiceAndAllComeHome) {
  SCOPED_TRACE("KVBM_STRESS_SEED=" + std::to_string(seed_));
  Pool<G1> device(options());
  Pool<G2> host(options());
  const std::uint64_t steps = kSteps * factor_;

  on_all_threads(0, [&, steps](std::uint64_t number, std::uint64_t seed) {
    Worker<G1> on_device(device, number, seed);
    Worker<G2> on_host(host, number, ~seed);
    for (std::uint64_t i = 0; i < steps; ++i) {
      on_device.step();
      on_host.step();
    }
  });

  expect_all_home(*device.manager);
  expect_all_home(*host.manager);
  EXPECT_TRUE(device.manager->reset_inactive_pool().all_free());
  EXPECT_TRUE(host.manager->reset_inactive_pool().all_free());
  EXPECT_EQ(registry_.registered_count(), 0u);
  RecordProperty("rescued", std::to_string(device.manager->metrics().eager_primary_to_inactive_total));
  EXPECT_EQ(attached_.use_count(), 1) << "a registration outlived its blocks";
}

TEST_P(Stress, StoreGoesWithTheLastOfManyThreads) {
  SCOPED_TRACE("KVBM_STRESS_SEED=" + std::to_string(seed_));
  constexpr std::uint64_t kRounds = 30;
  for (std::uint64_t round = 0; round < kRounds * factor_; ++round) {
    std::weak_ptr<RegistryState> watched;
    {
      Pool<G1> pool(options());
      watched = std::exchange(registry_, BlockRegistry(make_options())).state();  // the pool's is in no other hands
      std::barrier manager_goes(kThreads);

      on_all_threads(round, [&](std::uint64_t number, std::uint64_t seed) {
        Worker<G1> worker(pool, number, seed);
        for (int i = 0; i < 40; ++i) worker.step();
        manager_goes.arrive_and_wait();
        if (number == 0) pool.manager.reset();
        for (int i = 0; i < 10; ++i) worker.step_without_manager();
      });
    }
    ASSERT_TRUE(watched.expired()) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(EverySetting, Stress,
                         testing::Values(Setting{"Lineage", LineageEviction{}},
                                         Setting{"LineageHook", LineageEviction{}, {}, false, true},
                                         Setting{"LineageFifoRejectReset",
                                                 LineageEviction{LineageEviction::Order::Fifo},
                                                 DuplicationPolicy::Reject, true, true},
                                         Setting{"LruReject", LruEviction{}, DuplicationPolicy::Reject},
                                         Setting{"LruResetHook", LruEviction{}, DuplicationPolicy::Allow, true, true},
                                         Setting{"MultiLru", MultiLruEviction{}}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace kvbm
