#include <gtest/gtest.h>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/blocks.hpp"

// Which call is allowed when, and what it says if not.
namespace kvbm::test {
namespace {

using S = ScheduleError;
using A = ApplyError;

class SchedulableStates : public SchedulableBothWays {};
INSTANTIATE_TEST_SUITE_P(Way, SchedulableStates, testing::Bool(), way_name);

TEST_P(SchedulableStates, ANewOneIsIdle) {  // case 114
  const Schedulable fresh = sequence(8);

  EXPECT_EQ(fresh.state(), SequenceState(Idle{}));
  EXPECT_EQ(fresh.prefill_position(), 0u);
  EXPECT_EQ(fresh.kv_position(), 0u);
  EXPECT_EQ(fresh.tail_tokens(), 8u);
  EXPECT_EQ(delegate_->events, (std::vector<SequenceEvent>{SequenceCreated{8, 10, 4}}));
}

TEST_P(SchedulableStates, ASecondStepMustWait) {  // case 115
  Schedulable eight = sequence(8);
  ASSERT_TRUE(eight.schedule_prefill(4, manager_).has_value());
  EXPECT_TRUE(failed_for(eight.schedule_prefill(4, manager_), S::NotIdle{PrefillScheduled{4, 1}}));

  Schedulable four = prefilled(4);
  ASSERT_TRUE(four.schedule_decode(manager_).has_value());
  EXPECT_TRUE(failed_for(four.schedule_decode(manager_), S::NotIdle{DecodeScheduled{1}}));
  EXPECT_TRUE(failed_for(four.schedule_speculative(2, manager_), S::NotIdle{DecodeScheduled{1}}));
}

TEST_P(SchedulableStates, NothingIsAppliedWhileIdle) {  // case 116
  Schedulable eight = sequence(8);

  EXPECT_TRUE(failed_for(eight.apply_prefill(1, manager_), A::WrongState{"PrefillScheduled", Idle{}}));
  EXPECT_TRUE(failed_for(eight.apply_decode(1, manager_), A::WrongState{"DecodeScheduled", Idle{}}));
  EXPECT_TRUE(failed_for(eight.apply_speculative({}, manager_), A::WrongState{"SpeculativeScheduled", Idle{}}));
  EXPECT_TRUE(failed_for(eight.revert_schedule(), A::WrongState{"any Scheduled state", Idle{}}));
}

TEST_P(SchedulableStates, PrefillComesFirst) {  // case 117
  Schedulable eight = sequence(8);

  EXPECT_TRUE(failed_for(eight.schedule_decode(manager_), S::PrefillNotComplete{0, 8}));
  EXPECT_TRUE(failed_for(eight.schedule_speculative(2, manager_), S::PrefillNotComplete{0, 8}));
}

TEST_P(SchedulableStates, AnotherKindOfStepIsNotApplied) {  // case 118
  Schedulable eight = sequence(8);
  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());
  const SequenceState scheduled = PrefillScheduled{8, 2};

  EXPECT_TRUE(failed_for(eight.apply_decode(1, manager_), A::WrongState{"DecodeScheduled", scheduled}));
  EXPECT_TRUE(failed_for(eight.apply_speculative({}, manager_), A::WrongState{"SpeculativeScheduled", scheduled}));
  EXPECT_EQ(eight.state(), scheduled);
  EXPECT_EQ(eight.total_tokens(), 8u);
}

TEST_P(SchedulableStates, BlocksDoNotComeAndGoDuringAStep) {  // cases 119, 120
  Schedulable eight = sequence(8);
  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());
  const SequenceState scheduled = PrefillScheduled{8, 2};
  const std::vector<Token> token{1};

  EXPECT_TRUE(failed_for(eight.release(), A::WrongState{"Idle", scheduled}));
  EXPECT_TRUE(failed_for(eight.reacquire(manager_), A::WrongState{"Idle", scheduled}));
  EXPECT_TRUE(failed_for(eight.append_tokens(token), A::WrongState{"Idle", scheduled}));
  EXPECT_TRUE(failed_for(eight.match_and_add_prefix(manager_), S::NotIdle{scheduled}));
  EXPECT_TRUE(failed_for(eight.add_prefix(manager_.match_blocks({})), S::NotIdle{scheduled}));
  EXPECT_TRUE(failed_for(eight.fork(manager_), S::NotIdle{scheduled}));
  EXPECT_EQ(eight.unassigned_blocks(), 2u);
}

using SchedulableDeathTest = SchedulableDefault;

TEST_F(SchedulableDeathTest, DroppingBlocksOfAStep) {  // case 121
  Schedulable eight = sequence(8);
  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());

  EXPECT_DEATH(static_cast<void>(eight.drop_unassigned(1)), "blocks of a scheduled step");
}

