#include <gtest/gtest.h>

#include "kvbm/sequence/logical_block_assignments.hpp"
#include "tests/sequence/sequences.hpp"
#include "tests/support/blocks.hpp"

namespace kvbm::test {
namespace {

using Assignments = LogicalBlockAssignments<G1>;
using Error = LogicalBlockAssignmentError<G1>;
using ImmutableRun = BlockRun<ImmutableBlock<G1>>;

std::vector<SequenceHash> hashes_of(const ImmutableRun& run) {
  std::vector<SequenceHash> hashes;
  for (std::uint32_t i = 0; i < run.size(); ++i) hashes.push_back(run.hash(i));
  return hashes;
}

std::vector<SequenceHash> hashes(std::size_t count) {
  const BlockSequence sequence = block_sequence(count);
  return {sequence.hashes().begin(), sequence.hashes().end()};
}

/// A manager of 10 blocks of 4 tokens, and assignments.
class LogicalAssignments : public testing::Test {
 protected:
  void extend(std::uint32_t count) { ASSERT_EQ(blocks_.extend_blocks(allocated(manager_, count)).value(), count); }
  void stage(std::span<const SequenceHash> hashes) { ASSERT_TRUE(blocks_.stage(hashes, kB).has_value()); }
  /// `assigned`, `staged` and `unassigned` blocks of one sequence.
  void fill(std::uint32_t assigned, std::uint32_t staged, std::uint32_t unassigned) {
    const std::vector<SequenceHash> all = hashes(assigned + staged);
    extend(assigned + staged + unassigned);
    stage(std::span(all).first(assigned));
    ASSERT_EQ(blocks_.register_staged(manager_), assigned);
    stage(std::span(all).subspan(assigned));
  }

  const BlockManager<G1> manager_ = manager();
  Assignments blocks_;
};

TEST_F(LogicalAssignments, NewOnesAreEmpty) {  // case 70
  EXPECT_TRUE(blocks_.empty());
  EXPECT_EQ(blocks_.assigned_count() + blocks_.staged_count() + blocks_.unassigned_count(), 0u);
  EXPECT_FALSE(blocks_.contains(0));
  EXPECT_TRUE(blocks_.table().ids().empty());
  EXPECT_TRUE(blocks_.assigned().empty());
  EXPECT_TRUE(blocks_.staged().empty());
  EXPECT_TRUE(blocks_.unassigned().empty());
}

TEST_F(LogicalAssignments, ExtendTakesEmptyBlocksInOrder) {  // case 71
  extend(2);
  extend(3);

  EXPECT_EQ(ids(blocks_.table().unassigned()), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(ids(blocks_.unassigned().ids()), (Ids{0, 1, 2, 3, 4}));
}

TEST_F(LogicalAssignments, ExtendAssignedKeepsOrderAndHashes) {  // cases 72, 75
  const std::vector<SequenceHash> names = hashes(3);

  EXPECT_EQ(blocks_.extend_assigned(held(manager_, names)).value(), 3u);
  EXPECT_EQ(blocks_.extend_assigned(ImmutableRun::of({})).value(), 0u);

  EXPECT_EQ(ids(blocks_.table().assigned()), (Ids{0, 1, 2}));
  EXPECT_EQ(hashes_of(blocks_.assigned()), names);
  EXPECT_TRUE(blocks_.contains(2));
  EXPECT_FALSE(blocks_.contains(3));
}

TEST_F(LogicalAssignments, NewBlocksFollowAMatchedPrefix) {  // cases 73, 74
  const std::vector<SequenceHash> names = hashes(5);
  { const auto idle = held(manager_, std::span(names).first(3)); }
  ASSERT_EQ(blocks_.extend_assigned(manager_.match_blocks(names)).value(), 3u);
  extend(2);
  stage(std::span(names).subspan(3));

  EXPECT_EQ(blocks_.register_staged(manager_), 2u);

  EXPECT_EQ(hashes_of(blocks_.assigned()), names);
  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{0, 1, 2, 3, 4}));
}

TEST_F(LogicalAssignments, StageTakesTheFirstBlocks) {  // case 76
  extend(5);
  const std::vector<SequenceHash> names = hashes(8);

  EXPECT_EQ(blocks_.stage(std::span(names).first(3), kB).value(), 3u);
  EXPECT_EQ(ids(blocks_.table().staged()), (Ids{0, 1, 2}));
  EXPECT_EQ(ids(blocks_.table().unassigned()), (Ids{3, 4}));
  EXPECT_EQ(blocks_.staged().hash(2), names[2]);

  EXPECT_EQ(blocks_.stage(std::span(names).subspan(3), kB).value(), 2u);  // fewer blocks than hashes
  EXPECT_EQ(ids(blocks_.table().staged()), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(blocks_.staged().hash(4), names[4]);
}

TEST_F(LogicalAssignments, StageOfTheWrongSizeChangesNothing) {
  extend(3);

  const auto refused = blocks_.stage(hashes(2), 8);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().expected, 4u);
  EXPECT_EQ(refused.error().actual, 8u);
  EXPECT_EQ(blocks_.unassigned_count(), 3u);
  EXPECT_EQ(blocks_.staged_count(), 0u);
}

TEST_F(LogicalAssignments, StageOfATokenBlockOfTheWrongSizeHandsTheGuardOut) {  // case 77
  extend(3);
  const std::vector<TokenBlock> wrong{token_block(8)};

  const auto refused = blocks_.stage(wrong);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.expected, 4u);
  EXPECT_EQ(refused.error().error.actual, 8u);
  EXPECT_EQ(refused.error().block.id(), 0u);
  EXPECT_EQ(ids(blocks_.table().unassigned()), (Ids{1, 2}));
  EXPECT_EQ(ids(blocks_.unassigned().ids()), (Ids{1, 2}));
  EXPECT_EQ(blocks_.staged_count(), 0u);
}

