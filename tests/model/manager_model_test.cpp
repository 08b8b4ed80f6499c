// Random operations on a manager and on a model of it, compared after each. A failure names its seed; with KVBM_SEED
// set to it, and the same filter, the run repeats alone. KVBM_STEPS makes the runs longer.

#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>
#include <random>
#include <string>
#include <variant>

#include "tests/model/store_model.hpp"
#include "tests/support/environment.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::test {
namespace {

using Mutable = MutableBlock<G1>;
using Complete = CompleteBlock<G1>;
using Immutable = ImmutableBlock<G1>;
using Run = BlockRun<Immutable>;

struct Case {
  std::string name;
  EvictionOptions eviction;
  DuplicationPolicy duplication;
  bool reset_on_release;
};

void PrintTo(const Case& options, std::ostream* out) { *out << options.name; }

std::vector<Case> cases() {
  const std::vector<std::pair<std::string, EvictionOptions>> evictions{
      {"fifo", FifoEviction{}},
      {"lru", LruEviction{}},
      {"multi_lru", MultiLruEviction{{2, 4, 8}}},
      {"lineage", LineageEviction{}},
      {"lineage_fifo", LineageEviction{LineageEviction::Order::Fifo}},
  };
  std::vector<Case> all;
  for (const auto& [name, eviction] : evictions) {
    for (const bool allow : {true, false}) {
      for (const bool reset : {false, true}) {
        all.push_back({name + (allow ? "_allow" : "_reject") + (reset ? "_reset" : ""), eviction,
                       allow ? DuplicationPolicy::Allow : DuplicationPolicy::Reject, reset});
      }
    }
  }
  return all;
}

/// One manager, its model, and everything that is held of them.
class Driver {
 public:
  Driver(const Case& options, std::uint64_t seed)
      : random_(seed),
        blocks_(static_cast<std::uint32_t>(4 + random_() % 40)),
        tracker_(std::make_shared<ExactTracker>()),
        registry_(RegistryOptions{.tracker = tracker_}),
        manager_(manager({.blocks = blocks_,
                          .tokens_per_block = 4,
                          .registry = registry_,
                          .duplication = options.duplication,
                          .eviction = options.eviction,
                          .reset_on_release = options.reset_on_release})),
        model_({blocks_, options.duplication, options.reset_on_release, options.eviction}),
        universe_(forest(random_, 8 + 3 * blocks_ / 2)) {}

  void step() {
    if (held_.size() > 12 && below(2) == 0) return drop();
    switch (below(28)) {
      case 0:
      case 1:
      case 2:
        return allocate();
      case 24:
      case 25:
      case 26:
        return fill();
      case 3:
        return allocate_one();
      case 4:
      case 5:
      case 6:
        return stage();
      case 7:
      case 8:
      case 9:
        return register_blocks();
      case 10:
        return reset_staged();
      case 11:
      case 12:
        return match();
      case 13:
        return match_scattered();
      case 14:
        return scan();
      case 15:
        return copy();
      case 16:
        return downgrade();
      case 17:
        return upgrade();
      case 18:
        return pin();
      case 19:
        return reshape_run();
      case 20:
        return set_reset();
      case 21:
        return random_() % 16 == 0 ? reset_inactive_pool() : drop();
      case 22:
        return registry();
      default:
        return drop();
    }
  }

  void compare() {
    manager_.check_invariants();
    const PoolMetrics metrics = manager_.metrics();
    ASSERT_EQ(metrics, model_.metrics()) << difference(metrics, model_.metrics());
    ASSERT_EQ(manager_.available_blocks(), model_.available());
    ASSERT_EQ(registry_.registered_count(), model_.registered_count());
    const SequenceHash& probe = any_hash();
    ASSERT_EQ(registry_.is_registered(probe), model_.registered(probe));
    ASSERT_EQ(registry_.check_presence<G1>({&probe, 1}).front().second, model_.present(probe));
    ASSERT_EQ(registry_.count(probe), model_.uses(probe));
  }

  /// Drops everything and evicts everything: the whole remaining order shows.
  void finish() {
    while (!held_.empty()) drop();
    compare();
    std::vector<SequenceHash> evicted;
    const auto expected = model_.allocate(model_.available(), &evicted);
    const auto got = manager_.allocate_with_evictions(manager_.available_blocks());
    ASSERT_TRUE(got);
    EXPECT_EQ(std::vector<BlockId>(got->blocks.ids().begin(), got->blocks.ids().end()), *expected);
    EXPECT_EQ(got->evicted, evicted);
    EXPECT_EQ(got->blocks.size(), blocks_) << "a block was lost";
  }

  [[nodiscard]] const PoolMetrics& metrics() const { return model_.metrics(); }

