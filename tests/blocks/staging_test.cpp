#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "kvbm/blocks/complete_block.hpp"
#include "kvbm/blocks/mutable_block.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/managers.hpp"

// Case 50 (debug text of guards) has nothing to test: guards have no debug text. What a failure prints instead is the
// text of BlockSizeMismatch, tested below. Moved-from guards (case 49) are in guards_test.cpp.
namespace kvbm {
namespace {

BlockManager<G1> manager_with(std::uint32_t blocks, std::uint32_t tokens_per_block = 4) {
  return test::manager({.blocks = blocks, .tokens_per_block = tokens_per_block});
}

CompleteBlock<G1> complete(MutableBlock<G1> block, const TokenBlock& tokens) {
  return std::move(std::move(block).complete(tokens)).value();
}

TEST(MutableBlock, DroppedGoesBackToTheResetPool) {  // logical.md 18.3 case 40
  const auto manager = manager_with(10);
  {
    std::vector<MutableBlock<G1>> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(test::allocated_block(manager));
    EXPECT_EQ(manager.metrics().reset_pool_size, 7);
    EXPECT_EQ(manager.metrics().inflight_mutable, 3);
  }

  EXPECT_EQ(manager.metrics().reset_pool_size, 10);
  EXPECT_EQ(manager.available_blocks(), 10u);
  EXPECT_EQ(manager.metrics().inflight_mutable, 0);
}

TEST(MutableBlock, TokensOfTheWrongSizeGiveTheGuardBack) {  // logical.md 18.3 case 41
  const auto manager = manager_with(10);
  MutableBlock<G1> block = test::allocated_block(manager);
  const BlockId id = block.id();
  {
    const auto refused = std::move(block).complete(test::token_block(8));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().error.expected, 4u);
    EXPECT_EQ(refused.error().error.actual, 8u);
    EXPECT_EQ(refused.error().block.id(), id);
    EXPECT_EQ(manager.metrics().stagings, 0u);
    EXPECT_EQ(manager.metrics().inflight_mutable, 1);  // held by the refusal
  }

  EXPECT_EQ(manager.metrics().inflight_mutable, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 10);
}

TEST(MutableBlock, RefusalsHoldTheirBlocks) {  // logical.md 18.3 case 42
  const auto manager = manager_with(10);
  std::vector<Result<CompleteBlock<G1>, Refused<MutableBlock<G1>, BlockSizeMismatch>>> refused;
  for (int i = 0; i < 3; ++i) {
    refused.push_back(test::allocated_block(manager).complete(test::token_block(8)));
    EXPECT_FALSE(refused.back().has_value());
  }
  EXPECT_EQ(manager.available_blocks(), 7u);

  refused.clear();

  EXPECT_EQ(manager.available_blocks(), 10u);
}

TEST(MutableBlock, TooFewTokensAreRefused) {  // logical.md 18.3 case 43
  const auto manager = manager_with(10, 8);

  const auto refused = test::allocated_block(manager).complete(test::token_block(4));

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.expected, 8u);
  EXPECT_EQ(refused.error().error.actual, 4u);
}

TEST(MutableBlock, CompleteTakesTheLineageOfTheTokens) {  // logical.md 18.3 case 44
  const auto manager = manager_with(10);
  const TokenBlock tokens({5, 6, 7, 8}, BlockPlace{.salt = 3, .parent = 77, .position = 2});
  MutableBlock<G1> block = test::allocated_block(manager);
  const BlockId id = block.id();

  const auto complete = std::move(block).complete(tokens);

  ASSERT_TRUE(complete.has_value());
  EXPECT_EQ(complete->id(), id);
  EXPECT_EQ(complete->hash(), tokens.hash());
  EXPECT_EQ(complete->tokens_per_block(), 4u);
}

TEST(MutableBlock, StageTakesTheHashGiven) {  // logical.md 18.3 case 45
  const auto manager = manager_with(10);

  const auto complete = test::allocated_block(manager).stage(test::hash(42), 4);

  ASSERT_TRUE(complete.has_value());
  EXPECT_EQ(complete->hash(), test::hash(42));
}