TEST_F(LogicalAssignments, GoodTokenBlocksBeforeABadOneStayStaged) {  // case 78
  extend(3);
  std::vector<TokenBlock> some = block_sequence(2).blocks();
  some.push_back(token_block(8));

  const auto refused = blocks_.stage(some);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().block.id(), 2u);
  EXPECT_EQ(ids(blocks_.table().staged()), (Ids{0, 1}));
  EXPECT_EQ(blocks_.unassigned_count(), 0u);
}

TEST_F(LogicalAssignments, StageOfTokenBlocks) {
  extend(3);

  EXPECT_EQ(blocks_.stage(block_sequence(2).blocks()).value(), 2u);

  EXPECT_EQ(blocks_.staged().hash(1), hashes(2)[1]);
  EXPECT_EQ(ids(blocks_.table().unassigned()), (Ids{2}));
}

TEST_F(LogicalAssignments, RegisterAssignsInOrder) {  // cases 79, 80
  EXPECT_EQ(blocks_.register_staged(manager_), 0u);
  fill(0, 5, 0);

  EXPECT_EQ(blocks_.register_staged(manager_), 5u);

  EXPECT_EQ(ids(blocks_.table().assigned()), ids(blocks_.assigned().ids()));
  EXPECT_EQ(hashes_of(blocks_.assigned()), hashes(5));
  EXPECT_EQ(manager_.match_blocks(hashes(5)).size(), 5u);
}

TEST_F(LogicalAssignments, RoundsGoOneBehindTheOther) {  // case 81
  const std::vector<SequenceHash> names = hashes(6);
  for (const std::size_t first : {0u, 3u}) {
    extend(3);
    stage(std::span(names).subspan(first, 3));
    ASSERT_EQ(blocks_.register_staged(manager_), 3u);
  }

  EXPECT_EQ(hashes_of(blocks_.assigned()), names);
  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{0, 1, 2, 3, 4, 5}));
}

