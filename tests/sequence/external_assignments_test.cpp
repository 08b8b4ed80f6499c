#include <gtest/gtest.h>

#include "kvbm/sequence/external_block_assignments.hpp"
#include "tests/sequence/sequences.hpp"

// What is refused, positions and queries, the two steps of assigning, and zipping.
namespace kvbm::test {
namespace {

using External = ExternalBlockAssignments;
using SequenceError = BlockSequenceError;

/// `assigned` blocks with ids 100, 101, ..., then `waiting` unassigned ones.
External blocks_at(std::size_t offset, std::size_t assigned, std::size_t waiting, BlockId first = 100) {
  External blocks(offset);
  Ids list;
  for (std::size_t i = 0; i < assigned; ++i) list.push_back(static_cast<BlockId>(first + i));
  EXPECT_TRUE(blocks.extend_block_ids(list).has_value());
  EXPECT_TRUE(blocks.assign_pending(block_sequence(offset + assigned).hashes()).has_value());
  for (std::size_t i = 0; i < waiting; ++i) list.push_back(static_cast<BlockId>(first + assigned + i));
  EXPECT_TRUE(blocks.extend_block_ids(list).has_value());
  return blocks;
}

// ---- refusals ----

TEST(ExternalExtend, AKnownIdBehindANewOneIsRefused) {  // case 37
  External blocks = blocks_at(0, 1, 0);

  const auto refused = blocks.extend_block_ids(Ids{200, 100});

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), (SequenceError{SequenceError::OrderingViolation{100, 200, 1, 0}}));
  EXPECT_EQ(blocks.unassigned_count(), 0u);
  EXPECT_FALSE(blocks.contains(200));
}

TEST(ExternalExtend, ARefusalLeavesAssignedBlocksAlone) {  // case 38
  External blocks = blocks_at(0, 2, 0);

  EXPECT_FALSE(blocks.extend_block_ids(Ids{300, 100}).has_value());

  EXPECT_EQ(ids(blocks.table().ids()), (Ids{100, 101}));
}

TEST(ExternalExtend, KnownIdsAloneChangeNothing) {  // case 39
  External blocks = blocks_at(0, 3, 0);

  ASSERT_TRUE(blocks.extend_block_ids(Ids{100, 101, 102}).has_value());

  EXPECT_EQ(blocks.assign_pending(block_sequence(3).hashes()).value(), (BlockRange{3, 3}));
}

TEST(ExternalExtend, AssigningAgainChangesNothing) {  // case 40
  External blocks = blocks_at(0, 2, 2);

  EXPECT_EQ(blocks.assign_pending(block_sequence(2).hashes()).value(), (BlockRange{2, 2}));

  EXPECT_EQ(ids(blocks.table().unassigned()), (Ids{102, 103}));
}

TEST(ExternalExtend, ANewIdNamedTwiceIsRefused) {  // case 41
  External blocks = blocks_at(0, 1, 0);

  const auto refused = blocks.extend_block_ids(Ids{100, 200, 300, 200});

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), (SequenceError{SequenceError::DuplicateBlockId{200}}));
  EXPECT_EQ(blocks.unassigned_count(), 0u);
  EXPECT_FALSE(blocks.contains(300));
}

TEST(ExternalExtend, KnownIdsMayBeLeftOutAndComeInAnyOrder) {  // case 42
  External blocks = blocks_at(0, 3, 1);

  EXPECT_TRUE(blocks.extend_block_ids(Ids{102, 100}).has_value());
  EXPECT_TRUE(blocks.extend_block_ids(Ids{103}).has_value());

  EXPECT_EQ(ids(blocks.table().ids()), (Ids{100, 101, 102, 103}));
}

TEST(ExternalStage, AShorterSequenceShrinksNothing) {  // case 43
  External blocks = blocks_at(0, 3, 1);

  EXPECT_EQ(blocks.assign_pending(block_sequence(2).hashes()).value(), (BlockRange{3, 3}));

  EXPECT_EQ(blocks.assigned_count(), 3u);
}

TEST(ExternalStage, AHashOfAnotherPositionIsRefused) {  // case 44
  External blocks;
  ASSERT_TRUE(blocks.extend_block_ids(Ids{100, 200}).has_value());
  const BlockSequence sequence = block_sequence(3);
  const std::vector<SequenceHash> shifted{sequence.hashes()[0], sequence.hashes()[2]};

  const auto refused = blocks.stage_pending(shifted);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), (SequenceError{SequenceError::PositionMismatch{1, 2, 200}}));
  EXPECT_EQ(blocks.staged_count(), 0u);
  EXPECT_EQ(blocks.unassigned_count(), 2u);
  EXPECT_FALSE(blocks.assign_pending(shifted).has_value());
  EXPECT_EQ(blocks.assigned_count(), 0u);
}

