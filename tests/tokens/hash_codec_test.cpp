#include "kvbm/tokens/hash_codec.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kvbm/tokens/positional_sequence_hash.hpp"

namespace kvbm {
namespace {

using Bytes = std::vector<std::byte>;

const SequenceHash kHash(0x1234567890abcdef, 0xfedcba9876543210, 10);

Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes result;
  for (const unsigned value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

Bytes operator+(Bytes head, std::span<const std::byte> tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

std::optional<HashBytes> read_all(const Bytes& message) {
  std::span<const std::byte> input(message);
  const std::optional<HashBytes> read = read_msgpack(input);
  if (!read) {
    EXPECT_EQ(input.size(), message.size());
  }
  return read && input.empty() ? read : std::nullopt;
}

std::optional<HashBytes> read_all_json(std::string_view text) {
  const std::size_t size = text.size();
  const std::optional<HashBytes> read = read_json(text);
  if (!read) {
    EXPECT_EQ(text.size(), size);
  }
  return read && text.empty() ? read : std::nullopt;
}

TEST(HashMsgpack, WritesTheRecordedBytes) {  // tokens.md 12.9, case 1
  const auto message = write_msgpack(kHash.to_bytes());

  EXPECT_EQ(Bytes(message.begin(), message.end()), bytes({0xc4, 0x10, 0x02, 0x84, 0x8d, 0x15, 0x9e, 0x24, 0x2a, 0xf3,
                                                          0x7b, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10}));
}

TEST(HashMsgpack, ReadsByteStringsOfAnyHead) {  // tokens.md 7, case 14
  const HashBytes expected = kHash.to_bytes();

  EXPECT_EQ(read_all(bytes({0xc4, 16}) + expected), expected);
  EXPECT_EQ(read_all(bytes({0xc5, 0, 16}) + expected), expected);
  EXPECT_EQ(read_all(bytes({0xc6, 0, 0, 0, 16}) + expected), expected);
}

TEST(HashMsgpack, ReadsSequencesOfByteValues) {  // tokens.md 7, case 14
  const HashBytes expected = kHash.to_bytes();
  Bytes items;
  for (const std::byte byte : expected) {
    if (std::to_integer<unsigned>(byte) > 0x7F) items.push_back(std::byte{0xcc});
    items.push_back(byte);
  }

  EXPECT_EQ(read_all(bytes({0xdc, 0, 16}) + items), expected);
  EXPECT_EQ(read_all(bytes({0xdd, 0, 0, 0, 16}) + items), expected);

  HashBytes widths{};
  widths[0] = std::byte{200};
  Bytes wide = bytes({0xdc, 0, 16, 0xcf, 0, 0, 0, 0, 0, 0, 0, 200, 0xcd, 0, 0, 0xce, 0, 0, 0, 0});
  EXPECT_EQ(read_all(wide + Bytes(13)), widths);
}

TEST(HashMsgpack, RefusesOtherLengthsTypesAndValues) {  // tokens.md 7
  const HashBytes good = kHash.to_bytes();
  EXPECT_FALSE(read_all({}));
  EXPECT_FALSE(read_all(bytes({0xc4})));
  EXPECT_FALSE(read_all(bytes({0xc4, 15}) + std::span(good).first(15)));
  EXPECT_FALSE(read_all(bytes({0xc4, 17}) + good + bytes({0})));
  EXPECT_FALSE(read_all(bytes({0xc4, 16}) + std::span(good).first(15)));
  EXPECT_FALSE(read_all(bytes({0xd9, 16}) + good));  // text, not bytes
  EXPECT_FALSE(read_all(bytes({0xdc, 0, 15}) + Bytes(15)));
  EXPECT_FALSE(read_all(bytes({0xdc, 0, 16}) + Bytes(15)));              // one too few
  EXPECT_FALSE(read_all(bytes({0xdc, 0, 16, 0xcd, 1, 0}) + Bytes(15)));  // 256
  EXPECT_FALSE(read_all(bytes({0xdc, 0, 16, 0xff}) + Bytes(15)));        // -1
}

TEST(HashMsgpack, TakesAListOfHashesOneByOne) {  // tokens.md 13 case 14, both types
  const PositionalSequenceHash positional(7, 300, 9);
  const Bytes message = Bytes() + write_msgpack(kHash.to_bytes()) + write_msgpack(positional.to_bytes()) +
                        write_msgpack(SequenceHash::root(5).to_bytes());
  std::span<const std::byte> input(message);

  EXPECT_EQ(SequenceHash::from_bytes(*read_msgpack(input)), kHash);
  EXPECT_EQ(PositionalSequenceHash::from_bytes(*read_msgpack(input)), positional);
  EXPECT_EQ(SequenceHash::from_bytes(*read_msgpack(input)), SequenceHash::root(5));
  EXPECT_TRUE(input.empty());
}

TEST(HashJson, WritesAnArrayOfNumbers) {  // tokens.md 7
  EXPECT_EQ(write_json(kHash.to_bytes()), "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50,16]");
}

TEST(HashJson, ReadsWhatItWroteOfBothTypes) {  // tokens.md 13 case 14
  const PositionalSequenceHash positional(7, 20'000'000, ~std::uint64_t{0});

  EXPECT_EQ(read_all_json(write_json(kHash.to_bytes())), kHash.to_bytes());
  EXPECT_EQ(read_all_json(write_json(positional.to_bytes())), positional.to_bytes());
  EXPECT_EQ(read_all_json(" [ 2,132,\n141,21,158,36,42,243 ,123,220,186,152,118,84,50,\t16 ]"), kHash.to_bytes());
}

TEST(HashJson, TakesAListOfHashesOneByOne) {  // tokens.md 13 case 14
  std::string list;
  for (std::uint64_t i = 0; i < 3; ++i) list += write_json(SequenceHash::root(i).to_bytes()) + ',';
  std::string_view input = list;
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(SequenceHash::from_bytes(*read_json(input)), SequenceHash::root(i));
    input.remove_prefix(1);
  }
  EXPECT_TRUE(input.empty());
}

TEST(HashJson, RefusesOtherLengthsAndValues) {  // tokens.md 7
  for (const char* text : {"", "[]", "16", "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50]",
                           "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50,16,1]",
                           "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50,256]",
                           "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50,-1]",
                           "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50,1.5]",
                           "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50,016]",
                           "[2,132,141,21,158,36,42,243,123,220,186,152,118,84,50,16", "[2,,132]", "[x]"}) {
    EXPECT_FALSE(read_all_json(text)) << text;
  }
}

}  // namespace
}  // namespace kvbm
