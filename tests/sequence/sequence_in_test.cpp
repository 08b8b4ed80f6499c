#include "kvbm/sequence/sequence_in.hpp"

#include <gtest/gtest.h>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/blocks.hpp"

namespace kvbm::test {
namespace {

using IdleSequence = SequenceIn<Idle, G1>;

class SequenceInTest : public SchedulableDefault {
 protected:
  [[nodiscard]] IdleSequence idle(std::size_t tokens, std::size_t max_output = 10) const {
    return IdleSequence(sequence(tokens, max_output));
  }
};

TEST_F(SequenceInTest, GoesThroughAllStates) {
  IdleSequence fresh = idle(8);
  EXPECT_EQ(fresh.match_and_add_prefix(manager_), 0u);

  auto prefill = std::move(fresh).schedule_prefill(8, manager_);
  ASSERT_TRUE(prefill.has_value());
  EXPECT_EQ(prefill->state(), (PrefillScheduled{8, 2}));
  auto prefilled = std::move(*prefill).apply(1, manager_);
  ASSERT_TRUE(prefilled.has_value());
  auto decode = std::move(*prefilled).schedule_decode(manager_);
  ASSERT_TRUE(decode.has_value());
  auto decoded = std::move(*decode).apply(2, manager_);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->outcome, DecodeOutcome::Continue);
  auto speculative = std::move(decoded->sequence).schedule_speculative(3, manager_);
  ASSERT_TRUE(speculative.has_value());
  const std::vector<Token> accepted{3, 4};
  auto done = std::move(*speculative).apply(accepted, manager_);
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->outcome, DecodeOutcome::BlockCompleted);

  EXPECT_EQ(done->sequence->total_tokens(), 12u);
  done->sequence.release();
  EXPECT_TRUE(done->sequence.reacquire(manager_));
  EXPECT_EQ(std::move(done->sequence).into_sequence().generated_tokens(), 4u);
}

TEST_F(SequenceInTest, ARefusedStepGivesTheSequenceBack) {
  auto refused = idle(8).schedule_prefill(9, manager_);

  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().error.get_if<ScheduleError::PrefillOverrun>(), nullptr);
  EXPECT_TRUE(std::move(refused.error().sequence).schedule_prefill(8, manager_).has_value());
}

TEST_F(SequenceInTest, ARefusedOutcomeGivesTheStepBack) {
  auto scheduled = idle(8).schedule_prefill(4, manager_);

  auto refused = std::move(*scheduled).apply(1, manager_);

  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().error.get_if<ApplyError::TokenOnNonFinalChunk>(), nullptr);
  EXPECT_EQ(refused.error().sequence.state(), (PrefillScheduled{4, 1}));
}

TEST_F(SequenceInTest, RevertLeadsBackToIdle) {
  auto scheduled = idle(8).schedule_prefill(8, manager_);

  const IdleSequence back = std::move(*scheduled).revert();

  EXPECT_EQ(back->prefill_position(), 0u);
  EXPECT_EQ(manager_.available_blocks(), 20u);
}

using SequenceInDeathTest = SequenceInTest;

TEST_F(SequenceInDeathTest, AnotherStateThanTheTypeSays) {
  EXPECT_DEATH((SequenceIn<DecodeScheduled, G1>(sequence(8))), "in another state");
}

}  // namespace
}  // namespace kvbm::test
