#include <gtest/gtest.h>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/blocks.hpp"

namespace kvbm::test {
namespace {

class SchedulableFork : public SchedulableBothWays {};
INSTANTIATE_TEST_SUITE_P(Way, SchedulableFork, testing::Bool(), way_name);

TEST_P(SchedulableFork, SharesThePrefixAndCopiesTheTail) {
  Schedulable ten = prefilled(10, 20);
  ASSERT_EQ(ten.assigned_blocks(), 2u);
  const auto delegate = std::make_shared<RecordingDelegate>();

  auto fork = ten.fork(manager_, delegate);

  ASSERT_TRUE(fork.has_value());
  const Schedulable& twin = fork->sequence;
  EXPECT_EQ(ids(twin.page_indices()).size(), 3u);
  EXPECT_EQ(ids(twin.assignments().table().assigned()), ids(ten.assignments().table().assigned()));
  EXPECT_EQ(fork->copy, (std::optional(TailCopy{ten.page_indices()[2], twin.page_indices()[2], 2})));
  EXPECT_NE(twin.page_indices()[2], ten.page_indices()[2]);
  EXPECT_EQ(twin.kv_position(), ten.kv_position());
  EXPECT_EQ(twin.generated_tokens(), 1u);
  EXPECT_EQ(twin.state(), SequenceState(Idle{}));
  EXPECT_EQ(delegate->events, (std::vector<SequenceEvent>{SequenceCreated{10, 20, 4}}));
  EXPECT_EQ(manager_.available_blocks(), 16u);
}

TEST_P(SchedulableFork, CopiesNothingBetweenBlocks) {
  Schedulable eight = prefilled(8);

  auto fork = eight.fork(manager_);

  ASSERT_TRUE(fork.has_value());
  EXPECT_EQ(fork->copy, std::nullopt);
  EXPECT_EQ(manager_.available_blocks(), 18u);
}

TEST_P(SchedulableFork, EachGoesItsOwnWay) {
  Schedulable six = prefilled(6, 20);
  Schedulable twin = std::move(six.fork(manager_)->sequence);

  for (Token token = 0; token < 4; ++token) {
    decode(six, 100 + token);
    decode(twin, 200 + token);
  }

  EXPECT_EQ(six.hashes()[0], twin.hashes()[0]);
  EXPECT_NE(six.hashes()[1], twin.hashes()[1]);
  EXPECT_NE(six.page_indices()[1], twin.page_indices()[1]);
  EXPECT_EQ(six.assigned_blocks(), 2u);
  EXPECT_EQ(twin.assigned_blocks(), 2u);
}

TEST_P(SchedulableFork, SharedBlocksStayUntilTheLastOneGoes) {
  auto ten = std::make_unique<Schedulable>(prefilled(10, 20));
  auto twin = std::make_unique<Schedulable>(std::move(ten->fork(manager_)->sequence));

  ten.reset();
  EXPECT_EQ(manager_.available_blocks(), 17u);
  EXPECT_EQ(decode(*twin), DecodeOutcome::BlockCompleted);
  twin.reset();
  EXPECT_EQ(manager_.available_blocks(), 20u);
}

TEST_P(SchedulableFork, WithoutABlockForTheTailThereIsNone) {
  Schedulable six = prefilled(6);
  const auto elsewhere = allocated(manager_, 18);
  const Ids before = ids(six.page_indices());

  const auto refused = six.fork(manager_);

  EXPECT_TRUE(failed_for(refused, ScheduleError::AllocationFailed{1}));
  EXPECT_EQ(ids(six.page_indices()), before);
  EXPECT_EQ(manager_.available_blocks(), 0u);
  manager_.check_invariants();
}

TEST_P(SchedulableFork, InMidPrefillTheRestIsEachOnesOwn) {
  Schedulable sixteen = sequence(16);
  ASSERT_TRUE(sixteen.schedule_prefill(8, manager_).has_value());
  ASSERT_TRUE(sixteen.apply_prefill(std::nullopt, manager_).has_value());

  Schedulable twin = std::move(sixteen.fork(manager_)->sequence);

  EXPECT_EQ(twin.prefill_position(), 8u);
  ASSERT_TRUE(twin.schedule_prefill(8, manager_).has_value());
  EXPECT_TRUE(twin.apply_prefill(1, manager_).has_value());
  EXPECT_EQ(sixteen.prefill_position(), 8u);
}

}  // namespace
}  // namespace kvbm::test
