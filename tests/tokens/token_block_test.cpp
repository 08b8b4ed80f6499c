#include "kvbm/tokens/token_block.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "kvbm/tokens/token_sequence.hpp"
#include "tests/base/hash_text.hpp"

namespace kvbm {
namespace {

using Kind = TokenBlockError::Kind;
using Tokens = std::vector<Token>;

static_assert(std::is_copy_constructible_v<TokenBlock>);
static_assert(!std::is_copy_constructible_v<PartialTokenBlock> && std::is_move_constructible_v<PartialTokenBlock>);

Tokens tokens_of(std::span<const Token> tokens) { return {tokens.begin(), tokens.end()}; }

TEST(TokenBlock, OfOneBlockHasTheRecordedHash) {  // tokens.md 12.5, single blocks, case 1
  const auto hash = [](Tokens tokens) { return test::hex(TokenBlock(std::move(tokens), {.salt = 42}).hash()); };

  EXPECT_EQ(hash({1, 2, 3, 4}), "0032af1b3ca468ee9180000000000000");
  EXPECT_EQ(hash({10, 11, 12, 13}), "00373c28cd4c208f2200000000000000");
  EXPECT_EQ(hash({100, 101, 102, 103}), "001946106a07c68061c0000000000000");
  EXPECT_EQ(hash({999, 998, 997, 996}), "000551184b443a365b40000000000000");
}

TEST(TokenBlock, CarriesTokensPlaceAndHashes) {  // tokens.md 13 case 28
  const TokenBlock first({1, 2, 3, 4}, {.salt = 1337});
  const TokenBlock second({5, 6, 7, 8}, {.salt = 1337, .parent = first.sequence_hash64(), .position = 1});

  EXPECT_EQ(tokens_of(second.tokens()), (Tokens{5, 6, 7, 8}));
  EXPECT_EQ(second.block_size(), 4u);
  EXPECT_EQ(second.salt(), 1337u);
  EXPECT_EQ(second.position(), 1u);
  EXPECT_EQ(second.parent(), 0xcb38e4d7fb2dca5cu);
  EXPECT_EQ(second.block_hash(), 0xe8d3ec39b907b74cu);
  EXPECT_EQ(second.sequence_hash64(), 0x44a2b2379d6d3c3du);
  EXPECT_EQ(second.hash(), first.hash().extend(second.block_hash()));
  EXPECT_EQ(second.positional_hash(), PositionalSequenceHash(0x44a2b2379d6d3c3d, 1, 0xe8d3ec39b907b74c));
}

TEST(TokenBlock, WithAWrongParentHasAnotherSequenceHash) {  // tokens.md 13 case 17
  const TokenBlock right({5, 6, 7, 8}, {.salt = 1337, .parent = 0xcb38e4d7fb2dca5c, .position = 1});
  const TokenBlock wrong({5, 6, 7, 8}, {.salt = 1337, .parent = 0xcb38e4d7fb2dca5d, .position = 1});

  EXPECT_EQ(right.block_hash(), wrong.block_hash());
  EXPECT_NE(right.sequence_hash64(), wrong.sequence_hash64());
  EXPECT_NE(right, wrong);
}

TEST(TokenBlock, EqualMembersAreEqualBlocks) {  // tokens.md 8.4
  const TokenBlock block({1, 2}, {.salt = 3});
  const TokenBlock copy = block;

  EXPECT_EQ(copy, block);
  EXPECT_EQ(block, TokenBlock({1, 2}, {.salt = 3}));
  EXPECT_NE(block, TokenBlock({1, 2}, {.salt = 4}));
  EXPECT_NE(block, TokenBlock({1, 3}, {.salt = 3}));
}

TEST(TokenBlock, IsEmptyByDefault) {  // tokens.md 8.4
  const TokenBlock block;

  EXPECT_TRUE(block.tokens().empty());
  EXPECT_EQ(block.hash(), SequenceHash());
  EXPECT_EQ(block.block_hash(), 0u);
  EXPECT_EQ(block.positional_hash(), PositionalSequenceHash());
  EXPECT_THROW((void)block.next_block(), std::invalid_argument);
}

TEST(TokenBlock, NextBlockIsEmptyAndLinkedBehindIt) {  // tokens.md 13 case 28
  const TokenBlock block({5, 6, 7, 8}, {.salt = 1337, .parent = 1, .position = 6});

  const PartialTokenBlock next = block.next_block();

  EXPECT_TRUE(next.empty());
  EXPECT_EQ(next.block_size(), 4u);
  EXPECT_EQ(next.place(), (BlockPlace{.salt = 1337, .parent = block.sequence_hash64(), .position = 7}));
}

TEST(TokenBlock, RefusesAPositionBeyondTheLimit) {  // tokens.md 13 case 8
  EXPECT_THROW(TokenBlock({1}, {.parent = 1, .position = SequenceHash::kPositionLimit}), std::invalid_argument);
}

TEST(PartialTokenBlock, RefusesBlockSizeZero) {  // tokens.md 13 case 19
  EXPECT_THROW(PartialTokenBlock(0, {}), std::invalid_argument);
}

TEST(PartialTokenBlock, PushBeyondCapacityHandsBackTheSurplus) {  // tokens.md 13 case 16
  PartialTokenBlock partial(4, {});
  const Tokens tokens = {1, 2, 3, 4, 5, 6};

  EXPECT_TRUE(partial.push(std::span(tokens).first(3)).empty());
  EXPECT_EQ(partial.remaining(), 1u);
  const std::span<const Token> rest = partial.push(std::span(tokens).subspan(3));

  EXPECT_EQ(tokens_of(rest), (Tokens{5, 6}));
  EXPECT_EQ(tokens_of(partial.tokens()), (Tokens{1, 2, 3, 4}));
  EXPECT_EQ(partial.remaining(), 0u);
}

TEST(PartialTokenBlock, PushWhenFullHandsBackEverything) {  // tokens.md 13 case 16
  PartialTokenBlock partial(2, {});
  ASSERT_TRUE(partial.push(Tokens{1, 2}).empty());
  const Tokens more = {3, 4};

  EXPECT_EQ(tokens_of(partial.push(more)), more);
  EXPECT_EQ(partial.size(), 2u);
}

TEST(PartialTokenBlock, PopOfMoreThanItHoldsChangesNothing) {  // tokens.md 13 case 16
  PartialTokenBlock partial(4, {});
  ASSERT_TRUE(partial.push(Tokens{1, 2, 3}).empty());

  const auto refused = partial.pop(4);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::InsufficientTokens);
  EXPECT_EQ(partial.size(), 3u);
  ASSERT_TRUE(partial.pop(2));
  EXPECT_EQ(tokens_of(partial.tokens()), Tokens{1});
  ASSERT_TRUE(partial.pop(1));
  EXPECT_TRUE(partial.empty());
}

TEST(PartialTokenBlock, CommitWhenNotFullIsRefused) {  // tokens.md 13 case 16
  PartialTokenBlock partial(4, {});
  ASSERT_TRUE(partial.push(Tokens{1, 2, 3}).empty());

  const auto refused = partial.commit();

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), TokenBlockError{Kind::Incomplete});
  EXPECT_EQ(partial.size(), 3u);
}

