#include "kvbm/sequence/request_sequence.hpp"

#include <gtest/gtest.h>

#include "tests/sequence/sequences.hpp"
#include "tests/support/blocks.hpp"

namespace kvbm::test {
namespace {

using Request = RequestSequence<G1>;
using Error = LogicalBlockAssignmentError<G1>;

/// A request whose prompt is 0, 1, 2, ...
Request request(std::size_t tokens, std::size_t max_output = 10) {
  return Request(counting_tokens(0, tokens), options(max_output));
}

/// Matches, allocates the rest, and a block to grow into where it may, and registers what is complete.
void prefill(Request& request, const BlockManager<G1>& manager) {
  ASSERT_TRUE(request.match_and_add_prefix(manager).has_value());
  const std::size_t wanted = request.num_blocks() + (request.is_complete() ? 0 : 1);
  ASSERT_TRUE(request.allocate_blocks(static_cast<std::uint32_t>(wanted - request.assigned_blocks()), manager));
  request.complete_and_register_pending(manager);
}

class RequestSequenceTest : public testing::Test {
 protected:
  const BlockManager<G1> manager_ = manager({.blocks = 20, .tokens_per_block = kB});
};

TEST_F(RequestSequenceTest, IsMadeWithoutAManager) {  // case 93
  const Request fresh = request(8);

  EXPECT_EQ(fresh.num_input_tokens(), 8u);
  EXPECT_EQ(fresh.total_tokens(), 8u);
  EXPECT_EQ(fresh.num_blocks(), 2u);
  EXPECT_EQ(fresh.complete_sequence_blocks(), 2u);
  EXPECT_EQ(fresh.generated_tokens(), 0u);
  EXPECT_EQ(fresh.max_output_tokens(), 10u);
  EXPECT_EQ(fresh.prefix_matched_blocks(), 0u);
  EXPECT_TRUE(fresh.assignments().empty());
}

TEST_F(RequestSequenceTest, Prefilled) {  // case 94
  struct Expected {
    std::size_t tokens, max_output, assigned, unassigned;
  };
  for (const auto& [tokens, max_output, assigned, unassigned] :
       {Expected{8, 10, 2, 1}, Expected{6, 10, 1, 1}, Expected{0, 10, 0, 1}, Expected{8, 0, 2, 0}}) {
    SCOPED_TRACE(tokens);
    const BlockManager<G1> fresh = manager();
    Request request(counting_tokens(0, tokens), options(max_output));
    prefill(request, fresh);
    EXPECT_EQ(request.assigned_blocks(), assigned);
    EXPECT_EQ(request.unassigned_blocks(), unassigned);
  }
}

TEST_F(RequestSequenceTest, AnAllocationThatFailsTakesNothing) {  // cases 95, 105
  const BlockManager<G1> small = manager({.blocks = 2, .tokens_per_block = kB});
  Request twelve = request(12);

  EXPECT_FALSE(twelve.allocate_blocks(3, small));
  EXPECT_EQ(small.available_blocks(), 2u);
  EXPECT_EQ(twelve.unassigned_blocks(), 0u);
  EXPECT_TRUE(twelve.allocate_blocks(2, small));
  EXPECT_TRUE(twelve.allocate_blocks(0, small));
}

TEST_F(RequestSequenceTest, ACachedPrefixIsTaken) {  // cases 96, 104
  make_cached(manager_, 2);
  Request all = request(8);
  EXPECT_EQ(all.match_and_add_prefix(manager_).value(), 2u);
  EXPECT_EQ(all.prefix_matched_blocks(), 2u);
  EXPECT_EQ(all.assigned_blocks(), 2u);

  const BlockManager<G1> other = manager();
  make_cached(other, 1);
  Request part = request(12);
  prefill(part, other);
  EXPECT_EQ(part.prefix_matched_blocks(), 1u);
  EXPECT_EQ(part.assigned_blocks(), 3u);
  EXPECT_EQ(part.unassigned_blocks(), 1u);
}

TEST_F(RequestSequenceTest, NewTokensForPrefillLeavesOutTheMatchedPrefix) {  // case 99
  make_cached(manager_, 1);
  Request twelve = request(12);

  ASSERT_TRUE(twelve.match_and_add_prefix(manager_).has_value());

  EXPECT_EQ(twelve.new_tokens_for_prefill(), 8u);
}

TEST_F(RequestSequenceTest, AppendReturnsTheBlockItCompletes) {  // case 100
  Request seven = request(6);

  EXPECT_EQ(seven.append_token(1), std::nullopt);
  EXPECT_EQ(seven.append_token(2), std::optional<std::size_t>(1));

  EXPECT_EQ(seven.generated_tokens(), 2u);
  EXPECT_EQ(seven.total_tokens(), 8u);
  EXPECT_EQ(seven.remaining_tokens(), 8u);
}

TEST_F(RequestSequenceTest, IsCompleteAfterMaxTokens) {  // case 102
  EXPECT_TRUE(request(4, 0).is_complete());
  Request two = request(4, 2);
  two.append_token(1);
  EXPECT_FALSE(two.is_complete());
  two.append_token(2);
  EXPECT_TRUE(two.is_complete());
  EXPECT_EQ(two.remaining_tokens(), 0u);
}

TEST_F(RequestSequenceTest, DecodesOverBlockBoundaries) {  // case 103
  Request four = request(4);
  prefill(four, manager_);
  std::vector<std::size_t> assigned;

  for (Token token = 0; token < 8; ++token) {
    if (!four.append_token(token)) continue;
    four.complete_and_register_pending(manager_);
    ASSERT_TRUE(four.allocate_blocks(1, manager_));
    assigned.push_back(four.assigned_blocks());
  }

  EXPECT_EQ(assigned, (std::vector<std::size_t>{2, 3}));
  four.release();
  EXPECT_EQ(four.assigned_blocks(), 0u);
}

TEST_F(RequestSequenceTest, ReleaseGivesAllBlocksBackAndKeepsCounters) {  // case 106
  make_cached(manager_, 1);
  Request eight = request(8);
  prefill(eight, manager_);
  eight.append_token(1);
  EXPECT_EQ(manager_.available_blocks(), 17u);

  eight.release();
  eight.release();

  EXPECT_TRUE(eight.assignments().empty());
  EXPECT_EQ(manager_.available_blocks(), 20u);
  EXPECT_EQ(eight.generated_tokens(), 1u);
  EXPECT_EQ(eight.prefix_matched_blocks(), 1u);
}

TEST_F(RequestSequenceTest, ReacquireFindsWhatIsStillThere) {  // case 107
  Request eight = request(8);
  prefill(eight, manager_);
  eight.append_token(1);
  eight.release();

  EXPECT_TRUE(eight.reacquire(manager_));

  EXPECT_EQ(eight.assigned_blocks(), 2u);
  EXPECT_EQ(eight.unassigned_blocks(), 0u);
  EXPECT_EQ(eight.generated_tokens(), 1u);
  EXPECT_EQ(eight.prefix_matched_blocks(), 2u);
}

TEST_F(RequestSequenceTest, ReacquireAllocatesWhatIsGoneAndRegistersNothing) {  // S3
  make_cached(manager_, 1);
  Request twelve = request(12);

  EXPECT_TRUE(twelve.reacquire(manager_));

  EXPECT_EQ(twelve.assigned_blocks(), 1u);
  EXPECT_EQ(twelve.unassigned_blocks(), 2u);
  EXPECT_EQ(twelve.prefix_matched_blocks(), 1u);
}

TEST_F(RequestSequenceTest, AsReferenceReacquireRegistersWhatItAllocates) {
  Request twelve(counting_tokens(0, 12), options(10).as_reference());

  EXPECT_TRUE(twelve.reacquire(manager_));

  EXPECT_EQ(twelve.assigned_blocks(), 3u);
  EXPECT_EQ(manager_.match_blocks(twelve.hashes()).size(), 3u);
}

TEST_F(RequestSequenceTest, ReacquireThatFailsHoldsNothing) {  // case 108
  make_cached(manager_, 1);
  Request eight = request(12);
  const auto elsewhere = allocated(manager_, 18);

  EXPECT_FALSE(eight.reacquire(manager_));

  EXPECT_TRUE(eight.assignments().empty());
  EXPECT_EQ(eight.prefix_matched_blocks(), 0u);
  EXPECT_EQ(manager_.available_blocks(), 2u);
}

TEST_F(RequestSequenceTest, DroppedItGivesAllBlocksBack) {  // case 110
  {
    Request eight = request(8);
    prefill(eight, manager_);
    EXPECT_EQ(manager_.available_blocks(), 17u);
  }

  EXPECT_EQ(manager_.available_blocks(), 20u);
}

TEST_F(RequestSequenceTest, DropExcessKeepsTheFirst) {  // case 111
  Request four = request(4);
  ASSERT_TRUE(four.allocate_blocks(5, manager_));

  EXPECT_EQ(four.drop_excess_unassigned(2), 3u);
  EXPECT_EQ(four.drop_excess_unassigned(2), 0u);

  EXPECT_EQ(ids(four.page_indices()), (Ids{0, 1}));
}

TEST_F(RequestSequenceTest, PageIndicesAreInOrderOfPhases) {  // case 112
  make_cached(manager_, 1);
  Request twelve = request(12);
  ASSERT_TRUE(twelve.match_and_add_prefix(manager_).has_value());
  ASSERT_TRUE(twelve.allocate_blocks(3, manager_));
  twelve.stage_pending(2);

  EXPECT_EQ(twelve.assigned_blocks(), 1u);
  EXPECT_EQ(twelve.staged_blocks(), 1u);
  EXPECT_EQ(twelve.unassigned_blocks(), 2u);
  EXPECT_EQ(ids(twelve.page_indices()), (Ids{0, 1, 2, 3}));
}

TEST_F(RequestSequenceTest, ThePageTableStaysWhereItIsWhileItGrows) {
  Request growing = request(4, 1000);
  ASSERT_TRUE(growing.allocate_blocks(1, manager_));
  const BlockId* const where = growing.page_indices().data();

  for (int i = 0; i < 19; ++i) ASSERT_TRUE(growing.allocate_blocks(1, manager_));

  EXPECT_EQ(growing.page_indices().data(), where);
  EXPECT_EQ(growing.page_indices().size(), 20u);
}

TEST_F(RequestSequenceTest, ASaltKeepsRequestsApart) {  // S7
  Request plain = request(8);
  prefill(plain, manager_);
  SequenceOptions salted_options = options(10);
  salted_options.salt = 42;
  Request salted(counting_tokens(0, 8), salted_options);

  EXPECT_EQ(salted.match_and_add_prefix(manager_).value(), 0u);
}

// ---- a source that does not do as it should ----

/// Hands out, as matched, whatever it was given.
struct WrongSource {
  const BlockManager<G1>& manager;
  std::vector<SequenceHash> found;

