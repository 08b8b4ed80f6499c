#include <gtest/gtest.h>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/blocks.hpp"

// Prefill, decode, speculation, revert and drop, step by step.
namespace kvbm::test {
namespace {

using S = ScheduleError;
using A = ApplyError;

class SchedulableSteps : public SchedulableBothWays {};
INSTANTIATE_TEST_SUITE_P(Way, SchedulableSteps, testing::Bool(), way_name);

// ---- prefill ----

TEST_P(SchedulableSteps, PrefillInOneChunk) {  // cases 123, 135
  Schedulable eight = sequence(8);

  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());
  EXPECT_EQ(eight.state(), SequenceState(PrefillScheduled{8, 2}));
  ASSERT_TRUE(eight.apply_prefill(1, manager_).has_value());

  EXPECT_EQ(eight.assigned_blocks(), 2u);
  EXPECT_EQ(eight.unassigned_blocks(), 0u);
  EXPECT_EQ(eight.prefill_position(), 8u);
  EXPECT_EQ(eight.kv_position(), 8u);
  EXPECT_EQ(eight.total_tokens(), 9u);
  EXPECT_EQ(eight.tail_tokens(), 1u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(PrefillApplied{8, 2, true}));
}

TEST_P(SchedulableSteps, PrefillInTwoChunks) {  // case 124
  Schedulable eight = sequence(8);

  ASSERT_TRUE(eight.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(eight.apply_prefill(std::nullopt, manager_).has_value());
  EXPECT_EQ(eight.kv_position(), 4u);
  EXPECT_EQ(eight.assigned_blocks(), 1u);
  ASSERT_TRUE(eight.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(eight.apply_prefill(1, manager_).has_value());

  EXPECT_EQ(eight.kv_position(), 8u);
  EXPECT_EQ(eight.assigned_blocks(), 2u);
}

TEST_P(SchedulableSteps, TheLastChunkEmitsAToken) {  // case 125
  const Schedulable four = prefilled(4);

  EXPECT_EQ(four.generated_tokens(), 1u);
  EXPECT_EQ(four.total_tokens(), 5u);
  EXPECT_EQ(four.kv_position(), 4u);
  EXPECT_EQ(four.tail_tokens(), 1u);
}

TEST_P(SchedulableSteps, NoOtherChunkEmitsAToken) {  // case 126
  Schedulable eight = sequence(8);
  ASSERT_TRUE(eight.schedule_prefill(4, manager_).has_value());

  EXPECT_TRUE(failed_for(eight.apply_prefill(1, manager_), A::TokenOnNonFinalChunk{}));

  EXPECT_EQ(eight.state(), SequenceState(PrefillScheduled{4, 1}));
  EXPECT_EQ(eight.total_tokens(), 8u);
  EXPECT_EQ(eight.assigned_blocks(), 0u);
}

TEST_P(SchedulableSteps, TheLastChunkDoesNotGoWithoutOne) {  // case 127
  Schedulable eight = sequence(8);
  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());

  EXPECT_TRUE(failed_for(eight.apply_prefill(std::nullopt, manager_), A::MissingTokenOnFinalChunk{}));
  EXPECT_EQ(eight.state(), SequenceState(PrefillScheduled{8, 2}));

  EXPECT_TRUE(eight.apply_prefill(1, manager_).has_value());
}

TEST_P(SchedulableSteps, AChunkEndsWithThePrompt) {  // case 128
  Schedulable eight = sequence(8);

  EXPECT_TRUE(failed_for(eight.schedule_prefill(9, manager_), S::PrefillOverrun{0, 9, 8}));
  EXPECT_TRUE(failed_for(eight.schedule_prefill(SIZE_MAX, manager_), S::PrefillOverrun{0, SIZE_MAX, 8}));
}

TEST_P(SchedulableSteps, PrefillWithoutRoomHoldsNothing) {  // case 129
  const BlockManager<G1> one = manager({.blocks = 1, .tokens_per_block = kB});
  Schedulable eight = sequence(8);

  EXPECT_TRUE(failed_for(eight.schedule_prefill(8, one), S::AllocationFailed{2}));

  EXPECT_EQ(eight.state(), SequenceState(Idle{}));
  EXPECT_EQ(one.available_blocks(), 1u);
}

TEST_P(SchedulableSteps, PrefillEnds) {  // case 130
  Schedulable four = prefilled(4);

  EXPECT_TRUE(failed_for(four.schedule_prefill(1, manager_), S::PrefillComplete{}));
}

TEST_P(SchedulableSteps, AChunkOfNothing) {  // case 131
  Schedulable eight = sequence(8);

  ASSERT_TRUE(eight.schedule_prefill(0, manager_).has_value());
  EXPECT_EQ(eight.state(), SequenceState(PrefillScheduled{0, 0}));
  EXPECT_TRUE(failed_for(eight.apply_prefill(1, manager_), A::TokenOnNonFinalChunk{}));
  EXPECT_TRUE(eight.apply_prefill(std::nullopt, manager_).has_value());

  EXPECT_EQ(eight.prefill_position(), 0u);
  EXPECT_EQ(eight.kv_position(), 0u);
}

TEST_P(SchedulableSteps, WithoutOutputTheLastChunkEmitsNothing) {  // cases 132, 133, S5
  Schedulable four = sequence(4, 0);
  ASSERT_TRUE(four.schedule_prefill(4, manager_).has_value());

  EXPECT_TRUE(failed_for(four.apply_prefill(1, manager_), A::AppendExceedsRemaining{1, 0}));
  EXPECT_EQ(four.state(), SequenceState(PrefillScheduled{4, 1}));
  EXPECT_EQ(four.assigned_blocks(), 0u);

  ASSERT_TRUE(four.apply_prefill(std::nullopt, manager_).has_value());
  EXPECT_EQ(four.assigned_blocks(), 1u);
  EXPECT_TRUE(failed_for(four.schedule_decode(manager_), S::GenerationComplete{0, 0}));
}

// ---- decode ----

TEST_P(SchedulableSteps, DecodeGoesOn) {  // case 136
  Schedulable five = prefilled(5);

  EXPECT_EQ(decode(five), DecodeOutcome::Continue);

  EXPECT_EQ(five.generated_tokens(), 2u);
  EXPECT_EQ(five.kv_position(), 6u);
  EXPECT_EQ(five.state(), SequenceState(Idle{}));
}

TEST_P(SchedulableSteps, DecodeEndsWithMaxTokens) {  // cases 138, 141
  Schedulable five = prefilled(5, 2);

  EXPECT_EQ(decode(five), DecodeOutcome::MaxLength);

  EXPECT_TRUE(failed_for(five.schedule_decode(manager_), S::GenerationComplete{2, 2}));
  EXPECT_TRUE(failed_for(five.schedule_speculative(1, manager_), S::GenerationComplete{2, 2}));
  EXPECT_TRUE(failed_for(five.fork(manager_), S::GenerationComplete{2, 2}));
}

TEST_P(SchedulableSteps, DecodeEndsWithMaxTokensAndABlock) {  // case 139
  Schedulable four = prefilled(4, 4);

  EXPECT_EQ(decode(four), DecodeOutcome::Continue);
  EXPECT_EQ(decode(four), DecodeOutcome::Continue);
  EXPECT_EQ(decode(four), DecodeOutcome::BlockCompletedAndMaxLength);
}

TEST_P(SchedulableSteps, DecodeAllocatesOnceABlock) {  // case 140
  Schedulable four = prefilled(4, 20);
  std::vector<std::uint32_t> allocated;

  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(four.schedule_decode(manager_).has_value());
    allocated.push_back(std::get<DecodeScheduled>(four.state()).blocks_allocated);
    ASSERT_TRUE(four.apply_decode(1, manager_).has_value());
  }

  EXPECT_EQ(allocated, (std::vector<std::uint32_t>{1, 0, 0, 1, 0, 0, 0, 1}));
}

TEST_P(SchedulableSteps, ABlockThatThePrefillTokenFillsWaitsForItsKv) {  // case 142
  Schedulable seven = prefilled(7);
  EXPECT_EQ(seven.assigned_blocks(), 1u);
  EXPECT_EQ(seven.unassigned_blocks(), 1u);
  EXPECT_EQ(seven.num_blocks(), 2u);

  ASSERT_TRUE(seven.schedule_decode(manager_).has_value());
  EXPECT_EQ(seven.state(), SequenceState(DecodeScheduled{1}));
  EXPECT_EQ(seven.apply_decode(1, manager_).value(), DecodeOutcome::Continue);

  EXPECT_EQ(seven.assigned_blocks(), 2u);
  EXPECT_EQ(seven.unassigned_blocks(), 1u);
  EXPECT_EQ(seven.kv_position(), 8u);
  EXPECT_EQ(seven.tail_tokens(), 1u);
}

TEST_P(SchedulableSteps, DecodeCanBeTriedAgainWhenThereIsRoom) {  // case 143
  Schedulable four = prefilled(4);
  {
    const auto elsewhere = allocated(manager_, manager_.available_blocks());
    EXPECT_TRUE(failed_for(four.schedule_decode(manager_), S::AllocationFailed{1}));
    EXPECT_EQ(four.state(), SequenceState(Idle{}));
  }

  EXPECT_EQ(decode(four), DecodeOutcome::Continue);
}

// ---- speculation ----

TEST_P(SchedulableSteps, AllDraftsMayBeAccepted) {  // case 144
  Schedulable four = prefilled(4);

  EXPECT_EQ(speculate(four, 2, 2), DecodeOutcome::Continue);

  EXPECT_EQ(four.generated_tokens(), 3u);
  EXPECT_EQ(four.kv_position(), 6u);
}

TEST_P(SchedulableSteps, BlocksForRejectedDraftsGoBack) {  // cases 145, 146, 151
  Schedulable eight = prefilled(8, 20);
  const std::uint32_t before = manager_.available_blocks();

  speculate(eight, 4, 2);
  EXPECT_EQ(eight.generated_tokens(), 3u);
  EXPECT_EQ(eight.unassigned_blocks(), 1u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(SpeculativeApplied{2, 4, 1}));

  speculate(eight, 5, 1);
  EXPECT_EQ(eight.generated_tokens(), 4u);
  EXPECT_EQ(eight.kv_position(), 11u);

  EXPECT_EQ(speculate(eight, 8, 0), DecodeOutcome::Continue);
  EXPECT_EQ(eight.generated_tokens(), 4u);
  EXPECT_EQ(eight.kv_position(), 11u);
  EXPECT_EQ(eight.tail_tokens(), 1u);
  EXPECT_LE(before - manager_.available_blocks(), 2u);
}

TEST_P(SchedulableSteps, AcceptingNothingKeepsOneBlock) {  // case 146
  Schedulable eight = prefilled(8);

  speculate(eight, 3, 0);

  EXPECT_EQ(eight.generated_tokens(), 1u);
  EXPECT_EQ(eight.unassigned_blocks(), 1u);
}

TEST_P(SchedulableSteps, NoMoreAreAcceptedThanScheduled) {  // case 147
  Schedulable eight = prefilled(8);
  ASSERT_TRUE(eight.schedule_speculative(2, manager_).has_value());

  const auto refused = eight.apply_speculative(counting_tokens(0, 3), manager_);

  EXPECT_TRUE(failed_for(refused, A::AcceptedExceedsScheduled{3, 2}));
  EXPECT_EQ(eight.state(), SequenceState(SpeculativeScheduled{2, 1}));
  EXPECT_EQ(eight.generated_tokens(), 1u);
}

TEST_P(SchedulableSteps, AcceptedTokensCrossBlocks) {  // case 148
  Schedulable seven = prefilled(7, 20);

  EXPECT_EQ(speculate(seven, 5, 5), DecodeOutcome::BlockCompleted);

  EXPECT_EQ(seven.total_tokens(), 13u);
  EXPECT_EQ(seven.assigned_blocks(), 3u);
  EXPECT_EQ(seven.generated_tokens(), 6u);
  EXPECT_EQ(seven.kv_position(), 12u);
}

TEST_P(SchedulableSteps, DraftsAreCutToWhatMayBeGenerated) {  // case 149
  Schedulable four = prefilled(4, 10);

  ASSERT_TRUE(four.schedule_speculative(50, manager_).has_value());
  EXPECT_EQ(four.state(), SequenceState(SpeculativeScheduled{9, 3}));
  EXPECT_EQ(four.apply_speculative(counting_tokens(0, 5), manager_).value(), DecodeOutcome::BlockCompleted);
  EXPECT_EQ(four.total_tokens(), 10u);
  EXPECT_EQ(four.kv_position(), 9u);
  EXPECT_EQ(four.assigned_blocks(), 2u);
  EXPECT_EQ(four.unassigned_blocks(), 1u);
  EXPECT_EQ(four.tail_tokens(), 1u);

  ASSERT_TRUE(four.schedule_speculative(0, manager_).has_value());
  EXPECT_EQ(four.state(), SequenceState(SpeculativeScheduled{0, 0}));
  EXPECT_EQ(four.apply_speculative({}, manager_).value(), DecodeOutcome::Continue);
}

TEST_P(SchedulableSteps, TheLastAcceptedTokenLeavesNoBlockToGrowInto) {  // case 150
  Schedulable four = prefilled(4, 3);

  EXPECT_EQ(speculate(four, 8, 2), DecodeOutcome::MaxLength);

  EXPECT_EQ(four.unassigned_blocks(), 0u);
}

// ---- revert and drop ----

TEST_P(SchedulableSteps, RevertGivesBackWhatTheStepTook) {  // case 152
  Schedulable eight = sequence(8, 20);
  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());
  ASSERT_TRUE(eight.revert_schedule().has_value());
  EXPECT_EQ(manager_.available_blocks(), 20u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(ScheduleReverted{2}));