TEST_P(SchedulableStates, PrefillIsLookedAtBeforeGenerationAndThatBeforeTheTail) {  // case 122
  Schedulable none = sequence(4, 0);
  EXPECT_TRUE(failed_for(none.schedule_decode(manager_), S::PrefillNotComplete{0, 4}));
  ASSERT_TRUE(none.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(none.apply_prefill(std::nullopt, manager_).has_value());
  EXPECT_EQ(none.tail_tokens(), 0u);
  EXPECT_TRUE(failed_for(none.schedule_decode(manager_), S::GenerationComplete{0, 0}));
}

TEST_P(SchedulableStates, ARefusedStepChangesNothingAndTellsNobody) {
  Schedulable four = prefilled(4, 2);
  const auto elsewhere = allocated(manager_, manager_.available_blocks());
  const std::size_t events = delegate_->events.size();

  EXPECT_TRUE(failed_for(four.schedule_decode(manager_), S::AllocationFailed{1}));
  EXPECT_TRUE(failed_for(four.schedule_speculative(1, manager_), S::AllocationFailed{1}));
  EXPECT_TRUE(failed_for(four.schedule_prefill(1, manager_), S::PrefillComplete{}));

  EXPECT_EQ(four.state(), SequenceState(Idle{}));
  EXPECT_EQ(four.kv_position(), 4u);
  EXPECT_EQ(four.assignments().size(), 1u);
  EXPECT_EQ(delegate_->events.size(), events);
}

// ---- builder ----

TEST(SequenceBuilder, BuildsWhatItWasTold) {  // case 170
  const auto delegate = std::make_shared<RecordingDelegate>();

  const auto built = Schedulable::builder()
                         .tokens(counting_tokens(0, 6))
                         .max_output_tokens(3)
                         .block_size(4)
                         .delegate(delegate)
                         .build();

  ASSERT_TRUE(built.has_value());
  EXPECT_EQ(built->num_input_tokens(), 6u);
  EXPECT_EQ(built->delegate(), delegate.get());
  EXPECT_EQ(delegate->events, (std::vector<SequenceEvent>{SequenceCreated{6, 3, 4}}));
}

TEST(SequenceBuilder, NamesWhatIsMissing) {  // case 170
  using Missing = SequenceBuildError::Missing;

  EXPECT_EQ(Schedulable::builder().max_output_tokens(1).block_size(4).build().error().missing, Missing::Tokens);
  EXPECT_EQ(Schedulable::builder().tokens({1}).block_size(4).build().error().missing, Missing::MaxOutputTokens);
  EXPECT_EQ(Schedulable::builder().tokens({1}).max_output_tokens(1).build().error().missing, Missing::BlockSize);
  EXPECT_EQ(Schedulable::builder().tokens({1}).max_output_tokens(1).build().error().text(), "block_size was not given");
}

TEST(SequenceBuilder, PassesOptionsOn) {
  const auto salted = Schedulable::builder().tokens(counting_tokens(0, 4)).max_output_tokens(1).block_size(4).salt(7);
  const auto sequence = SequenceBuilder(salted).publication(Publication::WhenTokensKnown).build();

  EXPECT_EQ(sequence->sequence().sequence().salt(), 7u);
  EXPECT_EQ(sequence->inner().publication(), Publication::WhenTokensKnown);
}

TEST(SequenceBuilder, ASequenceWithoutADelegateLivesAFullLife) {  // case 170
  const BlockManager<G1> blocks = manager();
  auto sequence =
      std::move(Schedulable::builder().tokens(counting_tokens(0, 4)).max_output_tokens(2).block_size(4).build())
          .value();

  ASSERT_TRUE(sequence.schedule_prefill(4, blocks).has_value());
  ASSERT_TRUE(sequence.apply_prefill(1, blocks).has_value());
  ASSERT_TRUE(sequence.schedule_decode(blocks).has_value());
  EXPECT_EQ(sequence.apply_decode(2, blocks).value(), DecodeOutcome::MaxLength);
  ASSERT_TRUE(sequence.release().has_value());

  EXPECT_EQ(sequence.delegate(), nullptr);
  EXPECT_EQ(blocks.available_blocks(), 10u);
}

TEST_P(SchedulableStates, TextNamesTypeAndState) {  // case 171
  Schedulable eight = sequence(8);
  EXPECT_NE(eight.text().find("SchedulableSequence(Idle"), std::string::npos);

  ASSERT_TRUE(eight.schedule_prefill(5, manager_).has_value());

  EXPECT_NE(eight.text().find("PrefillScheduled(5 tokens, 2 blocks)"), std::string::npos);
}

}  // namespace
}  // namespace kvbm::test