TEST(MutableBlock, StageOfTheWrongSizeGivesTheGuardBack) {  // logical.md 18.3 case 45
  const auto manager = manager_with(10);
  MutableBlock<G1> block = test::allocated_block(manager);
  const BlockId id = block.id();

  const auto refused = std::move(block).stage(test::hash(42), 8);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.expected, 4u);
  EXPECT_EQ(refused.error().error.actual, 8u);
  EXPECT_EQ(refused.error().block.id(), id);
}

TEST(CompleteBlock, DroppedGoesBackToTheResetPool) {  // logical.md 18.3 case 46
  const auto manager = manager_with(16);
  {
    std::vector<CompleteBlock<G1>> blocks;
    for (Token i = 0; i < 16; ++i) {
      blocks.push_back(complete(test::allocated_block(manager), test::token_block(4, 4 * i)));
    }
    EXPECT_EQ(manager.metrics().inflight_mutable, 0);  // staged blocks are not counted there
    EXPECT_EQ(manager.metrics().reset_pool_size, 0);
    EXPECT_EQ(manager.metrics().stagings, 16u);
  }

  const PoolMetrics metrics = manager.metrics();
  EXPECT_EQ(metrics.reset_pool_size, 16);
  EXPECT_EQ(metrics.inactive_pool_size, 0);
  EXPECT_EQ(metrics.stagings, 16u);
  EXPECT_EQ(metrics.registrations, 0u);
  manager.check_invariants();
}

TEST(CompleteBlock, CannotBeFound) {  // logical.md 5.2
  const auto manager = manager_with(4);
  const auto block = test::stage(test::allocated_block(manager), test::hash(1));

  EXPECT_FALSE(manager.match_block(test::hash(1)).has_value());
  EXPECT_FALSE(manager.registry().is_registered(test::hash(1)));
}

TEST(CompleteBlock, ResetTakesTheNameOff) {  // logical.md 18.3 case 47
  const auto manager = manager_with(10);
  CompleteBlock<G1> block = complete(test::allocated_block(manager), test::token_block(4));
  const BlockId id = block.id();
  EXPECT_EQ(manager.metrics().inflight_mutable, 0);
  {
    const MutableBlock<G1> unnamed = std::move(block).reset();
    EXPECT_EQ(unnamed.id(), id);
    EXPECT_EQ(unnamed.tokens_per_block(), 4u);
    EXPECT_EQ(manager.metrics().inflight_mutable, 1);
    EXPECT_EQ(manager.metrics().stagings, 1u);  // it has been staged all the same
  }

  EXPECT_EQ(manager.metrics().inflight_mutable, 0);
  EXPECT_EQ(manager.metrics().reset_pool_size, 10);
}

TEST(CompleteBlock, TheSameTokensGiveTheSameHashAgain) {  // logical.md 18.3 case 48
  const auto manager = manager_with(10);
  CompleteBlock<G1> first = complete(test::allocated_block(manager), test::token_block(4));
  const SequenceHash hash = first.hash();

  const auto second = complete(std::move(first).reset(), test::token_block(4));

  EXPECT_EQ(second.hash(), hash);
  EXPECT_EQ(manager.metrics().stagings, 2u);
}

TEST(BlockSizeMismatch, NamesBothSizes) {  // logical.md 3, in place of 18.3 case 50
  const std::string text = BlockSizeMismatch{.expected = 16, .actual = 5}.text();

  EXPECT_NE(text.find("16"), std::string::npos) << text;
  EXPECT_NE(text.find('5'), std::string::npos) << text;
}

// ---- properties over many sizes and tokens ----