  [[nodiscard]] BlockRun<ImmutableBlock<G1>> match_blocks(std::span<const SequenceHash>) const {
    return manager.match_blocks(found);
  }
  [[nodiscard]] auto allocate(std::uint32_t count) const { return manager.allocate(count); }
  [[nodiscard]] auto register_blocks(BlockRun<CompleteBlock<G1>> blocks) const {
    return manager.register_blocks(std::move(blocks));
  }
  [[nodiscard]] std::uint32_t tokens_per_block() const { return manager.tokens_per_block(); }
};

TEST_F(RequestSequenceTest, AMatchOfSomethingElseComesBack) {  // case 98
  const std::vector<SequenceHash> foreign = chain(7, 2);
  { const auto idle = registered(manager_, foreign); }
  const WrongSource source{manager_, foreign};
  Request eight = request(8);

  const auto refused = eight.match_and_add_prefix(source);

  ASSERT_FALSE(refused.has_value());
  const auto* mismatch = refused.error().get_if<Error::SequenceHashMismatch>();
  ASSERT_NE(mismatch, nullptr);
  EXPECT_EQ(mismatch->position, 0u);
  EXPECT_EQ(mismatch->expected, eight.hashes()[0]);
  EXPECT_EQ(mismatch->actual, foreign[0]);
  EXPECT_EQ(mismatch->blocks.size(), 2u);
  EXPECT_TRUE(eight.assignments().empty());
  EXPECT_FALSE(refused.error().text().empty());
}

TEST_F(RequestSequenceTest, AReacquireThatFindsSomethingElseFails) {
  { const auto idle = registered(manager_, chain(7, 2)); }
  const WrongSource source{manager_, chain(7, 2)};
  Request eight = request(8);

  EXPECT_FALSE(eight.reacquire(source));

  EXPECT_EQ(manager_.available_blocks(), 20u);
}

using RequestSequenceDeathTest = RequestSequenceTest;

TEST_F(RequestSequenceDeathTest, MoreMatchedThanAskedFor) {  // case 97
  make_cached(manager_, 3);
  const BlockSequence three = block_sequence(3);
  const WrongSource source{manager_, {three.hashes().begin(), three.hashes().end()}};
  Request eight = request(8);

  EXPECT_DEATH(static_cast<void>(eight.match_and_add_prefix(source)), "more blocks were matched");
}

TEST_F(RequestSequenceDeathTest, MoreTokensThanAllowed) {  // case 101
  Request one = request(4, 1);
  one.append_token(1);

  EXPECT_DEATH(one.append_token(2), "generates more tokens than it may");
}

TEST_F(RequestSequenceDeathTest, APrefixForASequenceThatHoldsBlocks) {  // cases 109, 113
  Request eight = request(8);
  ASSERT_TRUE(eight.allocate_blocks(1, manager_));

  EXPECT_DEATH(static_cast<void>(eight.match_and_add_prefix(manager_)), "holds blocks");
  EXPECT_DEATH(static_cast<void>(eight.reacquire(manager_)), "holds blocks");
}

TEST_F(RequestSequenceDeathTest, BlocksOfAnotherSize) {
  const BlockManager<G1> larger = manager({.blocks = 4, .tokens_per_block = 8});
  Request eight = request(8);

  EXPECT_DEATH(static_cast<void>(eight.allocate_blocks(1, larger)), "another size");
}

}  // namespace
}  // namespace kvbm::test
