#include <gtest/gtest.h>

#include "kvbm/sequence/block_sequence.hpp"
#include "kvbm/sequence/sequence_builder.hpp"
#include "kvbm/sequence/sequence_state.hpp"

// What a refusal says to people names everything that it says to programs.

namespace kvbm {
namespace {

std::string text_of_error(decltype(BlockSequenceError::what) what) {
  return BlockSequenceError{std::move(what)}.text();
}

TEST(SequenceTexts, NameTheBlocksThatDoNotFit) {
  EXPECT_EQ(text_of_error(BlockSequenceError::OrderingViolation{7, 9, 3, 1}),
            "block 7 at 3 is known, but the new block 9 came before it, at 1");
  EXPECT_EQ(text_of_error(BlockSequenceError::PositionMismatch{4, 5, 9}),
            "block 9 is for position 4, but its hash is for position 5");
  EXPECT_EQ(text_of_error(BlockSequenceError::DuplicateBlockId{9}), "block 9 is named twice");
  EXPECT_EQ(text_of_error(BlockSequenceError::TokenExtension{"too long"}), "tokens were refused: too long");
}

TEST(SequenceTexts, NameWhatABuilderLacks) {
  using Missing = SequenceBuildError::Missing;
  EXPECT_EQ(SequenceBuildError{Missing::Tokens}.text(), "no tokens were given");
  EXPECT_EQ(SequenceBuildError{Missing::MaxOutputTokens}.text(), "max_output_tokens was not given");
  EXPECT_EQ(SequenceBuildError{Missing::BlockSize}.text(), "block_size was not given");
}

TEST(SequenceTexts, NameTheStepThatIsOnItsWay) {
  EXPECT_EQ(text_of(Idle{}), "Idle");
  EXPECT_EQ(text_of(PrefillScheduled{8, 2}), "PrefillScheduled(8 tokens, 2 blocks)");
  EXPECT_EQ(text_of(DecodeScheduled{1}), "DecodeScheduled(1 block)");
  EXPECT_EQ(text_of(SpeculativeScheduled{1, 0}), "SpeculativeScheduled(1 token, 0 blocks)");
}

}  // namespace
}  // namespace kvbm
