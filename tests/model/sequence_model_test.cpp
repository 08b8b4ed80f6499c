// Random schedules of many requests on one manager: prefill in chunks, decode, speculate, reject, revert, preempt,
// abort, fork. After each step every request is compared with a naive model of it: block counts, page table, hashes, kv
// position, and the KV that an engine finds in the pages. A failure names its seed; with KVBM_SEED set to it, and the
// same filter, the schedule repeats alone. KVBM_STEPS makes the runs longer.

#include "tests/model/sequence_model.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <ostream>
#include <random>
#include <string>

#include "kvbm/manager/block_manager.hpp"
#include "kvbm/sequence/schedulable_sequence.hpp"
#include "tests/support/environment.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::test {
namespace {

using Step = SequenceModel::Step;

constexpr std::uint32_t kBlockSize = 4;

struct Tally {
  std::size_t matched = 0, preempted = 0, forked = 0, rejected_drafts = 0, refused = 0, copied = 0;
};

/// A manager, requests on it, their models, and the pages.
class ScheduleDriver {
 public:
  ScheduleDriver(DuplicationPolicy duplication, std::uint64_t seed, Tally& tally)
      : random_(seed),
        blocks_(static_cast<std::uint32_t>(12 + random_() % 40)),
        exact_(duplication == DuplicationPolicy::Reject),
        manager_(manager({.blocks = blocks_, .tokens_per_block = kBlockSize, .duplication = duplication})),
        pages_(kBlockSize),
        tally_(tally) {}

  void step() {
    if (requests_.empty() || (requests_.size() < 8 && below(12) == 0)) return create();
    std::swap(requests_[below(requests_.size())], requests_.back());
    Request& request = *requests_.back();
    if (below(60) == 0) return requests_.pop_back();  // dropped in whatever state
    if (request.model.step != Step::None) return apply(request);
    switch (below(12)) {
      case 0:
        return preempt(request);
      case 1:
        return fork(request);
      case 2:
        return drop(request);
      case 3:
        return misuse(request);
      case 4:
      case 5:
        return speculate(request);
      default:
        return go_on(request);
    }
  }

  void compare() {
    manager_.check_invariants();
    std::set<BlockId> held, exclusive;
    for (const auto& request : requests_) {
      compare(*request);
      if (testing::Test::HasFatalFailure()) return;
      const PageTable& table = request->sequence.assignments().table();
      held.insert(table.ids().begin(), table.ids().end());
      for (const BlockId id : table.unassigned()) ASSERT_TRUE(exclusive.insert(id).second) << "two write block " << id;
    }
    const auto available = static_cast<std::size_t>(manager_.available_blocks());
    if (exact_) {
      ASSERT_EQ(available, blocks_ - held.size());
    } else {
      ASSERT_LE(available, blocks_ - held.size());  // a duplicate holds its primary too
    }
  }

  void finish() {
    requests_.clear();
    ASSERT_EQ(manager_.available_blocks(), blocks_) << "a block was lost";
  }

 private:
  struct Request {
    SchedulableSequence<G1> sequence;
    SequenceModel model;
  };

  std::size_t below(std::size_t limit) { return random_() % limit; }
  /// Few different ones, so that requests meet.
  std::vector<Token> some_tokens(std::size_t count) {
    std::vector<Token> tokens(count);
    for (Token& token : tokens) token = static_cast<Token>(below(8) == 0 ? below(3) : 7);
    return tokens;
  }

  void create() {
    SequenceModel model;
    model.block_size = kBlockSize;
    model.tokens = some_tokens(below(40));
    model.input = model.prefill_end = model.tokens.size();
    model.output_max = below(40);
    model.salt = below(4) == 0 ? 42 : 0;
    const SequenceOptions options{.max_output_tokens = model.output_max, .block_size = kBlockSize, .salt = model.salt};
    requests_.push_back(std::make_unique<Request>(Request{SchedulableSequence<G1>(model.tokens, options), model}));
    if (below(4) != 0) match(*requests_.back());
  }
  void match(Request& request) {
    const std::size_t expected = manager_.match_blocks(request.model.hashes()).size();
    ASSERT_EQ(request.sequence.match_and_add_prefix(manager_).value(), expected);
    request.model.match(expected);
    tally_.matched += expected;
  }