TEST(PartialTokenBlock, CommitLeavesTheNextBlockLinkedBehind) {  // tokens.md 13 case 16
  PartialTokenBlock partial(4, {.salt = 1337});
  ASSERT_TRUE(partial.push(Tokens{1, 2, 3, 4}).empty());

  const auto first = partial.commit();

  ASSERT_TRUE(first);
  EXPECT_EQ(*first, TokenBlock({1, 2, 3, 4}, {.salt = 1337}));
  EXPECT_TRUE(partial.empty());
  EXPECT_EQ(partial.block_size(), 4u);
  EXPECT_EQ(partial.place(), (BlockPlace{.salt = 1337, .parent = first->sequence_hash64(), .position = 1}));
  ASSERT_TRUE(partial.push(Tokens{5, 6, 7, 8}).empty());
  EXPECT_EQ(partial.commit()->sequence_hash64(), 0x44a2b2379d6d3c3du);
}

TEST(PartialTokenBlock, CommitBeyondTheLastPositionLeavesItAsItWas) {  // tokens.md 13 case 8
  PartialTokenBlock partial(1, {.parent = 1, .position = SequenceHash::kPositionLimit});
  ASSERT_TRUE(partial.push(Tokens{1}).empty());

  EXPECT_THROW((void)partial.commit(), std::invalid_argument);
  EXPECT_EQ(partial.size(), 1u);
}

TEST(TokenBlockError, SaysWhatIsWrong) {
  const MmInfoError empty_run{MmInfoError::Kind::EmptyRun};

  EXPECT_EQ(TokenBlockError{Kind::Incomplete}.text().find("Incomplete"), 0u);
  EXPECT_EQ(TokenBlockError{Kind::InsufficientTokens}.text().find("InsufficientTokens"), 0u);
  EXPECT_EQ(TokenBlockError{Kind::MmRunsPresent}.text().find("MmRunsPresent"), 0u);
  EXPECT_EQ((TokenBlockError{Kind::MmInfo, empty_run}.text().find("MmInfo: EmptyRun")), 0u);
}

}  // namespace
}  // namespace kvbm