// ---- offset and positions ----

TEST(ExternalOffset, BlocksStandBehindIt) {  // cases 45, 48
  External blocks(5);
  EXPECT_EQ(blocks.next_position(), 5u);
  ASSERT_TRUE(blocks.extend_block_ids(Ids{1, 2, 3}).has_value());

  ASSERT_TRUE(blocks.assign_pending(block_sequence(10).hashes()).has_value());

  EXPECT_EQ(blocks.next_position(), 8u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(blocks.get_assigned(i)->hash.position(), 5 + i);
}

TEST(ExternalOffset, OnlyWhatTheSequenceReachesIsAssigned) {  // case 46
  External blocks(5);
  ASSERT_TRUE(blocks.extend_block_ids(Ids{100, 200, 300, 400, 500}).has_value());

  ASSERT_TRUE(blocks.assign_pending(block_sequence(8).hashes()).has_value());

  EXPECT_EQ(blocks.assigned_count(), 3u);
  EXPECT_EQ(ids(blocks.table().unassigned()), (Ids{400, 500}));
}

TEST(ExternalOffset, TwoOnOneSequenceAreIndependent) {  // case 47
  const External near = blocks_at(0, 5, 0);
  const External far = blocks_at(5, 2, 0);

  EXPECT_EQ(near.get_assigned(4)->hash, block_sequence(5).hashes()[4]);
  EXPECT_EQ(far.get_assigned(0)->hash, block_sequence(6).hashes()[5]);
}

TEST(ExternalOffset, ClearKeepsIt) {  // case 49
  External blocks = blocks_at(5, 2, 2);

  blocks.clear();

  EXPECT_EQ(blocks.offset(), 5u);
  EXPECT_EQ(blocks.next_position(), 5u);
  EXPECT_TRUE(blocks.empty());
  EXPECT_FALSE(blocks.contains(100));
}

/// One assigned, one staged, one unassigned block.
External in_all_phases() {
  External blocks = blocks_at(0, 1, 2);
  EXPECT_EQ(blocks.stage_pending(block_sequence(2).hashes()).value(), (BlockRange{0, 1}));
  return blocks;
}

TEST(ExternalQueries, ContainsLooksAtAllPhases) {  // case 50
  const External blocks = in_all_phases();

  for (const BlockId id : {100u, 101u, 102u}) EXPECT_TRUE(blocks.contains(id)) << id;
  EXPECT_FALSE(blocks.contains(103));
}

TEST(ExternalQueries, EachPhaseIsInOrder) {  // case 51
  External blocks = blocks_at(0, 2, 3);
  const BlockSequence sequence = block_sequence(4);
  ASSERT_TRUE(blocks.stage_pending(sequence.hashes()).has_value());

  EXPECT_EQ(ids(blocks.table().assigned()), (Ids{100, 101}));
  EXPECT_EQ(ids(blocks.table().staged()), (Ids{102, 103}));
  EXPECT_EQ(blocks.get_staged(1), (NamedBlock{103, sequence.hashes()[3]}));
  EXPECT_EQ(blocks.get_staged(2), std::nullopt);
  EXPECT_EQ(blocks.get_assigned(2), std::nullopt);
}

TEST(ExternalQueries, AssignedPositions) {  // case 52
  EXPECT_EQ(External().assigned_positions(), (BlockRange{0, 0}));
  EXPECT_EQ(blocks_at(3, 2, 0).assigned_positions(), (BlockRange{3, 5}));
}

TEST(ExternalQueries, PendingPositions) {  // case 53
  EXPECT_EQ(External().pending_positions(), (BlockRange{0, 0}));
  EXPECT_EQ(blocks_at(0, 2, 2).pending_positions(), (BlockRange{2, 4}));
  EXPECT_EQ(blocks_at(5, 4, 0).pending_positions(), (BlockRange{9, 9}));
  External staged = blocks_at(0, 0, 5);
  ASSERT_TRUE(staged.stage_pending(block_sequence(3).hashes()).has_value());
  EXPECT_EQ(staged.pending_positions(), (BlockRange{3, 5}));
}

TEST(ExternalQueries, ByPosition) {  // case 54
  const External blocks = blocks_at(3, 2, 2);

  EXPECT_EQ(blocks.get_at_position(2), std::nullopt);
  EXPECT_EQ(blocks.get_at_position(4)->id, 101u);
  EXPECT_EQ(blocks.get_at_position(5), std::nullopt);
  EXPECT_EQ(blocks.get_pending_at_position(4), std::nullopt);
  EXPECT_EQ(blocks.get_pending_at_position(6), std::optional<BlockId>(103));
  EXPECT_EQ(blocks.get_pending_at_position(7), std::nullopt);
}

TEST(ExternalQueries, StagedPositions) {  // case 55
  EXPECT_EQ(External().staged_positions(), (BlockRange{0, 0}));
  External blocks = blocks_at(0, 2, 3);
  ASSERT_TRUE(blocks.stage_pending(block_sequence(5).hashes()).has_value());
  EXPECT_EQ(blocks.staged_positions(), (BlockRange{2, 5}));
  External shifted = blocks_at(3, 2, 2);
  ASSERT_TRUE(shifted.stage_pending(block_sequence(7).hashes()).has_value());
  EXPECT_EQ(shifted.staged_positions(), (BlockRange{5, 7}));
}

TEST(ExternalQueries, NextPositionCountsStagedBlocks) {  // case 56
  External blocks = blocks_at(0, 0, 3);
  EXPECT_EQ(blocks.next_position(), 0u);
  ASSERT_TRUE(blocks.stage_pending(block_sequence(3).hashes()).has_value());
  EXPECT_EQ(blocks.next_position(), 3u);
  EXPECT_EQ(blocks.commit_staged(), (BlockRange{0, 3}));
  EXPECT_EQ(blocks.next_position(), 3u);
}

// ---- two steps, and directly ----

TEST(ExternalTwoSteps, StageThenCommit) {  // case 57
  External blocks = blocks_at(0, 0, 3);

  EXPECT_EQ(blocks.stage_pending(block_sequence(3).hashes()).value(), (BlockRange{0, 3}));
  EXPECT_EQ(blocks.staged_count(), 3u);
  EXPECT_EQ(blocks.assigned_count(), 0u);
  EXPECT_EQ(blocks.commit_staged(), (BlockRange{0, 3}));
  EXPECT_EQ(blocks.staged_count(), 0u);
}

TEST(ExternalTwoSteps, StageLeavesWhatHasNoBlockYet) {  // case 58
  External blocks = blocks_at(0, 0, 5);

  ASSERT_TRUE(blocks.stage_pending(block_sequence(2).hashes()).has_value());

  EXPECT_EQ(blocks.staged_count(), 2u);
  EXPECT_EQ(blocks.unassigned_count(), 3u);
}

TEST(ExternalTwoSteps, StagedIndicesStartAgainAfterACommit) {  // case 59
  External blocks = blocks_at(0, 0, 5);
  const BlockSequence sequence = block_sequence(5);

  ASSERT_TRUE(blocks.stage_pending(sequence.hashes().first(3)).has_value());
  EXPECT_EQ(blocks.commit_staged(), (BlockRange{0, 3}));

  EXPECT_EQ(blocks.stage_pending(sequence.hashes()).value(), (BlockRange{0, 2}));
  EXPECT_EQ(blocks.commit_staged(), (BlockRange{3, 5}));
}

TEST(ExternalTwoSteps, NothingToStageAndNothingToCommit) {  // case 60
  External blocks;

  EXPECT_EQ(blocks.stage_pending(block_sequence(3).hashes()).value(), (BlockRange{0, 0}));
  EXPECT_EQ(blocks.commit_staged(), (BlockRange{0, 0}));
}

TEST(ExternalTwoSteps, TakeStagedEmptiesThePhase) {  // case 61
  External blocks = in_all_phases();

  const std::vector<NamedBlock> taken = blocks.take_staged();

  EXPECT_EQ(taken, (std::vector{NamedBlock{101, block_sequence(2).hashes()[1]}}));
  EXPECT_EQ(blocks.staged_count(), 0u);
  EXPECT_FALSE(blocks.contains(101));
  EXPECT_EQ(ids(blocks.table().ids()), (Ids{100, 102}));
  EXPECT_EQ(blocks.next_position(), 1u);
}

std::vector<NamedBlock> named(std::initializer_list<BlockId> list) {
  std::vector<NamedBlock> blocks;
  for (const BlockId id : list) blocks.push_back({id, block_sequence(10).hashes()[blocks.size()]});
  return blocks;
}

TEST(ExternalDirectly, ExtendAssignedKeepsTheOrder) {  // case 62
  External blocks;

  EXPECT_EQ(blocks.extend_assigned(named({7, 5, 6})).value(), 3u);

  EXPECT_EQ(ids(blocks.table().assigned()), (Ids{7, 5, 6}));
  EXPECT_EQ(blocks.get_assigned(2), named({7, 5, 6})[2]);
}

TEST(ExternalDirectly, StagingGoesOnBehindThem) {  // case 63
  External blocks;
  ASSERT_TRUE(blocks.extend_assigned(named({7, 5})).has_value());
  ASSERT_TRUE(blocks.extend_block_ids(Ids{7, 5, 1, 2, 3}).has_value());

  ASSERT_TRUE(blocks.stage_pending(block_sequence(5).hashes()).has_value());
  EXPECT_EQ(blocks.commit_staged(), (BlockRange{2, 5}));

  EXPECT_EQ(ids(blocks.table().assigned()), (Ids{7, 5, 1, 2, 3}));
  EXPECT_EQ(blocks.get_assigned(4)->hash.position(), 4u);
}

TEST(ExternalDirectly, AKnownIdIsRefusedAndNothingIsWell) {  // case 64
  External blocks = in_all_phases();
  ASSERT_EQ(blocks.commit_staged(), (BlockRange{1, 2}));

  const auto refused = blocks.extend_assigned(named({9, 102}));

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), (SequenceError{SequenceError::DuplicateBlockId{102}}));
  EXPECT_FALSE(blocks.contains(9));
  EXPECT_EQ(blocks.extend_assigned({}).value(), 0u);
}

