#include <gtest/gtest.h>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/blocks.hpp"

// Whole lives, positions and events.
namespace kvbm::test {
namespace {

using S = ScheduleError;
using A = ApplyError;

class SchedulableLife : public SchedulableBothWays {};
INSTANTIATE_TEST_SUITE_P(Way, SchedulableLife, testing::Bool(), way_name);

TEST_P(SchedulableLife, TellsItsStory) {  // case 156
  Schedulable four = prefilled(4, 3);
  decode(four, 7);
  decode(four, 8);
  ASSERT_TRUE(four.release().has_value());

  EXPECT_EQ(delegate_->events,
            (std::vector<SequenceEvent>{SequenceCreated{4, 3, 4}, PrefillScheduled{4, 1}, PrefillApplied{4, 1, true},
                                        DecodeScheduled{1}, DecodeApplied{7, false}, DecodeScheduled{0},
                                        DecodeApplied{8, false}, SequenceReleased{}}));
}

TEST_P(SchedulableLife, FromPromptToRelease) {  // case 157
  Schedulable six = prefilled(6, 7);
  EXPECT_EQ(six.assigned_blocks(), 1u);
  EXPECT_EQ(six.unassigned_blocks(), 1u);
  DecodeOutcome last{};

  for (int i = 0; i < 6; ++i) last = decode(six);

  EXPECT_EQ(last, DecodeOutcome::MaxLength);
  EXPECT_EQ(six.total_tokens(), 13u);
  ASSERT_TRUE(six.release().has_value());
  EXPECT_EQ(six.assignments().size(), 0u);
  EXPECT_EQ(manager_.available_blocks(), 20u);
}

TEST_P(SchedulableLife, StartsBehindACachedPrefix) {  // case 159
  make_cached(manager_, 1);
  Schedulable eight = sequence(8);

  EXPECT_EQ(eight.match_and_add_prefix(manager_).value(), 1u);
  EXPECT_EQ(eight.prefill_position(), 4u);
  EXPECT_EQ(eight.kv_position(), 4u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(PrefixMatched{1}));
  ASSERT_TRUE(eight.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(eight.apply_prefill(1, manager_).has_value());

  EXPECT_EQ(eight.assigned_blocks(), 2u);
  EXPECT_EQ(eight.tail_tokens(), 1u);
}

TEST_P(SchedulableLife, AMissIsAnEventToo) {  // case 160
  Schedulable eight = sequence(8);

  EXPECT_EQ(eight.match_and_add_prefix(manager_).value(), 0u);

  EXPECT_EQ(eight.prefill_position(), 0u);
  EXPECT_EQ(eight.kv_position(), 0u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(PrefixMatched{0}));
}

TEST_P(SchedulableLife, APrefixMatchedBeforeIsTakenAsOne) {
  make_cached(manager_, 1);
  Schedulable eight = sequence(8);

  EXPECT_EQ(eight.add_prefix(manager_.match_blocks(eight.hashes())).value(), 1u);

  EXPECT_EQ(eight.prefill_position(), 4u);
  EXPECT_EQ(eight.prefix_matched_blocks(), 1u);
}

TEST_P(SchedulableLife, AnEmptyPromptWantsAToken) {  // case 161
  Schedulable empty = sequence(0);
  const std::vector<Token> one{1};
  EXPECT_TRUE(empty.is_prefill_complete());
  EXPECT_TRUE(failed_for(empty.schedule_prefill(0, manager_), S::PrefillComplete{}));
  EXPECT_TRUE(failed_for(empty.schedule_decode(manager_), S::WrongDanglingCount{1, 0}));

  ASSERT_TRUE(empty.append_tokens(one).has_value());

  EXPECT_EQ(empty.tail_tokens(), 1u);
  EXPECT_EQ(decode(empty), DecodeOutcome::Continue);
}

TEST_P(SchedulableLife, DecodeComputesOneToken) {  // case 162
  Schedulable empty = sequence(0);
  ASSERT_TRUE(empty.append_tokens(counting_tokens(0, 2)).has_value());

  EXPECT_TRUE(failed_for(empty.schedule_decode(manager_), S::WrongDanglingCount{1, 2}));
}

TEST_P(SchedulableLife, TheTailIsOneBetweenSteps) {  // case 163
  Schedulable eight = sequence(8);
  EXPECT_EQ(eight.tail_tokens(), 8u);
  ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());
  ASSERT_TRUE(eight.apply_prefill(1, manager_).has_value());
  EXPECT_EQ(eight.tail_tokens(), 1u);
  EXPECT_EQ(eight.kv_position(), 8u);
  decode(eight);
  EXPECT_EQ(eight.tail_tokens(), 1u);
  EXPECT_EQ(eight.kv_position(), 9u);
  speculate(eight, 3, 2);
  EXPECT_EQ(eight.tail_tokens(), 1u);
  EXPECT_EQ(eight.kv_position(), 11u);
}

TEST_P(SchedulableLife, NoMoreIsAppendedThanMayBeGenerated) {  // case 164
  Schedulable four = prefilled(4, 2);

  EXPECT_TRUE(failed_for(four.append_tokens(counting_tokens(0, 2)), A::AppendExceedsRemaining{2, 1}));

  EXPECT_EQ(four.total_tokens(), 5u);
  EXPECT_EQ(four.generated_tokens(), 1u);
}

TEST_P(SchedulableLife, KvGrowsWithEachStep) {  // case 165
  Schedulable eight = sequence(8);
  std::vector<std::size_t> positions{eight.kv_position()};

  ASSERT_TRUE(eight.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(eight.apply_prefill(std::nullopt, manager_).has_value());
  positions.push_back(eight.kv_position());
  ASSERT_TRUE(eight.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(eight.apply_prefill(1, manager_).has_value());
  positions.push_back(eight.kv_position());
  decode(eight);
  positions.push_back(eight.kv_position());
  speculate(eight, 3, 3);
  positions.push_back(eight.kv_position());

  EXPECT_EQ(positions, (std::vector<std::size_t>{0, 4, 8, 9, 12}));
}

TEST_P(SchedulableLife, AFailedReacquireSaysSo) {  // case 168
  make_cached(manager_, 1);
  Schedulable twelve = sequence(12);
  ASSERT_EQ(twelve.match_and_add_prefix(manager_).value(), 1u);
  ASSERT_TRUE(twelve.release().has_value());
  const auto elsewhere = allocated(manager_, 19);

  EXPECT_FALSE(twelve.reacquire(manager_).value());

  EXPECT_EQ(delegate_->events.back(), SequenceEvent(SequenceReacquired{1, false}));
  EXPECT_EQ(twelve.prefix_matched_blocks(), 1u);
  EXPECT_EQ(twelve.assignments().size(), 0u);
}

TEST_P(SchedulableLife, DroppedInAnyStateItGivesAllBack) {  // case 169
  {
    Schedulable eight = sequence(8);
    ASSERT_TRUE(eight.schedule_prefill(8, manager_).has_value());
  }

  EXPECT_EQ(manager_.available_blocks(), 20u);
  EXPECT_EQ(delegate_->events.size(), 2u);
}

TEST_P(SchedulableLife, AbortEndsItInAnyState) {
  Schedulable scheduled = prefilled(6, 20);
  ASSERT_TRUE(scheduled.schedule_speculative(9, manager_).has_value());
  Schedulable idle = prefilled(6, 20);

  scheduled.abort();
  idle.abort();

  EXPECT_TRUE(scheduled.is_idle());
  EXPECT_EQ(scheduled.assignments().size(), 0u);
  EXPECT_EQ(manager_.available_blocks(), 20u);
}

// ---- as the reference does it ----

TEST_F(SchedulableAsReference, AnUnalignedChunkPublishesWhatIsNotComputed) {  // case 134, S1
  Schedulable sixteen = sequence(16);

  ASSERT_TRUE(sixteen.schedule_prefill(6, manager_).has_value());
  ASSERT_TRUE(sixteen.apply_prefill(std::nullopt, manager_).has_value());

  EXPECT_EQ(sixteen.assigned_blocks(), 2u);
}

TEST_F(SchedulableAsReference, DecodePublishesABlockWithItsLastToken) {  // case 137, S2
  Schedulable four = prefilled(4);
  decode(four);
  decode(four);

  EXPECT_EQ(decode(four), DecodeOutcome::BlockCompleted);

  EXPECT_EQ(four.kv_position(), 7u);
  EXPECT_EQ(four.assigned_blocks(), 2u);
  EXPECT_EQ(four.unassigned_blocks(), 0u);
  ASSERT_TRUE(four.schedule_decode(manager_).has_value());
  EXPECT_EQ(four.state(), SequenceState(DecodeScheduled{1}));
}

TEST_F(SchedulableAsReference, PreemptionChangesNoPosition) {  // case 158
  Schedulable eight = prefilled(8);
  decode(eight);
  decode(eight);
  ASSERT_TRUE(eight.release().has_value());

  EXPECT_TRUE(eight.reacquire(manager_).value());

  EXPECT_EQ(eight.assigned_blocks(), 2u);
  EXPECT_EQ(eight.unassigned_blocks(), 0u);
  EXPECT_EQ(eight.generated_tokens(), 3u);
  EXPECT_EQ(eight.kv_position(), 10u);
  EXPECT_EQ(decode(eight), DecodeOutcome::BlockCompleted);
}

TEST_F(SchedulableAsReference, AFullyCachedPromptIsAtAnEnd) {  // case 166, S4
  make_cached(manager_, 2);
  Schedulable eight = sequence(8);
  ASSERT_EQ(eight.match_and_add_prefix(manager_).value(), 2u);

  EXPECT_EQ(eight.tail_tokens(), 0u);
  EXPECT_TRUE(failed_for(eight.schedule_prefill(0, manager_), S::PrefillComplete{}));
  EXPECT_TRUE(failed_for(eight.schedule_decode(manager_), S::WrongDanglingCount{1, 0}));
  ASSERT_TRUE(eight.append_tokens(counting_tokens(0, 1)).has_value());
  EXPECT_EQ(decode(eight), DecodeOutcome::Continue);
  EXPECT_EQ(eight.kv_position(), 9u);
}

TEST_F(SchedulableAsReference, ReacquireInMidPrefillAssignsAllBlocks) {  // case 167, S3
  Schedulable twelve = sequence(12);
  ASSERT_TRUE(twelve.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(twelve.apply_prefill(std::nullopt, manager_).has_value());
  ASSERT_TRUE(twelve.release().has_value());

  EXPECT_TRUE(twelve.reacquire(manager_).value());

  EXPECT_EQ(twelve.prefill_position(), 4u);
  EXPECT_EQ(twelve.kv_position(), 4u);
  EXPECT_EQ(twelve.assigned_blocks(), 3u);
  ASSERT_TRUE(twelve.schedule_prefill(8, manager_).has_value());
  EXPECT_EQ(twelve.state(), SequenceState(PrefillScheduled{8, 0}));
}

}  // namespace
}  // namespace kvbm::test