TEST(StagingProperty, EveryWrongSizeIsNamedExactly) {  // logical.md 18.3 case 51
  for (const std::uint32_t size : {1u, 4u, 16u, 64u}) {
    const auto manager = manager_with(2, size);
    for (const std::uint32_t wrong : {1u, 2u, 8u, 16u, 32u}) {
      if (wrong == size) continue;
      MutableBlock<G1> block = test::allocated_block(manager);
      const BlockId id = block.id();

      auto refused = std::move(block).complete(test::token_block(wrong));

      ASSERT_FALSE(refused.has_value()) << size << " and " << wrong;
      EXPECT_EQ(refused.error().error.expected, size);
      EXPECT_EQ(refused.error().error.actual, wrong);
      const MutableBlock<G1> recovered = std::move(refused.error().block);
      EXPECT_EQ(recovered.id(), id);
      EXPECT_EQ(recovered.tokens_per_block(), size);
    }
  }
}

TEST(StagingProperty, IdAndSizeSurviveAllTransitions) {  // logical.md 18.3 case 52
  for (const std::uint32_t size : {1u, 4u, 16u, 64u}) {
    const auto manager = manager_with(3, size);
    for (Token first = 0; first < 1000; ++first) {
      const TokenBlock tokens = test::token_block(size, first);
      MutableBlock<G1> block = test::allocated_block(manager);
      const BlockId id = block.id();

      CompleteBlock<G1> once = complete(std::move(block), tokens);
      ASSERT_EQ(once.id(), id);
      ASSERT_EQ(once.tokens_per_block(), size);
      const SequenceHash hash = once.hash();
      MutableBlock<G1> unnamed = std::move(once).reset();
      ASSERT_EQ(unnamed.id(), id);
      ASSERT_EQ(unnamed.tokens_per_block(), size);
      const CompleteBlock<G1> twice = complete(std::move(unnamed), tokens);
      ASSERT_EQ(twice.id(), id);
      ASSERT_EQ(twice.hash(), hash);
    }
  }
}

TEST(StagingProperty, EveryBlockSizeCanBeCompleted) {  // logical.md 18.3 case 53
  for (std::uint32_t size = 1; size <= 1024; size *= 2) {
    const auto manager = manager_with(2, size);

    const auto complete = test::allocated_block(manager).complete(test::token_block(size));

    ASSERT_TRUE(complete.has_value()) << size;
    EXPECT_EQ(complete->tokens_per_block(), size);
  }
}

TEST(StagingProperty, TheSlotHasNoPartInTheHash) {  // logical.md 18.3 case 54
  const auto manager = manager_with(2);
  std::mt19937_64 random(1);
  const auto token = [&random] { return static_cast<Token>(random()); };
  for (int round = 0; round < 100; ++round) {
    const TokenBlock tokens({token(), token(), token(), token()}, BlockPlace{});
    const auto one = complete(test::allocated_block(manager), tokens);
    const auto other = complete(test::allocated_block(manager), tokens);

    ASSERT_NE(one.id(), other.id());
    ASSERT_EQ(one.hash(), other.hash());
  }
}

TEST(StagingProperty, OtherTokensGiveOtherHashes) {  // logical.md 18.3 case 55
  const auto manager = manager_with(1);
  std::set<SequenceHash> hashes;
  for (Token i = 0; i < 1000; ++i) {
    hashes.insert(complete(test::allocated_block(manager), test::token_block(4, 4 * i)).hash());
  }

  EXPECT_EQ(hashes.size(), 1000u);
}

TEST(StagingProperty, ARefusedBlockCanStillBeCompleted) {  // logical.md 18.3 case 56
  for (std::uint32_t size = 1; size <= 1024; size *= 2) {
    const auto manager = manager_with(2, size);
    auto refused = test::allocated_block(manager).complete(test::token_block(size + 1));
    ASSERT_FALSE(refused.has_value()) << size;
    MutableBlock<G1> recovered = std::move(refused.error().block);
    const BlockId id = recovered.id();

    const auto complete = std::move(recovered).complete(test::token_block(size));

    ASSERT_TRUE(complete.has_value()) << size;
    EXPECT_EQ(complete->id(), id);
    EXPECT_EQ(manager.metrics().stagings, 1u);
  }
}

}  // namespace
}  // namespace kvbm