TEST(ExternalDirectly, AnIdNamedTwiceIsRefused) {  // case 65
  External blocks;

  const auto refused = blocks.extend_assigned(named({9, 8, 9}));

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), (SequenceError{SequenceError::DuplicateBlockId{9}}));
  EXPECT_TRUE(blocks.empty());
}

TEST(ExternalDirectlyDeathTest, StagedBlocksWouldMove) {  // S9
  External blocks = in_all_phases();
  EXPECT_DEATH(static_cast<void>(blocks.extend_assigned(named({9}))), "push staged ones");
}

TEST(ExternalQueries, TextNamesTypeAndOffset) {  // case 66
  const std::string text = blocks_at(5, 1, 1).text();

  EXPECT_NE(text.find("ExternalBlockAssignments"), std::string::npos);
  EXPECT_NE(text.find("offset 5"), std::string::npos);
}

// ---- zip ----

using Zipped = std::vector<ZippedBlock>;

TEST(Zip, AssignedIsWhereBothHaveBlocks) {  // case 67
  EXPECT_EQ(zip_assigned(blocks_at(0, 2, 0), blocks_at(0, 2, 0, 200)), (Zipped{{0, 100, 200}, {1, 101, 201}}));
  EXPECT_EQ(zip_assigned(blocks_at(0, 4, 0), blocks_at(2, 3, 0, 200)), (Zipped{{2, 102, 200}, {3, 103, 201}}));
  EXPECT_EQ(zip_assigned(blocks_at(0, 2, 0), blocks_at(2, 2, 0, 200)), Zipped{});
  EXPECT_EQ(zip_assigned(blocks_at(0, 2, 0), External()), Zipped{});
  EXPECT_EQ(zip_assigned(External(), blocks_at(0, 2, 0)), Zipped{});
  EXPECT_EQ(zip_assigned(External(), External()), Zipped{});
}

