#include "kvbm/sequence/block_sequence.hpp"

#include <gtest/gtest.h>

#include "tests/sequence/sequences.hpp"

namespace kvbm::test {
namespace {

TEST(BlockSequence, CutsTokensIntoBlocks) {  // case 1
  const BlockSequence sequence(counting_tokens(0, 8), 4);

  EXPECT_EQ(sequence.block_count(), 2u);
  EXPECT_EQ(sequence.blocks().size(), 2u);
  EXPECT_EQ(sequence.block_size(), 4u);
  EXPECT_EQ(sequence.total_tokens(), 8u);
}

TEST(BlockSequence, HashesAreTheLineageOfTheBlocks) {  // case 2
  const BlockSequence sequence = block_sequence(3, 2);

  const std::vector<TokenBlock> blocks = sequence.blocks();

  ASSERT_EQ(sequence.hashes().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sequence.hashes()[i], blocks[i].hash());
    EXPECT_EQ(sequence.hashes()[i].position(), i);
  }
}

TEST(BlockSequence, ExtendReturnsTheBlocksItCompleted) {  // case 3
  BlockSequence sequence(counting_tokens(0, 4), 4);

  const auto completed = sequence.extend_tokens(counting_tokens(4, 6));

  ASSERT_TRUE(completed.has_value());
  EXPECT_EQ(**completed, (BlockRange{1, 2}));
  EXPECT_EQ(sequence.total_tokens(), 10u);
  EXPECT_EQ(sequence.block_count(), 2u);
}

TEST(BlockSequence, AppendReturnsTheBlockItCompleted) {  // case 4
  BlockSequence sequence(counting_tokens(0, 2), 4);

  EXPECT_EQ(*sequence.append_token(2), std::nullopt);
  EXPECT_EQ(*sequence.append_token(3), std::optional<std::size_t>(0));
}

TEST(BlockSequence, SaltTellsHashesApart) {  // case 5
  const BlockSequence plain(counting_tokens(0, 4), 4);
  const BlockSequence salted(counting_tokens(0, 4), 4, 42);

  EXPECT_NE(plain.hashes()[0], salted.hashes()[0]);
}

TEST(BlockSequence, TokensBeyondTheLastPositionAreRefusedAndLeaveItAsItWas) {
  BlockSequence sequence(counting_tokens(0, 3), 1);

  const auto refused = sequence.extend_tokens(std::vector<Token>(SequenceHash::kPositionLimit));

  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().get_if<BlockSequenceError::TokenExtension>(), nullptr);
  EXPECT_EQ(sequence.total_tokens(), 3u);
  EXPECT_EQ(sequence.hashes().size(), 3u);
}

TEST(BlockSequenceDeathTest, BlocksOfNoTokensAreABug) {  // case 172
  EXPECT_DEATH(BlockSequence({}, 0), "blocks of no tokens");
  EXPECT_DEATH(
      static_cast<void>(SchedulableSequence<G1>::builder().tokens({1}).max_output_tokens(1).block_size(0).build()),
      "blocks of no tokens");
}

}  // namespace
}  // namespace kvbm::test