  /// The next step of a request's life.
  void go_on(Request& request) {
    SequenceModel& model = request.model;
    if (model.held == 0 && model.kv == 0 && below(2) == 0) return reacquire(request);
    if (model.prefill_position < model.prefill_end) {
      const std::size_t count = below(model.prefill_end - model.prefill_position + 1);
      const std::size_t blocks = model.shortfall(model.blocks_for(model.prefill_position + count));
      if (took(request.sequence.schedule_prefill(count, manager_), blocks))
        model.schedule(Step::Prefill, count, blocks);
    } else if (model.may_generate()) {
      const std::size_t blocks = model.shortfall(model.complete() + 1);
      if (took(request.sequence.schedule_decode(manager_), blocks)) model.schedule(Step::Decode, 1, blocks);
    } else if (model.tokens.empty() && model.remaining() > 0) {
      const std::vector<Token> token = some_tokens(1);
      ASSERT_TRUE(request.sequence.append_tokens(token).has_value());
      model.append(token);
    } else {
      requests_.pop_back();  // at its end
    }
  }
  void speculate(Request& request) {
    SequenceModel& model = request.model;
    if (!model.may_generate()) return go_on(request);
    const std::size_t wanted = below(12);
    const std::size_t count = std::min(wanted, model.remaining());
    const std::size_t blocks = model.shortfall(model.blocks_for(model.tokens.size() + count));
    if (took(request.sequence.schedule_speculative(wanted, manager_), blocks)) {
      model.schedule(Step::Speculative, count, blocks);
    }
  }
  /// Whether a step that wants so many blocks was scheduled, as it must be if there are so many.
  bool took(const Result<void, ScheduleError>& scheduled, std::size_t blocks) {
    if (scheduled.has_value()) return true;
    const auto* failed = scheduled.error().get_if<ScheduleError::AllocationFailed>();
    EXPECT_NE(failed, nullptr) << scheduled.error().text();
    EXPECT_GT(blocks, manager_.available_blocks());
    EXPECT_TRUE(failed == nullptr || failed->needed == blocks);
    ++tally_.refused;
    return false;
  }

  void apply(Request& request) {
    if (below(8) == 0) {
      ASSERT_TRUE(request.sequence.revert_schedule().has_value());
      return request.model.revert();
    }
    if (below(8) == 0) misapply(request);
    switch (request.model.step) {
      case Step::Prefill:
        return apply_prefill(request);
      case Step::Decode:
        return apply_decode(request);
      default:
        return apply_speculative(request);
    }
  }
  /// The model runs over known tokens from kv on, and drafts behind them; it writes no page that others may read.
  void run(const Request& request, std::size_t count, std::span<const Token> drafts) {
    std::vector<std::uint64_t> values = request.model.kvs();
    for (const Token draft : drafts) values.push_back(kv_of(values.back(), draft));
    const std::size_t end = request.model.kv + count;
    for (std::size_t i = request.sequence.writable_from(); i < end; ++i) {
      pages_.write(request.sequence.page_indices(), i, values[i]);
    }
  }
  void apply_prefill(Request& request) {
    SequenceModel& model = request.model;
    run(request, model.step_tokens, {});
    const bool emits = model.prefill_position + model.step_tokens >= model.prefill_end && model.remaining() > 0;
    const std::vector<Token> token = some_tokens(emits ? 1 : 0);
    ASSERT_TRUE(request.sequence.apply_prefill(emits ? std::optional(token[0]) : std::nullopt, manager_).has_value());
    model.apply(token);
  }
  void apply_decode(Request& request) {
    SequenceModel& model = request.model;
    run(request, 1, {});
    const std::vector<Token> token = some_tokens(1);
    const std::size_t before = model.complete();
    const auto outcome = request.sequence.apply_decode(token[0], manager_);
    model.apply(token);
    ASSERT_EQ(outcome.value(), decode_outcome(model.complete() > before, model.remaining() == 0));
  }
  /// Some drafts are accepted, and often another token is put in place of the first that is not.
  void apply_speculative(Request& request) {
    SequenceModel& model = request.model;
    const std::vector<Token> drafts = some_tokens(model.step_tokens);
    const std::size_t accepted = below(model.step_tokens + 1);
    if (model.step_tokens > 0) run(request, model.step_tokens, std::span(drafts).first(model.step_tokens - 1));
    std::vector<Token> emitted(drafts.begin(), drafts.begin() + static_cast<std::ptrdiff_t>(accepted));
    if (accepted > 0 && below(2) == 0) emitted.back() = some_tokens(1)[0];
    const std::size_t before = model.complete();
    const auto outcome = request.sequence.apply_speculative(emitted, manager_);
    tally_.rejected_drafts += model.step_tokens - accepted;
    model.apply(emitted);
    ASSERT_EQ(outcome.value(), decode_outcome(model.complete() > before, model.remaining() == 0));
  }

