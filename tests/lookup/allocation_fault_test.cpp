#include <gtest/gtest.h>

#include <new>
#include <numeric>
#include <optional>

#include "tests/lookup/index_cases.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/managers.hpp"
#include "tests/support/zeroed_memory_faults.hpp"

// Memory runs out at the n-th allocation of each step in the life of an index, for every n. The step is then made once
// more, and nothing is missing.

namespace kvbm {
namespace {

constexpr std::uint32_t kBlocks = 48;

/// An index over two tiers, from its making to answers. One allocation of one step fails.
class Course {
 public:
  Course(const PrefixIndexOptions& options, int step, std::size_t allocation)
      : options_(options), faulty_(step), allocation_(allocation) {}

  /// Returns whether it came to the fault.
  bool run() {
    { const auto before = test::registered(fast_, test::chain(1, 6)); }
    step([&] { index_.emplace(options_); });
    step([&] { index_->add_tier(fast_); });
    step([&] { index_->add_tier(slow_); });
    step([&] { index_->update(); });
    for (std::uint64_t i = 2; i < 5; ++i) static_cast<void>(test::registered(slow_, test::chain(i, 12)));
    step([&] { index_->update(); });  // more than it has room for
    static_cast<void>(test::registered(fast_, test::chain(5, 30)));
    { const auto victims = slow_.allocate(20); }
    step([&] { index_->update(); });  // more than the logs keep
    { const auto victims = fast_.allocate(4); }
    step([&] { index_->update(); });
    step([&] { ask(); });
    step([&] { ask_by_tokens(); });
    check();
    return came_to_it_;
  }
  [[nodiscard]] int steps() const noexcept { return steps_; }

 private:
  template <class Step>
  void step(const Step& step) {
    if (steps_++ != faulty_) return step();
    bool failed = false;
    {
      const test::AllocationFault fault(allocation_);
      try {
        step();
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      came_to_it_ = fault.fired();
      EXPECT_LE(failed, came_to_it_);
    }
    if (failed) step();
  }
  void ask() {
    PrefixAnswers answers;
    const auto hashes = test::chain(3, 12);
    EXPECT_EQ(test::prefix_of(*index_, hashes, answers), slow_.match_blocks(hashes).size());
    const std::vector<std::uint32_t> offsets{0, 12};
    PrefixAnswers counted;
    index_->count(offsets, hashes, counted);
    EXPECT_EQ(counted.prefixes, answers.prefixes);
  }
  void ask_by_tokens() const {
    std::vector<Token> tokens(20);
    std::iota(tokens.begin(), tokens.end(), 0);
    const std::vector<std::uint32_t> offsets{0, 8, 20};
    PrefixAnswers answers;
    index_->look_up({.offsets = offsets, .tokens = tokens, .block_size = 4}, answers);
    EXPECT_EQ(answers.prefixes, (std::vector<std::uint32_t>{0, 0}));
    EXPECT_EQ(answers.offsets, (std::vector<std::uint32_t>{0, 2, 5}));
  }
  void check() {
    index_->check_invariants();
    PrefixAnswers answers;
    test::expect_index_knows(*index_, answers, fast_, slow_);
  }

  const PrefixIndexOptions& options_;
  const int faulty_;
  const std::size_t allocation_;
  int steps_ = 0;
  bool came_to_it_ = false;
  BlockManager<G1> fast_ = test::manager<G1>({.blocks = kBlocks, .tokens_per_block = 4, .change_log = 16});
  BlockManager<G2> slow_ = test::manager<G2>({.blocks = kBlocks, .tokens_per_block = 4, .change_log = 16});
  std::optional<PrefixIndex> index_;  // before the managers it goes
};

class IndexWithoutMemory : public testing::TestWithParam<PrefixIndexOptions> {};

INSTANTIATE_TEST_SUITE_P(Kinds, IndexWithoutMemory,
                         testing::Values(PrefixIndexOptions{.hashes = 8}, PrefixIndexOptions{},
                                         PrefixIndexOptions{.exact = true, .counts = true}),
                         [](const auto& kind) {
                           return kind.param.exact ? "Exact" : kind.param.hashes == 0 ? "Fingerprints" : "Growing";
                         });

TEST_P(IndexWithoutMemory, IsMadeUpForByTheNextCall) {
  Course whole(GetParam(), -1, 0);
  whole.run();
  const std::size_t callocs = test::refused_callocs();
  std::size_t faults = 0;
  for (int step = 0; step < whole.steps(); ++step) {
    bool came_to_it = true;
    for (std::size_t n = 0; came_to_it && !HasFailure(); ++n) {
      const std::int64_t before = test::live_allocations();
      came_to_it = Course(GetParam(), step, n).run();
      EXPECT_EQ(test::live_allocations(), before);
      faults += came_to_it ? 1 : 0;
      if (HasFailure()) ADD_FAILURE() << "where allocation " << n << " of step " << step << " failed";
    }
  }
  EXPECT_GT(faults, 30u);
  EXPECT_GT(test::refused_callocs(), callocs);  // its tables
}

}  // namespace
}  // namespace kvbm