  Schedulable other = prefilled(8, 20);
  const std::uint32_t before = manager_.available_blocks();
  ASSERT_TRUE(other.schedule_decode(manager_).has_value());
  ASSERT_TRUE(other.revert_schedule().has_value());
  EXPECT_EQ(manager_.available_blocks(), before);
  ASSERT_TRUE(other.schedule_speculative(9, manager_).has_value());
  ASSERT_TRUE(other.revert_schedule().has_value());
  EXPECT_EQ(manager_.available_blocks(), before);
  EXPECT_EQ(other.state(), SequenceState(Idle{}));
}

TEST_P(SchedulableSteps, RevertKeepsWhatWasHeldBefore) {  // case 153
  Schedulable six = prefilled(6, 20);
  ASSERT_EQ(six.unassigned_blocks(), 1u);
  const Ids before = ids(six.page_indices());
  ASSERT_TRUE(six.schedule_speculative(9, manager_).has_value());
  ASSERT_GT(six.unassigned_blocks(), 1u);

  ASSERT_TRUE(six.revert_schedule().has_value());

  EXPECT_EQ(ids(six.page_indices()), before);
}

TEST_P(SchedulableSteps, AStepWorksAfterARevert) {  // case 155
  Schedulable eight = sequence(8);
  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());
  ASSERT_TRUE(eight.revert_schedule().has_value());

  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());

  EXPECT_EQ(eight.state(), SequenceState(PrefillScheduled{8, 2}));
}

TEST_P(SchedulableSteps, DropGivesBackUpToSoMany) {  // case 154
  Schedulable eight = prefilled(8);
  const auto grow = [&] {
    speculate(eight, 3, 0);
    ASSERT_EQ(eight.unassigned_blocks(), 1u);
  };
  grow();
  EXPECT_EQ(eight.drop_unassigned(1), 1u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(UnassignedDropped{1}));
  grow();
  EXPECT_EQ(eight.drop_unassigned(5), 1u);
  const std::size_t events = delegate_->events.size();
  EXPECT_EQ(eight.drop_unassigned(0), 0u);
  EXPECT_EQ(eight.drop_unassigned(1), 0u);
  EXPECT_EQ(delegate_->events.size(), events);
  EXPECT_EQ(decode(eight), DecodeOutcome::Continue);
}

}  // namespace
}  // namespace kvbm::test