 private:
  struct MutableRun {
    BlockRun<Mutable> run;
  };
  struct StagedRun {
    BlockRun<Complete> run;
  };
  struct WeakPair {
    WeakBlock<G1> block;
    StoreModel::Weak model;
  };
  struct Pin {
    LifecyclePin pin;
  };
  struct Sparse {
    SparseRun<G1> run;
  };
  using Held =
      std::variant<Mutable, Complete, Immutable, MutableRun, StagedRun, Run, WeakPair, Pin, Sparse, Registration>;

  static std::string difference(const PoolMetrics& got, const PoolMetrics& expected) {
    const auto text = [](const PoolMetrics& m) {
      std::string all;
      for (const std::int64_t value :
           {static_cast<std::int64_t>(m.allocations), static_cast<std::int64_t>(m.evictions),
            static_cast<std::int64_t>(m.registrations), static_cast<std::int64_t>(m.duplicate_blocks),
            static_cast<std::int64_t>(m.registration_dedup), static_cast<std::int64_t>(m.stagings),
            static_cast<std::int64_t>(m.match_blocks_returned), static_cast<std::int64_t>(m.scan_blocks_returned),
            m.inflight_mutable, m.inflight_immutable, m.reset_pool_size, m.inactive_pool_size}) {
        all += std::to_string(value) + " ";
      }
      return all;
    };
    return "allocations evictions registrations duplicates dedup stagings matched scanned FM FI R I\n got " +
           text(got) + "\n expected " + text(expected);
  }

  std::size_t below(std::size_t limit) { return random_() % limit; }
  const SequenceHash& any_hash() { return universe_[below(universe_.size())]; }
  /// A stretch of some sequence, sometimes with a stranger in it.
  std::vector<SequenceHash> some_hashes() {
    std::vector<SequenceHash> hashes;
    const std::size_t first = below(universe_.size());
    const std::size_t count = below(9);
    for (std::size_t i = 0; i < count; ++i) {
      hashes.push_back(below(8) == 0 ? any_hash() : universe_[(first + i) % universe_.size()]);
    }
    return hashes;
  }
  template <class T>
  T* find_held() {
    for (std::size_t tries = 0; !held_.empty() && tries < 8; ++tries) {
      std::swap(held_[below(held_.size())], held_.back());
      if (T* found = std::get_if<T>(&held_.back())) return found;
    }
    return nullptr;
  }
  static std::vector<BlockId> ids_of(std::span<const BlockId> ids) { return {ids.begin(), ids.end()}; }