  void preempt(Request& request) {
    ASSERT_TRUE(request.sequence.release().has_value());
    request.model.release();
    ++tally_.preempted;
    if (below(4) == 0) manager_.reset_inactive_pool();
    if (below(3) == 0) match(request);
  }
  void reacquire(Request& request) {
    SequenceModel& model = request.model;
    std::size_t matched = 0;
    {
      const auto prefix = manager_.match_blocks(model.hashes());
      matched = prefix.size();
      const bool fits = model.complete() - matched <= manager_.available_blocks();
      if (!fits) matched = SIZE_MAX;
    }
    const bool expected = matched != SIZE_MAX;
    ASSERT_EQ(request.sequence.reacquire(manager_).value(), expected);
    if (!expected) return;
    model.release();
    model.match(matched);
    model.held = model.complete();
  }
  void fork(Request& request) {
    const std::size_t tail = request.model.kv - std::min(request.model.kv, request.model.assigned * kBlockSize);
    const bool room = tail == 0 || manager_.available_blocks() > 0;
    auto fork = request.sequence.fork(manager_);
    ASSERT_EQ(fork.has_value(), room && request.model.remaining() > 0);
    if (!fork.has_value()) return;
    ASSERT_EQ(fork->copy.has_value(), tail != 0);
    if (fork->copy) {
      ASSERT_EQ(fork->copy->tokens, tail);
      pages_.copy(fork->copy->source, fork->copy->target, fork->copy->tokens);
      ++tally_.copied;
    }
    SequenceModel model = request.model;
    model.held = model.assigned + (tail != 0 ? 1 : 0);
    requests_.push_back(std::make_unique<Request>(Request{std::move(fork->sequence), std::move(model)}));
    ++tally_.forked;
  }
  void drop(Request& request) {
    const std::size_t count = below(3);
    const std::size_t before = request.model.held;
    request.model.drop(count);
    ASSERT_EQ(request.sequence.drop_unassigned(count), before - request.model.held);
  }
  /// What an idle request refuses changes nothing.
  void misuse(Request& request) {
    const SequenceModel& model = request.model;
    const std::size_t left = model.prefill_end - std::min(model.prefill_end, model.prefill_position);
    ASSERT_FALSE(request.sequence.schedule_prefill(left + 1, manager_).has_value());
    if (!model.may_generate()) {
      ASSERT_FALSE(request.sequence.schedule_decode(manager_).has_value());
      ASSERT_FALSE(request.sequence.schedule_speculative(3, manager_).has_value());
    }
    ASSERT_FALSE(request.sequence.apply_decode(1, manager_).has_value());
    ASSERT_FALSE(request.sequence.apply_prefill(std::nullopt, manager_).has_value());
    ASSERT_FALSE(request.sequence.revert_schedule().has_value());
    ASSERT_FALSE(request.sequence.append_tokens(std::vector<Token>(model.remaining() + 1)).has_value());
  }
  /// The same with a step on its way.
  void misapply(Request& request) {
    ASSERT_FALSE(request.sequence.schedule_prefill(1, manager_).has_value());
    ASSERT_FALSE(request.sequence.release().has_value());
    ASSERT_FALSE(request.sequence.reacquire(manager_).has_value());
    ASSERT_FALSE(request.sequence.fork(manager_).has_value());
    ASSERT_FALSE(request.sequence.match_and_add_prefix(manager_).has_value());
    if (request.model.step != Step::Decode) {
      ASSERT_FALSE(request.sequence.apply_decode(1, manager_).has_value());
    }
    if (request.model.step == Step::Speculative) {
      const std::vector<Token> many(request.model.step_tokens + 1);
      ASSERT_FALSE(request.sequence.apply_speculative(many, manager_).has_value());
    }
  }

