#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/blocks.hpp"

// What kvbm does otherwise than the reference: nothing is findable before its KV is computed, and no position is
// claimed whose KV is gone.
namespace kvbm::test {
namespace {

using S = ScheduleError;
using A = ApplyError;

class SchedulablePublication : public SchedulableDefault {
 protected:
  /// Leading blocks of counting tokens that anybody can find.
  [[nodiscard]] std::uint32_t findable(const Schedulable& sequence) const {
    return manager_.match_blocks(sequence.hashes()).size();
  }
};

TEST_F(SchedulablePublication, AnUnalignedChunkPublishesWholeBlocksOnly) {  // case 134, S1
  Schedulable sixteen = sequence(16);

  ASSERT_TRUE(sixteen.schedule_prefill(6, manager_).has_value());
  ASSERT_TRUE(sixteen.apply_prefill(std::nullopt, manager_).has_value());
  EXPECT_EQ(findable(sixteen), 1u);
  EXPECT_EQ(sixteen.unassigned_blocks(), 1u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(PrefillApplied{6, 1, false}));

  ASSERT_TRUE(sixteen.schedule_prefill(10, manager_).has_value());
  ASSERT_TRUE(sixteen.apply_prefill(1, manager_).has_value());
  EXPECT_EQ(findable(sixteen), 4u);
}

TEST_F(SchedulablePublication, ADecodedBlockIsPublishedWithTheKvOfItsLastToken) {  // case 137, S2
  Schedulable four = prefilled(4);
  decode(four);
  decode(four);
  EXPECT_EQ(decode(four), DecodeOutcome::BlockCompleted);  // its last token has no KV yet
  EXPECT_EQ(four.kv_position(), 7u);
  EXPECT_EQ(findable(four), 1u);
  EXPECT_EQ(four.unassigned_blocks(), 1u);

  decode(four);

  EXPECT_EQ(four.kv_position(), 8u);
  EXPECT_EQ(findable(four), 2u);
}

TEST_F(SchedulablePublication, SpeculationPublishesWhatIsComputed) {  // S2
  Schedulable seven = prefilled(7, 20);

  EXPECT_EQ(speculate(seven, 4, 0), DecodeOutcome::Continue);
  EXPECT_EQ(findable(seven), 1u);
  EXPECT_EQ(seven.unassigned_blocks(), 2u);  // the block that waits for its KV, and one to grow into

  speculate(seven, 4, 1);
  EXPECT_EQ(findable(seven), 2u);
}

TEST_F(SchedulablePublication, AFullyCachedPromptLeavesOneTokenToCompute) {  // case 166, S4
  make_cached(manager_, 2);
  Schedulable eight = sequence(8);

  EXPECT_EQ(eight.match_and_add_prefix(manager_).value(), 2u);
  EXPECT_EQ(eight.kv_position(), 7u);
  EXPECT_EQ(eight.tail_tokens(), 1u);
  EXPECT_FALSE(eight.is_prefill_complete());
  EXPECT_EQ(eight.writable_from(), 8u);  // the token's KV is in a block that others may read

  ASSERT_TRUE(eight.schedule_prefill(1, manager_).has_value());
  EXPECT_EQ(eight.state(), SequenceState(PrefillScheduled{1, 0}));
  ASSERT_TRUE(eight.apply_prefill(1, manager_).has_value());

  EXPECT_EQ(eight.assigned_blocks(), 2u);
  EXPECT_EQ(eight.kv_position(), 8u);
  EXPECT_EQ(decode(eight), DecodeOutcome::Continue);
  EXPECT_EQ(eight.kv_position(), 9u);
}

// ---- preemption ----

TEST_F(SchedulablePublication, PreemptedItPrefillsGeneratedTokensToo) {  // case 158, S3
  Schedulable eight = prefilled(8);
  decode(eight);
  decode(eight);
  ASSERT_TRUE(eight.release().has_value());
  EXPECT_EQ(eight.kv_position(), 0u);
  EXPECT_TRUE(failed_for(eight.schedule_decode(manager_), S::PrefillNotComplete{0, 11}));

  EXPECT_TRUE(eight.reacquire(manager_).value());
  EXPECT_EQ(eight.assigned_blocks(), 2u);
  EXPECT_EQ(eight.kv_position(), 8u);
  EXPECT_EQ(eight.tail_tokens(), 3u);
  EXPECT_EQ(delegate_->events.back(), SequenceEvent(SequenceReacquired{2, true}));

  ASSERT_TRUE(eight.schedule_prefill(3, manager_).has_value());
  ASSERT_TRUE(eight.apply_prefill(5, manager_).has_value());
  EXPECT_EQ(eight.generated_tokens(), 4u);
  EXPECT_EQ(eight.tail_tokens(), 1u);
  EXPECT_EQ(decode(eight), DecodeOutcome::Continue);
}

TEST_F(SchedulablePublication, ReacquireInMidPrefillPublishesNothing) {  // case 167, S3
  Schedulable twelve = sequence(12);
  ASSERT_TRUE(twelve.schedule_prefill(4, manager_).has_value());
  ASSERT_TRUE(twelve.apply_prefill(std::nullopt, manager_).has_value());
  ASSERT_TRUE(twelve.release().has_value());

  EXPECT_TRUE(twelve.reacquire(manager_).value());

  EXPECT_EQ(twelve.prefill_position(), 4u);
  EXPECT_EQ(twelve.assigned_blocks(), 1u);
  EXPECT_EQ(twelve.unassigned_blocks(), 2u);
  EXPECT_EQ(findable(twelve), 1u);
  ASSERT_TRUE(twelve.schedule_prefill(8, manager_).has_value());
  EXPECT_EQ(twelve.state(), SequenceState(PrefillScheduled{8, 0}));
}

TEST_F(SchedulablePublication, ReacquireOfWhatWasEvictedStartsFromTheBeginning) {
  Schedulable eight = prefilled(8);
  ASSERT_TRUE(eight.release().has_value());
  manager_.reset_inactive_pool();

  EXPECT_TRUE(eight.reacquire(manager_).value());

  EXPECT_EQ(eight.kv_position(), 0u);
  EXPECT_EQ(eight.prefill_end(), 9u);
  EXPECT_EQ(eight.unassigned_blocks(), 2u);
}

TEST_F(SchedulablePublication, AfterAReleaseMatchingStartsItAgainToo) {
  Schedulable eight = prefilled(8);
  ASSERT_TRUE(eight.release().has_value());

  EXPECT_EQ(eight.match_and_add_prefix(manager_).value(), 2u);

  EXPECT_EQ(eight.kv_position(), 8u);
  EXPECT_EQ(eight.prefix_matched_blocks(), 2u);
  ASSERT_TRUE(eight.schedule_prefill(1, manager_).has_value());
  EXPECT_TRUE(failed_for(eight.apply_prefill(std::nullopt, manager_), A::MissingTokenOnFinalChunk{}));
}

TEST_F(SchedulablePublication, PreemptedAtItsEndItEmitsNothingMore) {
  Schedulable four = prefilled(4, 1);
  ASSERT_TRUE(four.release().has_value());
  ASSERT_TRUE(four.reacquire(manager_).value());

  ASSERT_TRUE(four.schedule_prefill(1, manager_).has_value());
  EXPECT_TRUE(failed_for(four.apply_prefill(1, manager_), A::AppendExceedsRemaining{1, 0}));
  EXPECT_TRUE(four.apply_prefill(std::nullopt, manager_).has_value());
}

TEST_F(SchedulablePublication, TokensInADroppedBlockAreComputedAgain) {  // case 154
  Schedulable six = prefilled(6);
  ASSERT_EQ(six.unassigned_blocks(), 1u);

  EXPECT_EQ(six.drop_unassigned(1), 1u);

  EXPECT_EQ(six.kv_position(), 4u);
  EXPECT_TRUE(failed_for(six.schedule_decode(manager_), S::PrefillNotComplete{4, 7}));
  ASSERT_TRUE(six.schedule_prefill(3, manager_).has_value());
  ASSERT_TRUE(six.apply_prefill(1, manager_).has_value());
  EXPECT_EQ(six.kv_position(), 7u);
}

// ---- Reject ----

TEST(SchedulableRejected, ThePageTableNamesTheBlocksThatHoldTheContent) {  // S6
  const BlockManager<G1> blocks =
      manager({.blocks = 6, .tokens_per_block = kB, .duplication = DuplicationPolicy::Reject});
  Schedulable first(counting_tokens(0, 8), options(10));
  Schedulable second(counting_tokens(0, 8), options(10));
  for (Schedulable* sequence : {&first, &second}) ASSERT_TRUE(sequence->schedule_prefill(8, blocks).has_value());

  ASSERT_TRUE(first.apply_prefill(1, blocks).has_value());
  ASSERT_TRUE(second.apply_prefill(2, blocks).has_value());

  EXPECT_EQ(ids(first.page_indices()), ids(second.page_indices()));
  EXPECT_EQ(blocks.available_blocks(), 4u);
  ASSERT_TRUE(second.schedule_speculative(9, blocks).has_value());  // up to the last block there is
  const Ids table = ids(second.page_indices());
  EXPECT_EQ(std::set<BlockId>(table.begin(), table.end()).size(), table.size());
}

// ---- a source that throws ----

TEST(SchedulableThrowing, ARegistrationThatThrowsReleasesTheSequence) {
  bool broken = true;
  const BlockRegistry registry({.on_registered = [&broken](const auto&) {
    if (broken) throw std::runtime_error("no");
  }});
  const BlockManager<G1> blocks = manager({.blocks = 6, .tokens_per_block = kB, .registry = registry});
  Schedulable eight(counting_tokens(0, 8), options(10));
  ASSERT_TRUE(eight.schedule_prefill(8, blocks).has_value());

  EXPECT_THROW(static_cast<void>(eight.apply_prefill(1, blocks)), std::runtime_error);

  EXPECT_TRUE(eight.is_idle());
  EXPECT_EQ(eight.assignments().size(), 0u);
  EXPECT_EQ(eight.kv_position(), 0u);
  EXPECT_EQ(blocks.available_blocks(), 6u);
  broken = false;
  EXPECT_TRUE(eight.reacquire(blocks).value());
  EXPECT_EQ(eight.kv_position(), 8u);
}

}  // namespace
}  // namespace kvbm::test
