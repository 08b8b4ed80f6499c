#include "kvbm/tokens/block_hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>

#include "kvbm/base/xxh3.hpp"
#include "kvbm/tokens/token_sequence.hpp"

namespace kvbm {
namespace {

std::vector<Token> counted(std::size_t count, Token first = 0) {
  std::vector<Token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

std::uint64_t hash_of(std::initializer_list<Token> tokens, std::uint64_t salt) {
  return block_hash(std::vector<Token>(tokens), salt);
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(BlockHash, GivesTheRecordedValues) {  // tokens.md 12.2, case 1
  struct Row {
    std::size_t tokens;
    std::uint64_t salt_0;
    std::uint64_t salt_42;
    std::uint64_t salt_1337;
  };
  const Row rows[] = {
      {1, 0x48b2c92616fc193d, 0xc6cdfefca8e389e5, 0xe44f30ed0f7bc171},
      {2, 0xeeab51d59cf4ca5b, 0xc5285d8c3187878d, 0x978612cdf2cc1530},
      {4, 0xa1d0bd893c9531ac, 0x85fc4b7513958f63, 0x7ee2cbedc694ab46},
      {8, 0x43e675183c70e071, 0x457ef3e6ebee1cfb, 0xa84b1e4a60aeaf44},
      {16, 0x79c2079c74a8ee4d, 0x9d65e999ec127910, 0xd47a8f41c833328a},
      {32, 0x34509d8372e62e6d, 0x5df8c416bfbdd524, 0x4fe4b52e3d3d116c},
      {64, 0xa6dcffc376d6710f, 0x23fbd466b2fa0507, 0x304d910e689e42bf},
      {128, 0x24b21cb5803a6432, 0xc6126f26c794bb79, 0x83f90a7debd4f39c},
      {256, 0xd12ba3ba3964c7ed, 0x0d0edb569814a062, 0xbb79c83a0cdfbb76},
      {512, 0xed23844e189677f1, 0x6f293c3923151326, 0x8a51f724ea2e8424},
      {1024, 0x12bed18c94a43707, 0x6632c4b60dd8231b, 0x634ef39dda029343},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(block_hash(counted(row.tokens), 0), row.salt_0) << row.tokens;
    EXPECT_EQ(block_hash(counted(row.tokens), 42), row.salt_42) << row.tokens;
    EXPECT_EQ(block_hash(counted(row.tokens), 1337), row.salt_1337) << row.tokens;
  }
  EXPECT_EQ(hash_of({1, 2, 3, 4}, 1337), 14643705804678351452u);
  EXPECT_EQ(hash_of({5, 6, 7, 8}, 1337), 16777012769546811212u);
  EXPECT_EQ(hash_of({9, 10, 11, 12}, 1337), 483935686894639516u);
  EXPECT_EQ(hash_of({0, 0, 0, 0}, 0), 0xd0a66a65c7528968u);
  EXPECT_EQ(hash_of({0xFFFFFFFF, 0, 1, 0x80000000}, 0), 0xc7cd0490a4044e0du);
  EXPECT_EQ(hash_of({100, 101, 102, 103}, 42), 0x651841a81f1a0187u);
  EXPECT_EQ(hash_of({1, 2, 3, 4}, 42), 0xcabc6cf291a3ba46u);
  EXPECT_EQ(hash_of({10, 11, 12, 13}, 42), 0xdcf0a33530823c88u);
  EXPECT_EQ(hash_of({999, 998, 997, 996}, 42), 0x1544612d10e8d96du);
}

TEST(BlockHash, HashesLittleEndianTokens) {  // tokens.md 13 case 2
  const std::vector<Token> tokens = {1, 0x01020304, 0xFFFFFFFF};
  std::vector<std::byte> bytes;
  for (const Token token : tokens) {
    for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::byte>(token >> shift));
  }

  EXPECT_EQ(block_hash(tokens, 5), xxh3_64(bytes, 5));
  EXPECT_EQ(block_bytes(tokens, 0, {}), bytes);
}

TEST(SaltHash, GivesTheRecordedValues) {  // tokens.md 12.4, case 1
  EXPECT_EQ(salt_hash({}), 0x2d06800538d394c2u);
  EXPECT_EQ(salt_hash(bytes_of("a")), 0xe6c632b61e964e1fu);
  EXPECT_EQ(salt_hash(bytes_of("kvbm")), 0xbfb778761abdbd6du);
  EXPECT_EQ(salt_hash(bytes_of("model-x|lora-7")), 0x4643289b79b5ab0fu);
}

TEST(RequestSalt, GivesTheRecordedValues) {  // tokens.md 12.4, case 1
  EXPECT_EQ(request_salt("", ""), 1337u);
  EXPECT_EQ(request_salt("adapter-a", ""), 0x7ab77913e9c918d6u);
  EXPECT_EQ(request_salt("", "tenant-1"), 0xb63c9e422c370a56u);
  EXPECT_EQ(request_salt("adapter-a", "tenant-1"), 0x30f4175616001df3u);
}

TEST(BlockBytes, FramesEverySlotOfABlockThatARunTouches) {  // tokens.md 12.8 M1, case 29
  const std::vector<Token> tokens = {100, 101, 102, 103, 0, 0, 106, 107};
  const std::vector<MmRun> runs = {{0xAA, 4, 2}};
  std::vector<std::byte> expected;
  const auto frame = [&](unsigned tag, unsigned word, unsigned object) {
    std::vector<std::byte> bytes(13);
    bytes[0] = static_cast<std::byte>(tag);
    bytes[1] = static_cast<std::byte>(word);
    bytes[5] = static_cast<std::byte>(object);
    expected.insert(expected.end(), bytes.begin(), bytes.end());
  };
  for (const unsigned token : {0x64u, 0x65u, 0x66u, 0x67u}) frame(0, token, 0);
  frame(1, 0, 0xAA);
  frame(1, 1, 0xAA);
  for (const unsigned token : {0x6au, 0x6bu}) frame(0, token, 0);

  EXPECT_EQ(block_bytes(tokens, 0, runs), expected);
  EXPECT_EQ(expected.size(), 104u);
  EXPECT_EQ(block_hash(tokens, 0, runs, 1337), 0xabcf0497c45814c8u);
  EXPECT_EQ(block_hash(tokens, 0, runs, 0), 0x3366737eb9d167c5u);
}

TEST(BlockHash, TokensUnderARunDoNotCount) {  // tokens.md 4.2
  const std::vector<MmRun> runs = {{0xAA, 1, 2}};

  EXPECT_EQ(block_hash(std::vector<Token>{1, 2, 3, 4}, 0, runs, 0),
            block_hash(std::vector<Token>{1, 9, 9, 4}, 0, runs, 0));
  EXPECT_NE(block_hash(std::vector<Token>{1, 2, 3, 4}, 0, runs, 0),
            block_hash(std::vector<Token>{1, 2, 3, 5}, 0, runs, 0));
}

TEST(BlockHash, ThePlaceOfAPlaceholderCounts) {  // tokens.md 12.8 M3, case 29
  const std::uint64_t object = 0x1122334455667788;

  EXPECT_EQ(block_hash(std::vector<Token>{0, 0xAB}, 0, std::vector<MmRun>{{object, 0, 1}}, 1337), 0x16fd37ae79e50dd2u);
  EXPECT_EQ(block_hash(std::vector<Token>{0xAB, 0}, 0, std::vector<MmRun>{{object, 1, 1}}, 1337), 0xc863982ee71920f4u);
}

TEST(BlockHash, ARunThatEndsAtTheBlockOrBeginsBehindItDoesNotTouchIt) {  // tokens.md 4.2, case 29
  const std::vector<Token> tokens = {1, 2, 3, 4};
  const std::vector<MmRun> around = {{7, 4, 4}, {8, 12, 3}};

  EXPECT_EQ(block_hash(tokens, 8, around, 42), block_hash(tokens, 42));
  EXPECT_EQ(block_bytes(tokens, 8, around).size(), 16u);
  EXPECT_NE(block_hash(tokens, 7, around, 42), block_hash(tokens, 42));
  EXPECT_NE(block_hash(tokens, 9, around, 42), block_hash(tokens, 42));
}

TEST(BlockHash, FramesOfAnyLengthHashAsTheirBytesDo) {  // tokens.md 4.2, on both sides of one buffer of 64 frames
  for (const std::size_t size : {1u, 18u, 19u, 63u, 64u, 65u, 128u, 129u, 1000u}) {
    const std::vector<Token> tokens = counted(size, 5);
    const std::vector<MmRun> runs = {{0xABC, 100, 1}, {0xDEF, 100 + size - size / 3 - 1, size / 3 + 5}};
    if (size < 6) continue;
    for (const std::uint64_t salt : {0u, 42u}) {
      EXPECT_EQ(block_hash(tokens, 100, runs, salt), xxh3_64(block_bytes(tokens, 100, runs), salt)) << size;
    }
  }
}

TEST(HashBlocks, GivesWhatASequenceGives) {
  for (const std::uint32_t block_size : {1u, 15u, 16u, 60u, 61u, 64u, 256u}) {
    for (const std::uint64_t salt : {0u, 42u}) {
      const std::vector<Token> tokens = counted(block_size * 300 + block_size / 2, 9);
      std::vector<SequenceHash> hashes(400);

      const std::size_t count = hash_blocks(tokens, {.block_size = block_size, .salt = salt}, hashes);

      ASSERT_EQ(count, 300u);
      SequenceHash expected = SequenceHash::root(block_hash(std::span(tokens).first(block_size), salt));
      for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) expected = expected.extend(block_hash(std::span(tokens).subspan(i * block_size, block_size), salt));
        ASSERT_EQ(hashes[i], expected) << block_size << ' ' << i;
      }
      EXPECT_EQ(hashes[300], SequenceHash());
    }
  }
}

TEST(HashBlocks, ContinuesBehindAParent) {
  const std::vector<Token> tokens = counted(40);
  std::vector<SequenceHash> whole(10);
  std::vector<SequenceHash> rest(7);
  ASSERT_EQ(hash_blocks(tokens, {.block_size = 4}, whole), 10u);

  ASSERT_EQ(hash_blocks(std::span(tokens).subspan(12), {.block_size = 4, .parent = whole[2]}, rest), 7u);

  EXPECT_TRUE(std::ranges::equal(rest, std::span(whole).subspan(3)));
}

TEST(HashBlocks, WritesNoMoreThanThereIsRoomFor) {
  std::vector<SequenceHash> hashes(2);

  EXPECT_EQ(hash_blocks(counted(40), {.block_size = 4}, hashes), 2u);
  EXPECT_EQ(hash_blocks(counted(3), {.block_size = 4}, hashes), 0u);
  EXPECT_EQ(hash_blocks({}, {.block_size = 4}, {}), 0u);
}

TEST(HashBlocks, ThreadsChangeNothing) {
  const std::vector<Token> tokens = counted(4 * 1003 + 2);
  std::vector<SequenceHash> alone(1003);
  ASSERT_EQ(hash_blocks(tokens, {.block_size = 4, .salt = 7}, alone), 1003u);
  for (const unsigned threads : {0u, 2u, 3u, 8u}) {
    for (const std::size_t count : {1003u, 9u, 2u, 1u, 0u}) {
      std::vector<SequenceHash> hashes(count);
      ASSERT_EQ(hash_blocks(tokens, {.block_size = 4, .salt = 7, .threads = threads}, hashes), count);
      EXPECT_TRUE(std::ranges::equal(hashes, std::span(alone).first(count))) << threads << ' ' << count;
    }
    std::vector<SequenceHash> rest(1000);
    ASSERT_EQ(hash_blocks(std::span(tokens).subspan(12),
                          {.block_size = 4, .salt = 7, .parent = alone[2], .threads = threads}, rest),
              1000u);
    EXPECT_TRUE(std::ranges::equal(rest, std::span(alone).subspan(3))) << threads;
  }
}

TEST(HashBlocks, RefusesBlockSizeZero) {  // tokens.md 13 case 19
  std::vector<SequenceHash> hashes(1);

  EXPECT_THROW((void)hash_blocks(counted(4), {.block_size = 0}, hashes), std::invalid_argument);
}

TEST(HashBlocks, RefusesPositionsBeyondTheLimitBeforeItWritesAny) {  // tokens.md 6
  const SequenceHash last_but_one(1, 2, SequenceHash::kPositionLimit - 2);
  std::vector<SequenceHash> hashes(2);

  EXPECT_THROW((void)hash_blocks(counted(2), {.block_size = 1, .parent = last_but_one}, hashes), std::invalid_argument);
  EXPECT_EQ(hashes[0], SequenceHash());
  EXPECT_EQ(hash_blocks(counted(1), {.block_size = 1, .parent = last_but_one}, hashes), 1u);
}

}  // namespace
}  // namespace kvbm
