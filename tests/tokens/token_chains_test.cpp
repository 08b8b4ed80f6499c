#include "tests/support/token_chains.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

// ---- logical.md 18.20 case 239 ----

static_assert(test::is_block_size(1) && test::is_block_size(4) && test::is_block_size(16) && test::is_block_size(1024));
static_assert(!test::is_block_size(0) && !test::is_block_size(3) && !test::is_block_size(5) &&
              !test::is_block_size(2048));

TEST(TokenChains, BlockSizesAreThoseManagersAccept) {  // logical.md 18.20 case 239
  for (std::uint32_t tokens = 0; tokens <= 2048; ++tokens) {
    const bool made =
        BlockManager<G1>::create({.blocks = 1, .tokens_per_block = tokens, .registry = BlockRegistry()}).has_value();
    EXPECT_EQ(made, test::is_block_size(tokens)) << tokens;
  }
}

// ---- case 240 ----

TEST(TokenChains, CountingTokensCountUpFromTheFirst) {  // logical.md 18.20 case 240
  EXPECT_EQ(test::counting_tokens(100, 4), (std::vector<Token>{100, 101, 102, 103}));
  EXPECT_EQ(test::tokens_for_id(7), (std::vector<Token>{7, 8, 9, 10}));
}

TEST(TokenChains, UniqueSequencesStartAThousandApart) {  // logical.md 18.20 case 240
  const std::vector<std::vector<Token>> sequences = test::unique_sequences(3, 4);

  ASSERT_EQ(sequences.size(), 3u);
  EXPECT_EQ(sequences[0].front(), 0u);
  EXPECT_EQ(sequences[1].front(), 1000u);
  EXPECT_EQ(sequences[2].front(), 2000u);
  EXPECT_EQ(std::set(sequences.begin(), sequences.end()).size(), 3u);
}

TEST(TokenChains, ACountingBlockIsTheFirstOfASaltedSequence) {
  const TokenBlock block = test::counting_block(100);

  EXPECT_EQ(block.salt(), test::kSalt);
  EXPECT_EQ(block.position(), 0u);
  EXPECT_EQ(block.hash(), test::token_hash(test::counting_tokens(100, 4)));
  EXPECT_NE(block.hash(), test::counting_block(101).hash());
}

TEST(TokenChainsDeath, ABlockOfTooFewOrTooManyTokensIsABug) {
  EXPECT_DEATH((void)test::token_block(test::counting_tokens(0, 3), 4), "do not fill one block");
  EXPECT_DEATH((void)test::token_block(test::counting_tokens(0, 5), 4), "do not fill one block");
}

// ---- case 241 ----

TEST(TokenChains, AChainHasPositionsFromZeroOn) {  // logical.md 18.20 case 241
  const auto chain = test::token_chain(test::counting_tokens(0, 12), 4);

  ASSERT_EQ(chain.size(), 3u);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    EXPECT_EQ(chain[i].first, i);
    EXPECT_EQ(chain[i].second.position(), i);
  }
}

TEST(TokenChains, EachHashOfAChainIsTheParentOfTheNext) {  // logical.md 18.20 case 241
  const auto chain = test::token_chain(test::counting_tokens(0, 12), 4);

  EXPECT_EQ(chain[0].second, test::counting_block(0).hash());
  EXPECT_EQ(chain[1].second.parent_fragment(), chain[0].second.fragment_for_child(1));
  EXPECT_EQ(chain[2].second.parent_fragment(), chain[1].second.fragment_for_child(2));
}

TEST(TokenChainsDeath, AChainOfAnythingButWholeBlocksIsABug) {  // logical.md 18.20 case 241
  EXPECT_DEATH((void)test::token_chain(test::counting_tokens(0, 10), 4), "do not fill whole blocks");
}

}  // namespace
}  // namespace kvbm