TEST_F(LogicalAssignments, TheTableNamesAllPhasesInOrder) {  // cases 82, 90
  fill(2, 2, 2);

  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(ids(blocks_.table().assigned()), (Ids{0, 1}));
  EXPECT_EQ(ids(blocks_.table().staged()), (Ids{2, 3}));
  EXPECT_EQ(ids(blocks_.table().unassigned()), (Ids{4, 5}));
  for (BlockId id = 0; id < 6; ++id) EXPECT_TRUE(blocks_.contains(id));
  EXPECT_FALSE(blocks_.contains(6));
}

TEST_F(LogicalAssignments, ClearGivesAllBlocksBack) {  // case 83
  fill(2, 2, 2);

  blocks_.clear();

  EXPECT_TRUE(blocks_.empty());
  EXPECT_EQ(manager_.available_blocks(), 10u);
  EXPECT_EQ(manager_.metrics().inactive_pool_size, 2);
}

TEST_F(LogicalAssignments, TakingAPhaseLeavesTheOthers) {  // case 84
  fill(2, 2, 2);

  EXPECT_EQ(ids(blocks_.take_staged().ids()), (Ids{2, 3}));
  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{0, 1, 4, 5}));
  EXPECT_EQ(ids(blocks_.take_assigned().ids()), (Ids{0, 1}));
  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{4, 5}));
  EXPECT_EQ(ids(blocks_.take_unassigned().ids()), (Ids{4, 5}));
  EXPECT_TRUE(blocks_.empty());
  EXPECT_EQ(manager_.available_blocks(), 10u);
}

TEST_F(LogicalAssignments, RegisteredBlocksThatAreHereComeBack) {  // case 85
  fill(3, 0, 0);

  const auto refused = blocks_.extend_assigned(manager_.match_blocks(hashes(3)));

  ASSERT_FALSE(refused.has_value());
  const auto* duplicate = refused.error().get_if<Error::DuplicateAssignedBlockId>();
  ASSERT_NE(duplicate, nullptr);
  EXPECT_EQ(duplicate->block_id, 0u);
  EXPECT_EQ(duplicate->blocks.size(), 3u);
  EXPECT_EQ(blocks_.assigned_count(), 3u);
  EXPECT_FALSE(refused.error().text().empty());
}

TEST_F(LogicalAssignments, OneBlockTwiceIsRefused) {  // case 86
  const ImmutableBlock<G1> block = registered(manager_, hash(1));
  const ImmutableBlock<G1> other = registered(manager_, hash(2));

  const auto refused = blocks_.extend_assigned(ImmutableRun::of({other, block, block}));

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().get_if<Error::DuplicateAssignedBlockId>()->block_id, block.id());
  EXPECT_TRUE(blocks_.empty());
}

TEST_F(LogicalAssignments, AssignedBlocksGoBeforeThoseOfOtherPhases) {  // case 87
  const ImmutableBlock<G1> block = registered(manager_, hash(1));
  extend(2);
  stage(std::span<const SequenceHash>(hashes(1)));

  EXPECT_EQ(blocks_.extend_assigned(ImmutableRun::of({block})).value(), 1u);

  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{block.id(), 1, 2}));
  EXPECT_EQ(ids(blocks_.table().staged()), (Ids{1}));
}

TEST_F(LogicalAssignments, EmptyBlocksThatAreHereComeBack) {  // case 88
  const BlockManager<G1> other = manager();
  fill(1, 1, 1);

  auto refused = blocks_.extend_blocks(allocated(other, 3));

  ASSERT_FALSE(refused.has_value());
  const auto* duplicate = refused.error().get_if<Error::DuplicateBlockId>();
  ASSERT_NE(duplicate, nullptr);
  EXPECT_EQ(duplicate->block_id, 0u);
  EXPECT_EQ(duplicate->blocks.size(), 3u);
  EXPECT_EQ(other.available_blocks(), 7u);
  EXPECT_EQ(blocks_.size(), 3u);
  EXPECT_FALSE(refused.error().text().empty());
}