  void allocate() {
    const auto count = static_cast<std::uint32_t>(below(7));
    std::vector<SequenceHash> evicted;
    const auto expected = model_.allocate(count, &evicted);
    auto got = manager_.allocate_with_evictions(count);
    ASSERT_EQ(got.has_value(), expected.has_value());
    if (!got) return;
    ASSERT_EQ(ids_of(got->blocks.ids()), *expected);
    ASSERT_EQ(got->evicted, evicted);
    held_.emplace_back(MutableRun{std::move(got->blocks)});
  }
  void allocate_one() {
    const auto expected = model_.allocate(1);
    auto got = manager_.allocate_block();
    ASSERT_EQ(got.has_value(), expected.has_value());
    if (!got) return;
    ASSERT_EQ(got->id(), expected->front());
    held_.emplace_back(std::move(*got));
  }
  void stage() {
    if (Mutable* block = find_held<Mutable>(); block != nullptr && below(2) == 0) {
      const SequenceHash hash = any_hash();
      model_.stage(block->id(), hash);
      Complete staged = test::stage(std::move(*block), hash);
      held_.back() = std::move(staged);
    } else if (MutableRun* run = find_held<MutableRun>()) {
      std::vector<SequenceHash> hashes = some_hashes();
      auto refused = std::move(run->run).stage(hashes, 8);  // wrong size, and mostly a wrong count
      if (!refused) {
        run->run = std::move(refused.error().block);
      } else {  // an empty run does not mind
        held_.back() = StagedRun{std::move(*refused)};
        return;
      }
      hashes.resize(run->run.size(), any_hash());
      for (std::uint32_t i = 0; i < run->run.size(); ++i) model_.stage(run->run.id(i), hashes[i]);
      auto staged = std::move(run->run).stage(hashes, 4);
      ASSERT_TRUE(staged);
      held_.back() = StagedRun{std::move(*staged)};
    }
  }
  void register_blocks() {
    if (Complete* block = find_held<Complete>(); block != nullptr && below(2) == 0) {
      const std::vector<BlockId> expected = model_.register_blocks({block->id()});
      Immutable registered = manager_.register_block(std::move(*block));
      ASSERT_EQ(registered.id(), expected.front());
      ASSERT_EQ(registered.use_count(), model_.use_count(registered.id()));
      held_.back() = std::move(registered);
    } else if (StagedRun* run = find_held<StagedRun>()) {
      const std::vector<BlockId> expected = model_.register_blocks(ids_of(run->run.ids()));
      Run registered = manager_.register_blocks(std::move(run->run));
      ASSERT_EQ(ids_of(registered.ids()), expected);
      held_.back() = std::move(registered);
    }
  }
  /// What a request does: the missing part of some sequence is allocated, staged and registered.
  void fill() {
    const std::vector<SequenceHash> hashes = some_hashes();
    const auto expected = model_.allocate(hashes.size());
    auto run = manager_.allocate(static_cast<std::uint32_t>(hashes.size()));
    ASSERT_EQ(run.has_value(), expected.has_value());
    if (!run) return;
    for (std::size_t i = 0; i < hashes.size(); ++i) model_.stage((*expected)[i], hashes[i]);
    const std::vector<BlockId> ids = model_.register_blocks(*expected);
    Run registered = manager_.register_blocks(std::move(std::move(*run).stage(hashes, 4)).value());
    ASSERT_EQ(ids_of(registered.ids()), ids);
    held_.emplace_back(std::move(registered));
  }
  void reset_staged() {
    if (Complete* block = find_held<Complete>()) {
      model_.unstage(block->id());
      Mutable back = std::move(*block).reset();
      held_.back() = std::move(back);
    } else if (StagedRun* run = find_held<StagedRun>()) {
      for (const BlockId id : run->run.ids()) model_.unstage(id);
      BlockRun<Mutable> back = std::move(run->run).reset();
      held_.back() = MutableRun{std::move(back)};
    }
  }
  void match() {
    const std::vector<SequenceHash> hashes = some_hashes();
    const std::vector<BlockId> expected = model_.match(hashes);
    Run got = manager_.match_blocks(hashes);
    ASSERT_EQ(ids_of(got.ids()), expected);
    held_.emplace_back(std::move(got));
  }
  void match_scattered() {
    const std::vector<SequenceHash> hashes = some_hashes();
    const std::vector<BlockId> expected = model_.match_scattered(hashes);
    SparseRun<G1> got = manager_.match_scattered(hashes);
    ASSERT_EQ(ids_of(got.ids()), expected);
    held_.emplace_back(Sparse{std::move(got)});
  }
  void scan() {
    const std::vector<SequenceHash> hashes = some_hashes();
    const bool touch = below(2) == 0;
    const std::vector<BlockId> expected = model_.scan(hashes, touch);
    Run got = manager_.scan_matches(hashes, touch);
    ASSERT_EQ(ids_of(got.ids()), expected);
    held_.emplace_back(std::move(got));
  }
  void copy() {
    if (Immutable* block = find_held<Immutable>(); block != nullptr && below(2) == 0) {
      model_.copy(block->id());
      held_.emplace_back(Immutable(*block));
    } else if (Run* run = find_held<Run>(); run != nullptr && !run->empty()) {
      if (below(2) == 0) {
        const auto i = static_cast<std::uint32_t>(below(run->size()));
        model_.copy(run->id(i));
        held_.emplace_back(run->block(i));
      } else {
        for (const BlockId id : run->ids()) model_.copy(id);
        held_.emplace_back(run->share());
      }
    } else if (WeakPair* weak = find_held<WeakPair>()) {
      model_.copy_reference(weak->model.hash);
      held_.emplace_back(WeakPair(*weak));
    }
  }
  void downgrade() {
    if (Immutable* block = find_held<Immutable>()) {
      held_.emplace_back(WeakPair{block->downgrade(), model_.downgrade(block->id())});
    }
  }
  void upgrade() {
    WeakPair* weak = find_held<WeakPair>();
    if (weak == nullptr) return;
    const std::optional<BlockId> expected = model_.upgrade(weak->model);
    std::optional<Immutable> got = weak->block.upgrade();
    ASSERT_EQ(got.has_value(), expected.has_value());
    if (!got) return;
    ASSERT_EQ(got->id(), *expected);
    ASSERT_EQ(got->hash(), weak->model.hash);
    held_.emplace_back(std::move(*got));
  }
  void pin() {
    if (Pin* pin = find_held<Pin>(); pin != nullptr && below(2) == 0) {
      model_.copy(pin->pin.id(), true);
      held_.emplace_back(Pin(*pin));
    } else if (Immutable* block = find_held<Immutable>()) {
      model_.copy(block->id(), true);
      held_.emplace_back(Pin{block->pin()});
    }
  }
  void reshape_run() {
    Run* run = find_held<Run>();
    if (run == nullptr) return;
    Run taken = std::move(*run);
    held_.pop_back();
    switch (below(3)) {
      case 0:
        held_.emplace_back(taken.split_off(static_cast<std::uint32_t>(below(taken.size() + 1))));
        held_.emplace_back(std::move(taken));
        return;
      case 1:
        if (Run* other = find_held<Run>()) {
          other->append(std::move(taken));
        } else {
          held_.emplace_back(std::move(taken));
        }
        return;
      default:
        for (Immutable& block : std::move(taken).into_blocks()) held_.emplace_back(std::move(block));
    }
  }
  void set_reset() {
    if (Immutable* block = find_held<Immutable>()) {
      const bool reset = below(2) == 0;
      model_.set_reset(block->id(), reset);
      block->set_evict_on_reset(reset);
    }
  }
  void reset_inactive_pool() {
    const std::size_t drained = model_.reset_inactive_pool();
    const ResetOutcome outcome = manager_.reset_inactive_pool();
    ASSERT_EQ(outcome.drained, drained);
    ASSERT_EQ(outcome.free, model_.free());
  }
  void registry() {
    const SequenceHash& hash = any_hash();
    if (below(2) == 0) {
      model_.touch(hash);
      registry_.touch(hash);
    } else {
      model_.register_hash(hash);
      held_.emplace_back(registry_.register_hash(hash));
    }
  }

