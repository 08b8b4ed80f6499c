#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "kvbm/sequence/external_block_assignments.hpp"
#include "tests/sequence/sequences.hpp"

// Ids meet tokens: how many are assigned, to which positions, and who waits.
namespace kvbm::test {
namespace {

using External = ExternalBlockAssignments;

/// 100, 200, ... as the specification's cases count them.
Ids hundreds(std::size_t count) {
  Ids list;
  for (std::size_t i = 0; i < count; ++i) list.push_back(static_cast<BlockId>(100 * (i + 1)));
  return list;
}

Ids waiting(const External& blocks) { return ids(blocks.table().unassigned()); }
Ids assigned(const External& blocks) { return ids(blocks.table().assigned()); }

/// Takes the ids and assigns what can be. The list is a good one.
BlockRange assign(External& blocks, const Ids& list, const BlockSequence& sequence) {
  EXPECT_TRUE(blocks.extend_block_ids(list).has_value());
  const auto range = blocks.assign_pending(sequence.hashes());
  EXPECT_TRUE(range.has_value());
  return *range;
}

struct Assigning {
  std::size_t complete, partial, given;
  BlockRange assigned;
  std::size_t waiting;
};

class ExternalAssigning : public testing::TestWithParam<Assigning> {};

INSTANTIATE_TEST_SUITE_P(Cases, ExternalAssigning,
                         testing::Values(Assigning{0, 0, 0, {0, 0}, 0},       // case 6
                                         Assigning{1, 0, 0, {0, 0}, 0},       // case 7
                                         Assigning{1, 0, 1, {0, 1}, 0},       // case 8
                                         Assigning{1, 0, 2, {0, 1}, 1},       // case 9
                                         Assigning{3, 0, 3, {0, 3}, 0},       // case 10
                                         Assigning{3, 0, 1, {0, 1}, 0},       // case 11
                                         Assigning{3, 0, 5, {0, 3}, 2},       // case 12
                                         Assigning{0, 2, 0, {0, 0}, 0},       // case 13
                                         Assigning{2, 1, 2, {0, 2}, 0},       // case 14
                                         Assigning{2, 3, 4, {0, 2}, 2},       // case 15
                                         Assigning{3, 2, 1, {0, 1}, 0},       // case 16
                                         Assigning{0, 0, 3, {0, 0}, 3},       // case 21
                                         Assigning{0, 3, 2, {0, 0}, 2},       // case 22
                                         Assigning{10, 0, 10, {0, 10}, 0}));  // case 23

TEST_P(ExternalAssigning, PairsIdsWithCompleteBlocksInOrder) {
  const auto& [complete, partial, given, expected, left] = GetParam();
  const BlockSequence sequence = block_sequence(complete, partial);
  External blocks;

  EXPECT_EQ(assign(blocks, hundreds(given), sequence), expected);

  ASSERT_EQ(blocks.assigned_count(), expected.end);
  for (std::size_t i = 0; i < expected.end; ++i) {
    EXPECT_EQ(blocks.get_assigned(i), (NamedBlock{static_cast<BlockId>(100 * (i + 1)), sequence.hashes()[i]}));
  }
  Ids rest = hundreds(given);
  rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(expected.end));
  EXPECT_EQ(waiting(blocks), rest);
  EXPECT_EQ(waiting(blocks).size(), left);
  EXPECT_EQ(blocks.staged_count(), 0u);
  EXPECT_EQ(blocks.empty(), given == 0);
}

struct Growing {
  std::size_t complete, partial, first, second;
  BlockRange assigned;
  Ids waiting;
};

class ExternalGrowing : public testing::TestWithParam<Growing> {};

INSTANTIATE_TEST_SUITE_P(Cases, ExternalGrowing,
                         testing::Values(Growing{4, 0, 2, 4, {2, 4}, {}},            // case 17
                                         Growing{3, 0, 2, 5, {2, 3}, {400, 500}},    // case 18
                                         Growing{2, 1, 1, 4, {1, 2}, {300, 400}},    // case 19
                                         Growing{2, 0, 2, 4, {2, 2}, {300, 400}}));  // case 20

TEST_P(ExternalGrowing, ALongerListGoesOnWhereTheShorterEnded) {
  const auto& [complete, partial, first, second, expected, left] = GetParam();
  const BlockSequence sequence = block_sequence(complete, partial);
  External blocks;
  assign(blocks, hundreds(first), sequence);

  EXPECT_EQ(assign(blocks, hundreds(second), sequence), expected);

  EXPECT_EQ(waiting(blocks), left);
  for (std::size_t i = 0; i < blocks.assigned_count(); ++i) {
    EXPECT_EQ(blocks.get_assigned(i), (NamedBlock{hundreds(second)[i], sequence.hashes()[i]}));
  }
}

TEST(ExternalAssignments, PairInTheOrderGivenNotThatOfIds) {  // case 24
  External blocks;
  const Ids list{999, 888, 777, 666, 555};

  assign(blocks, list, block_sequence(5));

  EXPECT_EQ(assigned(blocks), list);
}

TEST(ExternalAssignments, EveryCombinationAssignsTheLesserNumber) {  // case 25
  for (const std::size_t complete : {0u, 1u, 3u, 5u}) {
    for (const std::size_t partial : {0u, 1u, 3u}) {
      for (const std::size_t given : {std::size_t{0}, complete / 2, complete, complete + 3}) {
        SCOPED_TRACE(testing::Message() << complete << " blocks, " << partial << " tokens, " << given << " ids");
        External blocks;
        const std::size_t expected = std::min(complete, given);

        EXPECT_EQ(assign(blocks, hundreds(given), block_sequence(complete, partial)), (BlockRange{0, expected}));

        const Ids all = hundreds(given);
        EXPECT_EQ(waiting(blocks), Ids(all.begin() + static_cast<std::ptrdiff_t>(expected), all.end()));
      }
    }
  }
}

// ---- the queue of ids that wait is first in, first out ----

TEST(ExternalQueue, OldIdsGoBeforeNewOnes) {  // case 26
  External blocks;
  assign(blocks, hundreds(7), block_sequence(5));
  Ids list = hundreds(7);
  list.insert(list.end(), {800, 900});

  EXPECT_EQ(assign(blocks, list, block_sequence(7)), (BlockRange{5, 7}));

  EXPECT_EQ(blocks.get_assigned(5)->id, 600u);
  EXPECT_EQ(blocks.get_assigned(6)->id, 700u);
  EXPECT_EQ(waiting(blocks), (Ids{800, 900}));
}

TEST(ExternalQueue, AllOfThemMayGoAtOnce) {  // case 27
  External blocks;
  assign(blocks, hundreds(4), block_sequence(3));

  assign(blocks, hundreds(6), block_sequence(6));

  EXPECT_EQ(assigned(blocks), hundreds(6));
  EXPECT_TRUE(waiting(blocks).empty());
}

TEST(ExternalQueue, GrowsWithoutNewBlocks) {  // case 28
  External blocks;
  assign(blocks, hundreds(4), block_sequence(2));

  assign(blocks, hundreds(6), block_sequence(2));

  EXPECT_EQ(waiting(blocks), (Ids{300, 400, 500, 600}));
}

TEST(ExternalQueue, OneBlockTakesTheFirst) {  // case 29
  External blocks;
  assign(blocks, hundreds(5), block_sequence(3));

  assign(blocks, hundreds(8), block_sequence(4));

  EXPECT_EQ(blocks.get_assigned(3)->id, 400u);
  EXPECT_EQ(waiting(blocks), (Ids{500, 600, 700, 800}));
}

TEST(ExternalQueue, SurvivesSeveralRounds) {  // case 30
  External blocks;
  for (const std::size_t given : {4u, 5u, 7u}) assign(blocks, hundreds(given), block_sequence(2));

  assign(blocks, hundreds(7), block_sequence(5));

  EXPECT_EQ(assigned(blocks), hundreds(5));
  EXPECT_EQ(waiting(blocks), (Ids{600, 700}));
}

TEST(ExternalQueue, ALateIdDoesNotOvertake) {  // case 31
  External blocks;
  assign(blocks, {10, 20, 30, 40, 50, 60}, block_sequence(1));
  assign(blocks, {10, 20, 30, 40, 50, 60}, block_sequence(3));

  assign(blocks, {10, 20, 30, 40, 50, 60, 70}, block_sequence(4));

  EXPECT_EQ(assigned(blocks), (Ids{10, 20, 30, 40}));
}

TEST(ExternalQueue, ABlockThatBecomesCompleteTakesTheFirst) {  // case 32, 35
  External blocks;
  assign(blocks, hundreds(4), block_sequence(2, 2));

  assign(blocks, hundreds(5), block_sequence(3));

  EXPECT_EQ(blocks.get_assigned(2)->id, 300u);
  EXPECT_EQ(waiting(blocks), (Ids{400, 500}));
}

TEST(ExternalQueue, EmptiesExactly) {  // cases 33, 36
  External blocks;
  assign(blocks, hundreds(5), block_sequence(2));

  EXPECT_EQ(blocks.assign_pending(block_sequence(5).hashes()).value(), (BlockRange{2, 5}));

  EXPECT_TRUE(waiting(blocks).empty());
}

TEST(ExternalQueue, AnEmptyQueueLetsANewIdThroughAtOnce) {  // case 34
  External blocks;
  assign(blocks, hundreds(3), block_sequence(3));

  EXPECT_EQ(assign(blocks, hundreds(4), block_sequence(4)), (BlockRange{3, 4}));
}

TEST(ExternalQueue, TokensAloneMoveItOn) {  // cases 35, 36
  External blocks;
  assign(blocks, hundreds(3), block_sequence(2, 2));

  EXPECT_EQ(blocks.assign_pending(block_sequence(3).hashes()).value(), (BlockRange{2, 3}));

  EXPECT_EQ(blocks.get_assigned(2)->id, 300u);
}

}  // namespace
}  // namespace kvbm::test
