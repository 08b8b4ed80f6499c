#include "kvbm/tokens/positional_sequence_hash.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <type_traits>

#include "tests/base/hash_text.hpp"

namespace kvbm {
namespace {

using test::hex;

constexpr std::uint64_t kSequence = 0x1234567890abcdef;
constexpr std::uint64_t kBlock = 0xfedcba9876543210;

static_assert(sizeof(PositionalSequenceHash) == 16 && std::is_trivially_copyable_v<PositionalSequenceHash>);

TEST(PositionalSequenceHash, GivesTheRecordedValues) {  // tokens.md 12.7, case 1
  struct Row {
    std::uint64_t position;
    unsigned mode;
    std::uint64_t local_block_hash;
    const char* bits;
  };
  const Row rows[] = {
      {0, 0, 0x1cba9876543210, "001cba98765432101234567890abcdef"},
      {100, 0, 0x1cba9876543210, "191cba98765432101234567890abcdef"},
      {255, 0, 0x1cba9876543210, "3fdcba98765432101234567890abcdef"},
      {256, 1, 0x3a9876543210, "40403a98765432101234567890abcdef"},
      {65535, 1, 0x3a9876543210, "7ffffa98765432101234567890abcdef"},
      {65536, 2, 0x1876543210, "80400018765432101234567890abcdef"},
      {16777215, 2, 0x1876543210, "bfffffd8765432101234567890abcdef"},
      {16777216, 3, 0x76543210, "c0800000765432101234567890abcdef"},
      {20000000, 3, 0x76543210, "c0989680765432101234567890abcdef"},
      {2147483647, 3, 0x76543210, "fffffffff65432101234567890abcdef"},
  };
  for (const Row& row : rows) {
    const PositionalSequenceHash hash(kSequence, row.position, kBlock);
    EXPECT_EQ(hex(hash), row.bits);
    EXPECT_EQ(hash.mode(), row.mode) << row.position;
    EXPECT_EQ(hash.local_block_hash(), row.local_block_hash) << row.position;
  }
}

TEST(PositionalSequenceHash, DecodesWhatItPacked) {  // tokens.md 13 case 4
  struct Row {
    std::uint64_t position;
    unsigned mode;
    unsigned block_hash_bits;
  };
  const Row rows[] = {{100, 0, 54},     {255, 0, 54},        {256, 1, 46},        {1000, 1, 46},
                      {100'000, 2, 38}, {20'000'000, 3, 31}, {100'000'000, 3, 31}};
  for (const Row& row : rows) {
    const PositionalSequenceHash hash(kSequence, row.position, kBlock);
    EXPECT_EQ(hash.mode(), row.mode) << row.position;
    EXPECT_EQ(hash.position(), row.position);
    EXPECT_EQ(hash.sequence_hash(), kSequence) << row.position;
    EXPECT_EQ(hash.local_block_hash(), kBlock & ((std::uint64_t{1} << row.block_hash_bits) - 1)) << row.position;
  }
}

TEST(PositionalSequenceHash, RefusesAPositionBeyondItsField) {  // tokens.md 13 case 5
  const std::uint64_t limit = std::uint64_t{1} << 31;
  EXPECT_NO_THROW(PositionalSequenceHash(1, limit - 1, 2));
  try {
    const PositionalSequenceHash hash(1, limit, 2);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("2147483648"), std::string::npos) << error.what();
  }
}

TEST(PositionalSequenceHash, EqualComponentsGiveEqualBits) {  // tokens.md 13 case 13
  const PositionalSequenceHash hash(kSequence, 8, kBlock);

  EXPECT_EQ(hash, PositionalSequenceHash(kSequence, 8, kBlock));
  EXPECT_NE(hash, PositionalSequenceHash(kSequence, 9, kBlock));
  EXPECT_EQ(std::hash<PositionalSequenceHash>{}(hash),
            std::hash<PositionalSequenceHash>{}(PositionalSequenceHash(kSequence, 8, kBlock)));
}

TEST(PositionalSequenceHash, IsAllZeroByDefault) {  // tokens.md 5
  EXPECT_EQ(hex(PositionalSequenceHash()), std::string(32, '0'));
}

TEST(PositionalSequenceHash, SurvivesTheTripThroughBytes) {  // tokens.md 13 case 14
  const PositionalSequenceHash hash(kSequence, 20'000'000, kBlock);

  EXPECT_EQ(hash.to_bytes()[0], std::byte{0xc0});
  EXPECT_EQ(hash.to_bytes()[15], std::byte{0xef});
  EXPECT_EQ(PositionalSequenceHash::from_bytes(hash.to_bytes()), hash);
}

TEST(PositionalSequenceHash, TextNamesItsParts) {  // tokens.md 7
  EXPECT_EQ(PositionalSequenceHash(17, 300, 5).text(), "sequence_hash 17, local_block_hash 5, position 300");
}

}  // namespace
}  // namespace kvbm