  void drop() {
    if (held_.empty()) return;
    std::swap(held_[below(held_.size())], held_.back());
    std::visit([this](const auto& held) { forget(held); }, held_.back());
    held_.pop_back();
  }
  void forget(const Mutable& block) { model_.drop_exclusive(block.id()); }
  void forget(const Complete& block) { model_.drop_exclusive(block.id()); }
  void forget(const MutableRun& held) { forget_in_order(held.run.ids()); }
  void forget(const StagedRun& held) { forget_in_order(held.run.ids()); }
  void forget_in_order(std::span<const BlockId> ids) {
    for (const BlockId id : ids) model_.drop_exclusive(id);
  }
  void forget(const Immutable& block) { model_.drop(block.id()); }
  void forget(const Run& run) { forget_backwards(run.ids()); }
  void forget(const Sparse& held) { forget_backwards(held.run.ids()); }
  void forget_backwards(std::span<const BlockId> ids) {
    for (std::size_t i = ids.size(); i-- > 0;) {
      if (ids[i] != kNoBlock) model_.drop(ids[i]);
    }
  }
  void forget(const Pin& held) { model_.drop(held.pin.id(), true); }
  void forget(const WeakPair& held) { model_.drop_reference(held.model.hash); }
  void forget(const Registration& held) { model_.drop_reference(held.hash()); }

  std::mt19937_64 random_;
  std::uint32_t blocks_;
  std::shared_ptr<ExactTracker> tracker_;
  BlockRegistry registry_;
  BlockManager<G1> manager_;
  StoreModel model_;
  std::vector<SequenceHash> universe_;
  std::vector<Held> held_;
};

class ManagerModel : public ::testing::TestWithParam<Case> {};

TEST_P(ManagerModel, AgreesWithTheModelAfterEveryOperation) {
  constexpr std::uint64_t kSeeds = 10;
  const std::uint64_t only = from_environment("KVBM_SEED", 0);
  const std::uint64_t steps = from_environment("KVBM_STEPS", 500);
  std::uint64_t evictions = 0, seconds = 0, matches = 0;
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : kSeeds); ++seed) {
    Driver driver(GetParam(), seed);
    for (std::uint64_t step = 0; step < steps; ++step) {
      SCOPED_TRACE("KVBM_SEED=" + std::to_string(seed) + " step " + std::to_string(step));
      driver.step();
      if (HasFatalFailure()) return;
      driver.compare();
      if (HasFatalFailure()) return;
    }
    SCOPED_TRACE("KVBM_SEED=" + std::to_string(seed) + " at the end");
    driver.finish();
    if (HasFailure()) return;
    evictions += driver.metrics().evictions;
    seconds += driver.metrics().duplicate_blocks + driver.metrics().registration_dedup;
    matches += driver.metrics().match_blocks_returned;
  }
  if (only == 0) {
    EXPECT_GT(evictions, GetParam().reset_on_release ? 5u : 500u) << "the runs were too tame";
    EXPECT_GT(seconds, 200u) << "the runs were too tame";
    EXPECT_GT(matches, 200u) << "the runs were too tame";
  }
  RecordProperty("evictions", static_cast<int>(evictions));
  RecordProperty("duplicates", static_cast<int>(seconds));
  RecordProperty("matches", static_cast<int>(matches));
}

INSTANTIATE_TEST_SUITE_P(Backends, ManagerModel, ::testing::ValuesIn(cases()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace kvbm::test
