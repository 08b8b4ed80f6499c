#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "src/host/pools/backends/lineage_backend.hpp"
#include "tests/support/backend_bench.hpp"
#include "tests/support/lineage_model.hpp"

namespace kvbm {
namespace {

using Ids = std::vector<BlockId>;
using test::LineageModel;
using test::forest;

/// The same operations on a backend in its bench and on the model, which only hears of blocks going idle and coming
/// back.
template <class Leaves>
class LineageRun {
 public:
  LineageRun(std::uint32_t blocks, std::size_t hashes, std::uint64_t seed)
      : random_(seed),
        hashes_(forest(random_, hashes)),
        bench_(blocks, std::make_unique<LineageBackend<Leaves>>()),
        model_(std::is_same_v<Leaves, TickOrder>) {
    for (BlockId id = 0; id < blocks; ++id) free_.push_back(id);
  }

  void step() {
    const std::uint64_t choice = random_() % 100;
    if (choice < 45) return register_one();  // often refused: the hash is there, or no slot is free
    if (choice < 65) return release_some();
    if (choice < 78) return match_some();
    if (choice < 94) return reset_one();
    evict(choice == 99 && random_() % 8 == 0 ? idle_.size() : random_() % 4);
  }
  void compare() {
    ASSERT_EQ(bench_.size(), model_.size());
    ASSERT_EQ(bench_.leaves(), model_.leaves());
    const std::size_t placeholders = static_cast<LineageBackend<Leaves>&>(bench_.backend()).placeholders();
    ASSERT_EQ(bench_.stand_ins() + placeholders, model_.ghosts());
    most_placeholders_ = std::max(most_placeholders_, placeholders);
    most_stand_ins_ = std::max(most_stand_ins_, bench_.stand_ins());
  }
  void finish() {
    evict(idle_.size() + 1);
    compare();
    EXPECT_TRUE(bench_.untouched());
    EXPECT_EQ(model_.ghosts(), 0u);
    EXPECT_GT(most_placeholders_, 4u) << "the run was too tame";
    EXPECT_GT(most_stand_ins_, 4u) << "the run was too tame";
  }

 private:
  /// Takes a random element out.
  BlockId take(Ids& from) {
    std::swap(from[random_() % from.size()], from.back());
    const BlockId id = from.back();
    from.pop_back();
    return id;
  }
  Ids take_some(Ids& from) {
    Ids ids;
    for (std::size_t count = 1 + random_() % 4; count != 0 && !from.empty(); --count) ids.push_back(take(from));
    return ids;
  }
  [[nodiscard]] const SequenceHash& hash(BlockId id) { return bench_.table()[id].hash; }

  void register_one() {
    const SequenceHash& hash = hashes_[random_() % hashes_.size()];
    if (free_.empty() || bench_.table().find(hash) != kNoBlock) return;
    const BlockId id = take(free_);
    bench_.hold(hash, id);
    suggest_parent(id);
    used_.push_back(id);
  }
  /// As the store does for a run: the block before is likely the parent. Here it rarely is.
  void suggest_parent(BlockId id) {
    if (used_.empty() || random_() % 2 == 0) return;
    const BlockId before = used_[random_() % used_.size()];
    OrderLinks& links = bench_.table()[id].links;
    links.parent = before + 1;
    links.parent_generation = BlockSlot::generation(bench_.table()[before].word);
  }
  void release_some() {
    const Ids ids = take_some(used_);
    bench_.release(ids);
    for (const BlockId id : ids) model_.insert(hash(id), id);
    idle_.insert(idle_.end(), ids.begin(), ids.end());
  }
  void match_some() {
    const Ids ids = take_some(idle_);
    bench_.use(ids);
    for (const BlockId id : ids) model_.remove(hash(id));
    used_.insert(used_.end(), ids.begin(), ids.end());
  }
  void reset_one() {
    if (used_.empty()) return;
    const BlockId id = take(used_);
    bench_.reset(id);
    free_.push_back(id);
  }
  void evict(std::size_t count) {
    Ids expected;
    while (expected.size() < count) {
      const std::optional<BlockId> id = model_.evict();
      if (!id) break;
      expected.push_back(*id);
    }
    ASSERT_EQ(bench_.evict(count), expected);
    for (const BlockId id : expected) {
      std::erase(idle_, id);
      free_.push_back(id);
    }
  }

  std::mt19937_64 random_;
  const std::vector<SequenceHash> hashes_;
  test::BackendBench bench_;
  LineageModel model_;
  Ids free_, used_, idle_;
  std::size_t most_placeholders_ = 0;
  std::size_t most_stand_ins_ = 0;
};

template <class Leaves>
void agrees_with_the_model(std::uint32_t blocks, std::size_t hashes, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "blocks " << blocks << " hashes " << hashes << " seed " << seed);
  LineageRun<Leaves> run(blocks, hashes, seed);
  for (int step = 0; step < 20'000; ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    run.step();
    run.compare();
    if (testing::Test::HasFatalFailure()) return;
  }
  run.finish();
}

template <class Leaves>
void agrees_in_many_shapes() {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    agrees_with_the_model<Leaves>(40, 60, seed);  // most hashes are registered most of the time
    agrees_with_the_model<Leaves>(40, 120, seed);
    agrees_with_the_model<Leaves>(120, 150, seed);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(LineageModel, TickAgrees) { agrees_in_many_shapes<TickOrder>(); }
TEST(LineageModel, FifoAgrees) { agrees_in_many_shapes<FifoOrder>(); }

}  // namespace
}  // namespace kvbm
