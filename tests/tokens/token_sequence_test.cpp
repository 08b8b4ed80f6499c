#include "kvbm/tokens/token_sequence.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <new>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>

#include "tests/base/hash_text.hpp"
#include "tests/support/allocation_faults.hpp"

namespace kvbm {
namespace {

using Kind = TokenBlockError::Kind;
using Tokens = std::vector<Token>;
using test::hex;

Tokens iota(std::size_t count, Token first = 0) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

TokenBlockSequence sequence_of(Tokens tokens, std::uint32_t block_size = 4,
                               std::optional<std::uint64_t> salt = std::nullopt) {
  return TokenBlockSequence(std::move(tokens), {.block_size = block_size, .salt = salt});
}

Tokens copy_of(std::span<const Token> tokens) { return {tokens.begin(), tokens.end()}; }

/// Everything that can be seen of a sequence agrees with one made of the same tokens at once.
void expect_as_if_new(const TokenBlockSequence& sequence, const Tokens& tokens) {
  const TokenBlockSequence fresh = sequence_of(tokens, sequence.block_size(), sequence.salt());
  EXPECT_EQ(copy_of(sequence.tokens()), tokens);
  EXPECT_TRUE(std::ranges::equal(sequence.hashes(), fresh.hashes()));
  EXPECT_EQ(sequence.blocks(), fresh.blocks());
  EXPECT_EQ(sequence.size(), tokens.size());
  EXPECT_EQ(sequence.block_count(), tokens.size() / sequence.block_size());
  EXPECT_EQ(copy_of(sequence.partial_tokens()), copy_of(fresh.partial_tokens()));
  EXPECT_LT(sequence.partial_tokens().size(), sequence.block_size());
  EXPECT_EQ(sequence.current_block().place(), fresh.current_block().place());
}

struct BlockRow {
  std::size_t position;
  std::uint64_t block_hash;
  std::uint64_t sequence_hash;
  const char* positional;
  const char* lineage;
  const char* text;
};

/// Columns left empty are not recorded.
void expect_rows(const TokenBlockSequence& sequence, std::initializer_list<BlockRow> rows) {
  for (const BlockRow& row : rows) {
    const TokenBlock block = sequence.block(row.position);
    EXPECT_EQ(block.position(), row.position);
    EXPECT_EQ(block.block_hash(), row.block_hash) << row.position;
    EXPECT_EQ(block.sequence_hash64(), row.sequence_hash) << row.position;
    EXPECT_EQ(hex(block.hash()), row.lineage);
    EXPECT_EQ(sequence.hashes()[row.position], block.hash());
    if (*row.positional != '\0') {
      EXPECT_EQ(hex(block.positional_hash()), row.positional);
    }
    if (*row.text != '\0') {
      EXPECT_EQ(block.hash().text(), row.text);
    }
  }
}

TEST(TokenBlockSequence, GivesTheRecordedHashesOfS1) {  // tokens.md 12.5 S1, case 1
  expect_rows(sequence_of(iota(16)), {
                                         {0, 0xa1d0bd893c9531ac, 0xa1d0bd893c9531ac, "0010bd893c9531aca1d0bd893c9531ac",
                                          "0028742f624f254c6b00000000000000", "0:U4p6aEVXZkX"},
                                         {1, 0xf0bf80b0226b6c14, 0x485a98a2c350d61a, "007f80b0226b6c14485a98a2c350d61a",
                                          "005216a628b0d4358690bd893c9531ac", "1:D6vZFvcKECh:1do5AYViE7"},
                                         {2, 0x9e4292f7184dea90, 0x796623d02e0e6f32, "008292f7184dea90796623d02e0e6f32",
                                          "009e5988f40b839bcc9a98a2c350d61a", "2:MJitXpMWCLq:121TW6wvo85"},
                                         {3, 0x7767b6b61c483163, 0x180a2c7a40261766, "00e7b6b61c483163180a2c7a40261766",
                                          "00c6028b1e900985d9a623d02e0e6f32", "3:52DWHh4Tfi5:12Sq6SZwy9s"},
                                     });
}

TEST(TokenBlockSequence, GivesTheRecordedHashesOfS2) {  // tokens.md 12.5 S2, case 1
  expect_rows(sequence_of(iota(12, 1), 4, 1337),
              {
                  {0, 0xcb38e4d7fb2dca5c, 0xcb38e4d7fb2dca5c, "0038e4d7fb2dca5ccb38e4d7fb2dca5c",
                   "0032ce3935fecb729700000000000000", "0:azWbh91idkf"},
                  {1, 0xe8d3ec39b907b74c, 0x44a2b2379d6d3c3d, "0053ec39b907b74c44a2b2379d6d3c3d",
                   "005128ac8de75b4f0f78e4d7fb2dca5c", "1:CUrLYDFnmBa:13A3sGnbCSf"},
                  {2, 0x06b748f1777d599c, 0xaea1e67a6c80cf84, "00b748f1777d599caea1e67a6c80cf84",
                   "00aba8799e9b2033e122b2379d6d3c3d", "2:WD9tZKnMfx7:12KG5vAW7Me"},
              });
}

TEST(TokenBlockSequence, GivesTheRecordedHashesOfS3) {  // tokens.md 12.5 S3, case 1
  expect_rows(sequence_of(iota(16), 4, 42),
              {
                  {0, 0x85fc4b7513958f63, 0x85fc4b7513958f63, "", "00217f12dd44e563d8c0000000000000", ""},
                  {1, 0x35c7da70a8c7504f, 0xf82388d452ed4af9, "", "007e08e23514bb52be7c4b7513958f63", ""},
                  {2, 0xe8cc884e2ce4ca1e, 0x0dbbbc8db1cfb74c, "", "00836eef236c73edd32388d452ed4af9", ""},
                  {3, 0xf0ec667a4550a444, 0x0f749e7dc01ad93e, "", "00c3dd279f7006b64fbbbc8db1cfb74c", ""},
              });
}

TEST(TokenBlockSequence, GivesTheRecordedHashesOfS4) {  // tokens.md 12.5 S4, case 1
  expect_rows(sequence_of(iota(48), 16),
              {
                  {0, 0x79c2079c74a8ee4d, 0x79c2079c74a8ee4d, "", "001e7081e71d2a3b9340000000000000", ""},
                  {1, 0x0de75b0e004b90fe, 0x67541a8adfddce4c, "", "0059d506a2b7f7739302079c74a8ee4d", ""},
                  {2, 0x290d9b2bb8046de9, 0xb626e17dfe7f3ace, "", "00ad89b85f7f9fceb3941a8adfddce4c", ""},
              });
}

TEST(TokenBlockSequence, GivesTheRecordedHashesOfS5) {  // tokens.md 12.5 S5, case 1
  expect_rows(sequence_of(iota(4), 1),
              {
                  {0, 0x48b2c92616fc193d, 0x48b2c92616fc193d, "", "00122cb24985bf064f40000000000000", ""},
                  {1, 0xdb02334e96d65708, 0x17da1ae5a8aef1a2, "", "0045f686b96a2bbc68b2c92616fc193d", ""},
                  {2, 0x70f5911d66a20bc9, 0xd9a10dcb58574c0b, "", "00b6684372d615d302da1ae5a8aef1a2", ""},
                  {3, 0xc8cfc1d86609e99d, 0xba137cf25c9235a7, "", "00ee84df3c97248d69e10dcb58574c0b", ""},
              });
}

TEST(TokenBlockSequence, GivesTheRecordedHashesOfS6AcrossBothChangesOfMode) {  // tokens.md 12.5 S6, cases 1 and 9
  const TokenBlockSequence sequence = sequence_of(iota(4 * 65'540), 4, 1337);
  expect_rows(sequence, {
                            {0, 0x7ee2cbedc694ab46, 0x7ee2cbedc694ab46, "0022cbedc694ab467ee2cbedc694ab46",
                             "001fb8b2fb71a52ad180000000000000", ""},
                            {1, 0xa8416cfd935bdb13, 0x83fb702f20e2ad65, "00416cfd935bdb1383fb702f20e2ad65",
                             "0060fedc0bc838ab5962cbedc694ab46", ""},
                            {15, 0x6615deb9e56ff016, 0xfb0699a78fce6afd, "03d5deb9e56ff016fb0699a78fce6afd",
                             "03fec1a669e3f39abf535bc69ce98417", ""},
                            {16, 0x5b93d225f9692d97, 0x52907f748e11e96c, "0413d225f9692d9752907f748e11e96c",
                             "0414a41fdd23847a5b0699a78fce6afd", ""},
                            {255, 0xc9cd1859a4759051, 0x47cf46a2e8fcc8f7, "3fcd1859a475905147cf46a2e8fcc8f7",
                             "3fd1f3d1a8ba3f323dd4d5962ff27938", ""},
                            {256, 0xff170f3b7baf1d33, 0x00336ee720990cf6, "40400f3b7baf1d3300336ee720990cf6",
                             "4040000cdbb9c826433d86a2e8fcc8f7", ""},
                            {257, 0xc133246180042b0e, 0xd684cd236084e8e8, "4040646180042b0ed684cd236084e8e8",
                             "404075a13348d8213a3a2ee720990cf6", ""},
                            {4096, 0x46475e6550cfb675, 0xaddedd0fb8d64474, "44001e6550cfb675addedd0fb8d64474",
                             "44002b77b743ee35911d36f9ffd320d7", ""},
                            {65535, 0xb3fc125e4ae1df55, 0x259b523e5dd870bd, "7fffd25e4ae1df55259b523e5dd870bd",
                             "7fffc966d48f97761c2f5f2ce6437571", ""},
                            {65536, 0x514b4f6725f977be, 0x93fcdc1b0384f358, "8040002725f977be93fcdc1b0384f358",
                             "80400024ff3706c0e13cd63e5dd870bd", ""},
                            {65539, 0xf6060279a7f954f3, 0x43382b1b3c2d9afb, "804000f9a7f954f343382b1b3c2d9afb",
                             "804000d0ce0ac6cf0b66bec7f83000dd", ""},
                        });
  for (const std::size_t parent : {255u, 65'535u}) {
    EXPECT_EQ(sequence.hashes()[parent].fragment_for_child(parent + 1),
              sequence.hashes()[parent + 1].parent_fragment());
  }
}

TEST(TokenBlockSequence, RegrowsWithOtherTokensToTheRecordedHash) {  // tokens.md 12.5, truncate and regrow, case 1
  TokenBlockSequence sequence = sequence_of(iota(10, 1), 4, 1337);

  ASSERT_TRUE(sequence.truncate(7));
  EXPECT_EQ(sequence.append(99), 1u);

  EXPECT_EQ(sequence.block_hash(1), 0xf5e1bfc85055bbc0u);
  EXPECT_EQ(sequence.block(1).sequence_hash64(), 0x7863df5c2600757fu);
}

TEST(TokenBlockSequence, AnotherSaltChangesEveryBlock) {  // tokens.md 13 cases 3 and 10
  const TokenBlockSequence one = sequence_of(iota(40), 4, 1);
  const TokenBlockSequence two = sequence_of(iota(40), 4, 2);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NE(one.block_hash(i), two.block_hash(i)) << i;
    EXPECT_NE(one.hashes()[i], two.hashes()[i]) << i;
    EXPECT_NE(one.hashes()[i].current(), two.hashes()[i].current()) << i;
  }
}

TEST(TokenBlockSequence, IsTheChainOfRootAndExtend) {  // tokens.md 13 case 10
  const TokenBlockSequence sequence = sequence_of(iota(4 * 300), 4, 42);
  SequenceHash hash = SequenceHash::root(sequence.block_hash(0));
  for (std::size_t i = 0; i < sequence.block_count(); ++i) {
    if (i > 0) hash = hash.extend(sequence.block_hash(i));
    ASSERT_EQ(sequence.hashes()[i], hash) << i;
  }
}

TEST(TokenBlockSequence, StartsEmptyShortExactOrWithARemainder) {  // tokens.md 13 case 18
  for (const std::size_t count : {0u, 3u, 4u, 10u}) {
    const TokenBlockSequence sequence = sequence_of(iota(count, 1));
    const std::size_t blocks = count / 4;
    EXPECT_EQ(sequence.block_count(), blocks);
    EXPECT_EQ(sequence.size(), count);
    EXPECT_EQ(sequence.empty(), count == 0);
    EXPECT_EQ(copy_of(sequence.partial_tokens()), iota(count % 4, static_cast<Token>(1 + 4 * blocks)));
    const PartialTokenBlock current = sequence.current_block();
    EXPECT_EQ(current.place().position, blocks);
    EXPECT_EQ(current.place().parent.has_value(), blocks > 0);
    EXPECT_EQ(copy_of(current.tokens()), copy_of(sequence.partial_tokens()));
    for (std::size_t i = 0; i < blocks; ++i) {
      EXPECT_EQ(sequence.block(i).position(), i);
      EXPECT_EQ(sequence.block(i).parent(),
                i == 0 ? std::nullopt : std::optional(sequence.block(i - 1).sequence_hash64()));
    }
  }
}

TEST(TokenBlockSequence, AbsentSaltIsZero) {  // tokens.md 13 case 18
  const TokenBlockSequence absent = sequence_of(iota(8));

  EXPECT_EQ(absent.salt(), 0u);
  EXPECT_EQ(absent.hashes()[1], sequence_of(iota(8), 4, 0).hashes()[1]);
  EXPECT_NE(absent.hashes()[1], sequence_of(iota(8), 4, 1337).hashes()[1]);
}

TEST(TokenBlockSequence, RefusesBlockSizeZero) {  // tokens.md 13 case 19
  EXPECT_THROW((void)sequence_of(iota(4), 0), std::invalid_argument);
  EXPECT_THROW((void)sequence_of({}, 0), std::invalid_argument);
  EXPECT_THROW((void)TokenBlockSequence::with_mm(iota(4), {}, {.block_size = 0}), std::invalid_argument);
}

TEST(TokenBlockSequence, AppendReturnsTheIndexOfTheBlockItCompletes) {  // tokens.md 13 case 20
  TokenBlockSequence sequence = sequence_of({});
  for (Token token = 0; token < 12; ++token) {
    const std::optional<std::size_t> completed = sequence.append(token);
    EXPECT_EQ(completed, token % 4 == 3 ? std::optional<std::size_t>(token / 4) : std::nullopt) << token;
    EXPECT_EQ(sequence.partial_tokens().size(), (token + 1) % 4);
  }
  expect_as_if_new(sequence, iota(12));
}

TEST(TokenBlockSequence, AppendCompletesEveryBlockOfSizeOne) {  // tokens.md 13 case 20
  TokenBlockSequence sequence = sequence_of({}, 1);

  EXPECT_EQ(sequence.append(0), 0u);
  EXPECT_EQ(sequence.append(1), 1u);
  expect_as_if_new(sequence, iota(2));
}

TEST(TokenBlockSequence, ExtendReturnsTheBlocksItCompletes) {  // tokens.md 13 case 21
  const auto extended = [](std::size_t count) { return sequence_of({}).extend(iota(count)); };

  EXPECT_EQ(extended(0), std::nullopt);
  EXPECT_EQ(extended(3), std::nullopt);
  EXPECT_EQ(extended(4), (BlockRange{0, 1}));
  EXPECT_EQ(extended(6), (BlockRange{0, 1}));
  EXPECT_EQ(extended(8), (BlockRange{0, 2}));
}

TEST(TokenBlockSequence, ExtendGoesOnWhereItStopped) {  // tokens.md 13 case 21
  TokenBlockSequence sequence = sequence_of({});

  EXPECT_EQ(sequence.extend(iota(6)), (BlockRange{0, 1}));
  EXPECT_EQ(copy_of(sequence.partial_tokens()), (Tokens{4, 5}));
  EXPECT_EQ(sequence.extend({}), std::nullopt);
  EXPECT_EQ(sequence.extend(iota(2, 6)), (BlockRange{1, 2}));

  EXPECT_TRUE(sequence.partial_tokens().empty());
  expect_as_if_new(sequence, iota(8));
}

TEST(TokenBlockSequence, TruncateKeepsTheFirstTokens) {  // tokens.md 13 case 22
  struct Row {
    std::size_t tokens;
    std::size_t length;
  };
  const Row rows[] = {
      {10, 9},   // inside the partial block
      {10, 8},   // exactly on a boundary
      {10, 7},   // inside the last full block
      {12, 8},   // one full block less, with an empty partial block
      {12, 11},  // into the last block, with an empty partial block
      {10, 2},   // inside the first block
      {10, 0},   // nothing left
      {10, 15},  // beyond the end
      {10, 10},  // what there is
      {0, 0},   {0, 3},
  };
  for (const Row& row : rows) {
    TokenBlockSequence sequence = sequence_of(iota(row.tokens), 4, 1337);
    EXPECT_TRUE(sequence.truncate(row.length));
    expect_as_if_new(sequence, iota(std::min(row.tokens, row.length)));
    sequence.extend(iota(9, 50));
    Tokens regrown = iota(std::min(row.tokens, row.length));
    for (Token token = 50; token < 59; ++token) regrown.push_back(token);
    expect_as_if_new(sequence, regrown);
  }
}

TEST(TokenBlockSequence, UnwindRemovesTheLastTokens) {  // tokens.md 13 case 23
  for (const std::size_t count : {0u, 1u, 2u, 3u, 7u, 10u}) {
    TokenBlockSequence sequence = sequence_of(iota(10));
    EXPECT_TRUE(sequence.unwind(count));
    expect_as_if_new(sequence, iota(10 - count));
  }
}

TEST(TokenBlockSequence, UnwindOfMoreThanThereIsChangesNothing) {  // tokens.md 13 case 23
  TokenBlockSequence sequence = sequence_of(iota(10));
  TokenBlockSequence empty = sequence_of({});

  const auto refused = sequence.unwind(11);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::InsufficientTokens);
  expect_as_if_new(sequence, iota(10));
  EXPECT_EQ(empty.unwind(1).error().kind, Kind::InsufficientTokens);
  EXPECT_TRUE(empty.unwind(0));
}

TEST(TokenBlockSequence, PopReopensBlocksDownToNothing) {  // tokens.md 13 case 24
  TokenBlockSequence sequence = sequence_of(iota(10));
  for (std::size_t left = 10; left-- > 0;) {
    EXPECT_EQ(sequence.pop(), static_cast<Token>(left));
    expect_as_if_new(sequence, iota(left));
    EXPECT_EQ(sequence.current_block().place().parent.has_value(), left >= 4);
  }
  EXPECT_EQ(sequence.pop(), std::nullopt);
  EXPECT_EQ(*sequence.try_pop(), std::nullopt);
}

TEST(TokenBlockSequence, CountsItsTokensThroughAnyMix) {  // tokens.md 13 case 25
  std::mt19937 random(7);
  for (const std::uint32_t block_size : {1u, 3u, 4u, 16u}) {
    TokenBlockSequence sequence = sequence_of({}, block_size, 42);
    Tokens model;
    for (int step = 0; step < 400; ++step) {
      const std::size_t amount = random() % (3 * block_size + 2);
      switch (random() % 5) {
        case 0: {
          const Tokens more = iota(amount, static_cast<Token>(random()));
          sequence.extend(more);
          model.insert(model.end(), more.begin(), more.end());
          break;
        }
        case 1:
          model.push_back(static_cast<Token>(random()));
          sequence.append(model.back());
          break;
        case 2:
          EXPECT_EQ(sequence.pop(), model.empty() ? std::nullopt : std::optional(model.back()));
          if (!model.empty()) model.pop_back();
          break;
        case 3:
          ASSERT_TRUE(sequence.truncate(model.size() > amount ? model.size() - amount : model.size()));
          if (model.size() > amount) model.resize(model.size() - amount);
          break;
        default:
          if (sequence.unwind(amount / 2)) model.resize(model.size() - amount / 2);
      }
      ASSERT_EQ(sequence.size(), model.size());
    }
    expect_as_if_new(sequence, model);
  }
}

TEST(TokenBlockSequence, TokensAtGivesARangeOrNothing) {  // tokens.md 13 case 26
  const TokenBlockSequence sequence = sequence_of(iota(10));

  EXPECT_EQ(copy_of(sequence.tokens_at(1, 3)), (Tokens{1, 2}));
  EXPECT_EQ(copy_of(sequence.tokens_at(2, 7)), (Tokens{2, 3, 4, 5, 6}));
  EXPECT_EQ(copy_of(sequence.tokens_at(6, 10)), (Tokens{6, 7, 8, 9}));
  EXPECT_TRUE(sequence.tokens_at(5, 5).empty());
  EXPECT_TRUE(sequence.tokens_at(10, 10).empty());
  EXPECT_TRUE(sequence.tokens_at(7, 2).empty());
  EXPECT_TRUE(sequence.tokens_at(8, 11).empty());
}

TEST(TokenBlockSequence, ResetLeavesNothingButSaltAndBlockSize) {  // tokens.md 13 case 27
  TokenBlockSequence sequence = sequence_of(iota(10), 4, 42);
  ASSERT_TRUE(sequence.push_mm_run(1, 3));

  sequence.reset();

  EXPECT_TRUE(sequence.mm_runs().empty());
  expect_as_if_new(sequence, {});
  EXPECT_EQ(sequence.salt(), 42u);
  EXPECT_EQ(sequence.block_size(), 4u);
  EXPECT_TRUE(sequence.truncate(0));  // the runs are forgotten
  sequence.extend(iota(9));
  expect_as_if_new(sequence, iota(9));
}

TEST(TokenBlockSequence, GivesItsBlocksOut) {  // tokens.md 13 case 28
  TokenBlockSequence sequence = sequence_of(iota(10), 4, 42);
  const std::optional<TokenBlock> last = sequence.last_complete_block();

  ASSERT_TRUE(last);
  EXPECT_EQ(*last, sequence.block(1));
  EXPECT_EQ(last->next_block().place(), sequence.current_block().place());
  EXPECT_EQ(copy_of(sequence.block_tokens(1)), (Tokens{4, 5, 6, 7}));
  EXPECT_EQ(sequence.parent_of(0), std::nullopt);
  EXPECT_EQ(sequence.parent_of(2), last->sequence_hash64());
  EXPECT_EQ(sequence_of(iota(3)).last_complete_block(), std::nullopt);
}

TEST(TokenBlockSequence, IntoPartsGivesBlocksThatGoOnAlone) {  // tokens.md 13 case 28
  const std::vector<TokenBlock> expected = sequence_of(iota(12)).blocks();

  auto [blocks, partial] = sequence_of(iota(10)).into_parts();

  EXPECT_EQ(blocks.size(), 2u);
  EXPECT_EQ(copy_of(partial.tokens()), (Tokens{8, 9}));
  ASSERT_TRUE(partial.push(Tokens{10, 11}).empty());
  blocks.push_back(*partial.commit());
  EXPECT_EQ(blocks, expected);
}

TEST(TokenBlockSequenceDeathTest, ABlockThatIsNotThereAborts) {
  const TokenBlockSequence sequence = sequence_of(iota(4));

  EXPECT_DEATH((void)sequence.block(1), "no such block");
  EXPECT_DEATH((void)sequence.parent_of(2), "no such block");
}

TEST(TokenBlockSequence, HashesALongPromptAlikeWithAnyNumberOfThreads) {
  const Tokens tokens = iota(400'003);
  const TokenBlockSequence alone = sequence_of(tokens, 16, 42);
  const TokenBlockSequence helped(tokens, {.block_size = 16, .salt = 42, .hash_threads = 3});

  EXPECT_TRUE(std::ranges::equal(alone.hashes(), helped.hashes()));

  const std::vector<MmRun> runs = {{1, 5, 100'000}, {2, 150'000, 7}, {3, 150'007, 1}, {4, 399'900, 103}};
  const auto alone_mm = TokenBlockSequence::with_mm(tokens, runs, {.block_size = 16});
  const auto helped_mm = TokenBlockSequence::with_mm(tokens, runs, {.block_size = 16, .hash_threads = 3});
  EXPECT_TRUE(std::ranges::equal(alone_mm->hashes(), helped_mm->hashes()));
  EXPECT_NE(alone.hashes()[0], alone_mm->hashes()[0]);
}

TEST(TokenBlockSequence, RefusesToGrowBeyondTheLastPosition) {  // tokens.md 6
  TokenBlockSequence sequence = sequence_of(Tokens(SequenceHash::kPositionLimit), 1);
  ASSERT_EQ(sequence.block_count(), SequenceHash::kPositionLimit);
  try {
    sequence.append(1);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("16777216"), std::string::npos) << error.what();
  }
  EXPECT_THROW(sequence.extend(iota(3)), std::invalid_argument);
  EXPECT_THROW((void)sequence.push_mm_run(1, 1), std::invalid_argument);
  EXPECT_EQ(sequence.size(), SequenceHash::kPositionLimit);
  EXPECT_EQ(sequence.block_count(), SequenceHash::kPositionLimit);
}

/// Runs `grow` with the first, second, ... allocation failing, until none is left to fail. A run that throws leaves
/// `start` as it was. (Sorting makes do without the memory it is refused.)
template <class Grow>
void expect_unchanged_by_failures(const TokenBlockSequence& start, Grow grow) {
  std::size_t failures = 0;
  for (std::size_t n = 0;; ++n) {
    ASSERT_LT(n, 20u);
    TokenBlockSequence sequence = start;
    bool thrown = false;
    bool refused = false;
    {
      const test::AllocationFault fault(n);
      try {
        grow(sequence);
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      refused = fault.fired();
    }
    if (!refused) break;
    if (!thrown) continue;
    ++failures;
    EXPECT_EQ(copy_of(sequence.tokens()), copy_of(start.tokens()));
    EXPECT_TRUE(std::ranges::equal(sequence.hashes(), start.hashes()));
    EXPECT_TRUE(std::ranges::equal(sequence.mm_runs(), start.mm_runs()));
    EXPECT_EQ(sequence.append(1).has_value(), start.partial_tokens().size() + 1 == start.block_size());
  }
  EXPECT_GT(failures, 0u);
}

TEST(TokenBlockSequence, IsUnchangedWhenMemoryRunsOut) {
  const TokenBlockSequence start = sequence_of(iota(11));
  const Tokens more = iota(1000);
  const std::vector<MmRun> runs = {{1, 3, 5}, {2, 20, 100}};

  expect_unchanged_by_failures(start, [](TokenBlockSequence& sequence) { sequence.append(7); });
  expect_unchanged_by_failures(start, [&](TokenBlockSequence& sequence) { sequence.extend(more); });
  expect_unchanged_by_failures(start, [](TokenBlockSequence& sequence) { (void)sequence.push_mm_run(1, 1000); });
  expect_unchanged_by_failures(start, [&](TokenBlockSequence& sequence) { (void)sequence.extend_with_mm(more, runs); });
}

TEST(TokenBlockSequence, WithoutRunsIsPlain) {  // tokens.md 13 case 29
  const auto sequence = TokenBlockSequence::with_mm(iota(10), {}, {.block_size = 4, .salt = 42});

  ASSERT_TRUE(sequence);
  EXPECT_TRUE(std::ranges::equal(sequence->hashes(), sequence_of(iota(10), 4, 42).hashes()));
}

TEST(TokenBlockSequence, GivesTheRecordedHashesOfARunOverSeveralBlocks) {  // tokens.md 12.8 M2, case 29
  Tokens tokens(20);
  for (Token token = 100; token < 104; ++token) tokens.push_back(token);
  const std::vector<MmRun> runs = {{0xCAFEBABE, 0, 20}};

  const auto sequence = TokenBlockSequence::with_mm(tokens, runs, {.block_size = 8, .salt = 1337});

  ASSERT_TRUE(sequence);
  expect_rows(*sequence, {{0, 0xb1dfe5df927b3f84, 0xb1dfe5df927b3f84, "", "002c77f977e49ecfe100000000000000", ""},
                          {1, 0xeda821ce1d12dca6, 0xeaf432089ccf0c4e, "", "007abd0c822733c3139fe5df927b3f84", ""},
                          {2, 0x5177868612c5fd6e, 0xcf32f7dfa2c8163e, "", "00b3ccbdf7e8b2058fb432089ccf0c4e", ""}});
}

TEST(TokenBlockSequence, AnUntouchedBlockKeepsItsPlainIdentity) {  // tokens.md 12.8 M4, case 29
  const std::vector<MmRun> runs = {{0xAB, 4, 3}};

  const auto sequence = TokenBlockSequence::with_mm(iota(8, 1), runs, {.block_size = 4, .salt = 1337});

  ASSERT_TRUE(sequence);
  EXPECT_EQ(sequence->block_hash(0), 0xcb38e4d7fb2dca5cu);
  EXPECT_EQ(sequence->block_hash(1), 0x7ecd003962887a58u);
  EXPECT_EQ(sequence->hashes()[1].current(), 0x083ce9ddd680d81au);
  EXPECT_EQ(sequence->block(1).block_hash(), 0x7ecd003962887a58u);
}

TEST(TokenBlockSequence, StreamingGivesWhatABatchGives) {  // tokens.md 13 case 29
  const Tokens tokens = iota(200, 1000);
  const std::vector<MmRun> runs = {{0x11, 0, 3}, {0x22, 3, 1}, {0x33, 17, 40}, {0x44, 100, 12}, {0x55, 190, 10}};
  for (const std::uint32_t block_size : {1u, 3u, 4u, 16u, 64u}) {
    const TokenSequenceOptions options{.block_size = block_size, .salt = 42};
    const auto batch = TokenBlockSequence::with_mm(tokens, runs, options);
    TokenBlockSequence streamed({}, options);
    TokenBlockSequence extended({}, options);
    std::size_t next = 0;
    for (const MmRun& run : runs) {
      while (next < run.offset) streamed.append(tokens[next++]);
      const auto completed = streamed.push_mm_run(run.mm_hash, run.length);
      ASSERT_TRUE(completed);
      next = run.end();
      EXPECT_EQ(completed->has_value(), next / block_size > run.offset / block_size);
    }
    while (next < tokens.size()) streamed.append(tokens[next++]);
    ASSERT_TRUE(extended.extend_with_mm(std::span(tokens).first(60), std::span(runs).first(3)));
    ASSERT_TRUE(
        extended.extend_with_mm(std::span(tokens).subspan(60), std::vector<MmRun>{{0x55, 130, 10}, {0x44, 40, 12}}));

    ASSERT_TRUE(batch);
    EXPECT_TRUE(std::ranges::equal(batch->hashes(), streamed.hashes())) << block_size;
    EXPECT_TRUE(std::ranges::equal(batch->hashes(), extended.hashes())) << block_size;
    EXPECT_TRUE(std::ranges::equal(streamed.mm_runs(), runs));
    EXPECT_TRUE(std::ranges::equal(extended.mm_runs(), runs));
  }
}

TEST(TokenBlockSequence, EqualRequestsWithAnImageHaveEqualHashes) {  // tokens.md 13 case 29
  const auto request = [](std::uint64_t image) {
    return *TokenBlockSequence::with_mm(iota(32), std::vector<MmRun>{{image, 6, 20}}, {.block_size = 4});
  };
  const TokenBlockSequence first = request(1);
  const TokenBlockSequence again = request(1);
  const TokenBlockSequence other = request(2);

  EXPECT_TRUE(std::ranges::equal(first.hashes(), again.hashes()));
  EXPECT_NE(first.block_hash(2), first.block_hash(3));  // the same object, further on
  EXPECT_EQ(first.hashes()[0], other.hashes()[0]);
  for (std::size_t i = 1; i < first.block_count(); ++i) EXPECT_NE(first.hashes()[i], other.hashes()[i]) << i;
}

TEST(TokenBlockSequence, IntoPartsKeepsTheRunsOfTheLastBlock) {
  TokenBlockSequence sequence = sequence_of({1, 2, 3, 4, 5});
  ASSERT_TRUE(sequence.push_mm_run(0xAB, 2));
  TokenBlockSequence whole = sequence;
  whole.append(9);

  auto [blocks, partial] = std::move(sequence).into_parts();
  ASSERT_TRUE(partial.push(Tokens{9}).empty());

  EXPECT_EQ(*partial.commit(), whole.block(1));
}

TEST(TokenBlockSequence, RefusesFaultyRuns) {  // tokens.md 13 case 30
  const auto fault = [](std::vector<MmRun> runs) {
    const auto made = TokenBlockSequence::with_mm(iota(8), runs, {.block_size = 4});
    return made ? std::nullopt : made.error().mm_info;
  };
  const std::size_t max = std::numeric_limits<std::size_t>::max();

  EXPECT_EQ(fault({{1, 0, 3}, {2, 2, 2}}), (MmInfoError{MmInfoError::Kind::Overlapping, 2}));
  EXPECT_EQ(fault({{1, 7, 2}}), (MmInfoError{MmInfoError::Kind::OutOfBounds, 7, 2, 8}));
  EXPECT_EQ(fault({{1, 7, 0}}), MmInfoError{MmInfoError::Kind::EmptyRun});
  EXPECT_EQ(fault({{1, 7, max}}), (MmInfoError{MmInfoError::Kind::OffsetOverflow, 7, max}));
}

TEST(TokenBlockSequence, PushMmRunRefusesLengthsThatAreNone) {  // tokens.md 13 case 30
  TokenBlockSequence sequence = sequence_of(iota(5));

  const auto empty = sequence.push_mm_run(1, 0);
  const auto endless = sequence.push_mm_run(1, std::numeric_limits<std::size_t>::max());

  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error(), (TokenBlockError{Kind::MmInfo, MmInfoError{MmInfoError::Kind::EmptyRun}}));
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().mm_info->kind, MmInfoError::Kind::OffsetOverflow);
  expect_as_if_new(sequence, iota(5));
  EXPECT_TRUE(sequence.mm_runs().empty());
}

TEST(TokenBlockSequence, DoesNotShrinkOnceARunExists) {  // tokens.md 13 case 30
  TokenBlockSequence sequence = sequence_of(iota(5));
  ASSERT_TRUE(sequence.push_mm_run(1, 2));
  const Tokens before = copy_of(sequence.tokens());

  EXPECT_EQ(sequence.truncate(3).error().kind, Kind::MmRunsPresent);
  EXPECT_EQ(sequence.truncate(100).error().kind, Kind::MmRunsPresent);
  EXPECT_EQ(sequence.unwind(1).error().kind, Kind::MmRunsPresent);
  EXPECT_EQ(sequence.unwind(100).error().kind, Kind::InsufficientTokens);
  EXPECT_EQ(sequence.try_pop().error().kind, Kind::MmRunsPresent);
  EXPECT_EQ(copy_of(sequence.tokens()), before);
  EXPECT_DEATH((void)sequence.pop(), "pop from a sequence with multimodal runs");
}

TEST(TokenBlockSequence, ExtendWithAFaultyRunChangesNothing) {  // tokens.md 13 case 30
  TokenBlockSequence sequence = sequence_of(iota(5));

  const auto refused = sequence.extend_with_mm(iota(8), std::vector<MmRun>{{1, 0, 2}, {2, 7, 2}});

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().mm_info, (MmInfoError{MmInfoError::Kind::OutOfBounds, 7, 2, 8}));
  expect_as_if_new(sequence, iota(5));
  EXPECT_TRUE(sequence.mm_runs().empty());
}

TEST(TokenBlockSequence, PlaceholdersReadAsTokenZero) {  // tokens.md 9.2
  TokenBlockSequence sequence = sequence_of({7});

  EXPECT_EQ(*sequence.push_mm_run(5, 4), (BlockRange{0, 1}));
  EXPECT_EQ(*sequence.extend_with_mm(iota(3, 50), std::vector<MmRun>{{6, 1, 1}}), (BlockRange{1, 2}));

  EXPECT_EQ(copy_of(sequence.tokens()), (Tokens{7, 0, 0, 0, 0, 50, 0, 52}));
  EXPECT_EQ(sequence.mm_runs()[1], (MmRun{6, 6, 1}));
}

}  // namespace
}  // namespace kvbm