  void compare(const Request& request) {
    const auto& [sequence, model] = request;
    ASSERT_EQ(sequence.is_idle(), model.step == Step::None);
    ASSERT_EQ(sequence.total_tokens(), model.tokens.size());
    ASSERT_EQ(sequence.generated_tokens(), model.generated);
    ASSERT_EQ(sequence.prefill_position(), model.prefill_position);
    ASSERT_EQ(sequence.kv_position(), model.kv);
    ASSERT_EQ(sequence.assigned_blocks(), model.assigned);
    ASSERT_EQ(sequence.staged_blocks(), 0u);
    ASSERT_EQ(sequence.assignments().size(), model.held);
    compare_blocks(request);
    compare_kv(request);
  }
  void compare_blocks(const Request& request) {
    const auto& blocks = request.sequence.assignments();
    const std::vector<SequenceHash> hashes = request.model.hashes();
    ASSERT_TRUE(std::equal(hashes.begin(), hashes.end(), request.sequence.hashes().begin()));
    const std::span<const BlockId> table = request.sequence.page_indices();
    std::vector<BlockId> expected(blocks.assigned().ids().begin(), blocks.assigned().ids().end());
    expected.insert(expected.end(), blocks.unassigned().ids().begin(), blocks.unassigned().ids().end());
    ASSERT_EQ(std::vector<BlockId>(table.begin(), table.end()), expected);
    ASSERT_EQ(std::set<BlockId>(table.begin(), table.end()).size(), table.size());
    for (std::uint32_t i = 0; i < blocks.assigned_count(); ++i) ASSERT_EQ(blocks.assigned().hash(i), hashes[i]);
  }
  /// All that is said to be computed is in the pages, whoever computed it.
  void compare_kv(const Request& request) {
    const std::vector<std::uint64_t> values = request.model.kvs();
    const std::span<const BlockId> table = request.sequence.page_indices();
    const bool at_its_end = request.model.remaining() == 0;
    const std::size_t computed = at_its_end ? std::min(request.model.kv, table.size() * kBlockSize) : request.model.kv;
    for (std::size_t i = 0; i < computed; ++i) ASSERT_EQ(pages_.read(table, i), values[i]) << "token " << i;
  }

  std::mt19937_64 random_;
  std::uint32_t blocks_;
  bool exact_;
  BlockManager<G1> manager_;
  PagedKv pages_;
  std::vector<std::unique_ptr<Request>> requests_;
  Tally& tally_;
};

class SequenceModelTest : public ::testing::TestWithParam<DuplicationPolicy> {};

TEST_P(SequenceModelTest, AgreesWithTheModelAfterEveryStep) {
  constexpr std::uint64_t kSeeds = 40;
  const std::uint64_t only = from_environment("KVBM_SEED", 0);
  const std::uint64_t steps = from_environment("KVBM_STEPS", 600);
  Tally tally;
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : kSeeds); ++seed) {
    ScheduleDriver driver(GetParam(), seed, tally);
    for (std::uint64_t step = 0; step < steps; ++step) {
      SCOPED_TRACE("KVBM_SEED=" + std::to_string(seed) + " step " + std::to_string(step));
      driver.step();
      if (HasFailure()) return;
      driver.compare();
      if (HasFailure()) return;
    }
    SCOPED_TRACE("KVBM_SEED=" + std::to_string(seed) + " at the end");
    driver.finish();
    if (HasFailure()) return;
  }
  if (only != 0) return;
  EXPECT_GT(tally.matched, 1000u) << "the schedules were too tame";
  EXPECT_GT(tally.preempted, 300u) << "the schedules were too tame";
  EXPECT_GT(tally.forked, 200u) << "the schedules were too tame";
  EXPECT_GT(tally.copied, 50u) << "the schedules were too tame";
  EXPECT_GT(tally.rejected_drafts, 500u) << "the schedules were too tame";
  EXPECT_GT(tally.refused, 100u) << "the schedules were too tame";
}

INSTANTIATE_TEST_SUITE_P(Policy, SequenceModelTest,
                         ::testing::Values(DuplicationPolicy::Allow, DuplicationPolicy::Reject),
                         [](const auto& instance) {
                           return instance.param == DuplicationPolicy::Allow ? "Allow" : "Reject";
                         });

}  // namespace
}  // namespace kvbm::test