TEST(Zip, PendingIsWhereTheTargetWaits) {  // case 68
  EXPECT_EQ(zip_assigned_pending(blocks_at(2, 3, 0), blocks_at(0, 2, 3, 200)),
            (Zipped{{2, 100, 202}, {3, 101, 203}, {4, 102, 204}}));
  EXPECT_EQ(zip_assigned_pending(blocks_at(2, 4, 0), blocks_at(0, 3, 2, 200)), (Zipped{{3, 101, 203}, {4, 102, 204}}));
  EXPECT_EQ(zip_assigned_pending(blocks_at(0, 2, 0), blocks_at(0, 3, 2, 200)), Zipped{});
  EXPECT_EQ(zip_assigned_pending(External(), blocks_at(0, 3, 2, 200)), Zipped{});
  EXPECT_EQ(zip_assigned_pending(blocks_at(0, 5, 0), blocks_at(0, 3, 0, 200)), Zipped{});
}

TEST(Zip, PlansAnOnboarding) {  // case 69
  const BlockSequence sequence = block_sequence(5);
  External device = blocks_at(0, 2, 3, 200);
  const External host = blocks_at(2, 3, 0);

  const Zipped plan = zip_assigned_pending(host, device);
  ASSERT_TRUE(device.assign_pending(sequence.hashes()).has_value());

  EXPECT_EQ(plan, (Zipped{{2, 100, 202}, {3, 101, 203}, {4, 102, 204}}));
  EXPECT_EQ(zip_assigned(host, device), plan);
}

}  // namespace
}  // namespace kvbm::test