TEST_F(LogicalAssignments, NothingToStage) {  // case 89
  EXPECT_EQ(blocks_.stage(hashes(2), kB).value(), 0u);
  EXPECT_EQ(blocks_.stage({}, kB).value(), 0u);
  EXPECT_EQ(blocks_.stage(block_sequence(2).blocks()).value(), 0u);
  extend(1);
  EXPECT_EQ(blocks_.stage({}, kB).value(), 0u);
}

TEST_F(LogicalAssignments, PopTakesTheLastUnassignedBlock) {  // case 91
  EXPECT_EQ(blocks_.pop_last_unassigned(), std::nullopt);
  fill(1, 0, 2);

  const auto popped = blocks_.pop_last_unassigned();

  ASSERT_TRUE(popped.has_value());
  EXPECT_EQ(popped->first, 2u);
  EXPECT_EQ(popped->second.id(), 2u);
  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{0, 1}));
  EXPECT_EQ(ids(blocks_.unassigned().ids()), (Ids{1}));
}

TEST_F(LogicalAssignments, DropGivesTheLastOnesBack) {
  fill(1, 0, 4);

  EXPECT_EQ(blocks_.drop_unassigned(1), 3u);
  EXPECT_EQ(blocks_.drop_unassigned(1), 0u);

  EXPECT_EQ(ids(blocks_.table().ids()), (Ids{0, 1}));
  EXPECT_EQ(manager_.available_blocks(), 8u);
}

TEST_F(LogicalAssignments, ShareHoldsTheAssignedBlocksOnceMore) {
  fill(2, 0, 1);

  const Assignments shared = blocks_.share_assigned();
  blocks_.clear();

  EXPECT_EQ(ids(shared.table().ids()), (Ids{0, 1}));
  EXPECT_EQ(manager_.available_blocks(), 8u);
}

/// A manager that gives blocks back whose hash it has.
class RejectedAssignments : public testing::Test {
 protected:
  /// Registers a block with a hash that is there, and returns its id.
  BlockId register_known(Assignments& blocks) {
    EXPECT_TRUE(blocks.extend_blocks(allocated(manager_, 1)).has_value());
    const BlockId candidate = blocks.table().ids()[0];
    EXPECT_TRUE(blocks.stage(std::span(&name_, 1), kB).has_value());
    EXPECT_EQ(blocks.register_staged(manager_), 1u);
    return candidate;
  }

  const BlockManager<G1> manager_ =
      manager({.blocks = 5, .tokens_per_block = 4, .duplication = DuplicationPolicy::Reject});
  const SequenceHash name_ = hash(1);
  const ImmutableBlock<G1> there_ = registered(manager_, name_);
};

TEST_F(RejectedAssignments, TheTableNamesTheBlockWithTheContent) {  // case 92, S6
  Assignments blocks;

  const BlockId candidate = register_known(blocks);

  EXPECT_NE(candidate, there_.id());
  EXPECT_EQ(ids(blocks.table().ids()), (Ids{there_.id()}));
  EXPECT_EQ(blocks.extend_blocks(allocated(manager_, 4)).value(), 4u);
}

TEST_F(RejectedAssignments, AsReferenceTheTableNamesTheBlockThatWasGivenBack) {  // case 92
  Assignments blocks(AssignedId::Candidate);

  const BlockId candidate = register_known(blocks);

  EXPECT_EQ(ids(blocks.table().ids()), (Ids{candidate}));
  EXPECT_EQ(blocks.assigned().id(0), there_.id());
  EXPECT_FALSE(blocks.extend_blocks(allocated(manager_, 4)).has_value());  // among them the candidate
}

}  // namespace
}  // namespace kvbm::test
