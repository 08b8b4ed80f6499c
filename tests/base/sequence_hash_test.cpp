#include "kvbm/base/sequence_hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include "kvbm/base/xxh3.hpp"
#include "tests/base/hash_text.hpp"

namespace kvbm {
namespace {

using test::hex;

constexpr std::uint64_t kCurrent = 0x1234567890abcdef;
constexpr std::uint64_t kParent = 0xfedcba9876543210;
constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};

static_assert(sizeof(SequenceHash) == 16 && alignof(SequenceHash) == 16);
static_assert(std::is_trivially_copyable_v<SequenceHash>);
static_assert(SequenceHash::pack(kCurrent, kParent, 300).current() == kCurrent);
static_assert(SequenceHash::root(7) < SequenceHash::root(8));

TEST(Xxh3, GivesTheRecordedValuesInEveryLengthClass) {  // tokens.md 12.1, case 1
  struct Row {
    std::size_t length;
    std::uint64_t seed_0;
    std::uint64_t seed_1337;
    std::uint64_t seed_all_ones;
  };
  const Row rows[] = {
      {0, 0x2d06800538d394c2, 0xd1f3e77444430ab9, 0x4c093276ae47a555},
      {1, 0x13e608bc156defed, 0x8ba861933d16d569, 0x5a053a201e2fb1a5},
      {3, 0xa9088dda485b481c, 0x18d3061965e0fbf4, 0x962ee7d551766d62},
      {4, 0x6d9253b16c8b1ed3, 0x490d90aa21410daa, 0x74b2ff4368a38a53},
      {8, 0x60539db630471163, 0x6af2e794dbff7c31, 0x03c9ff6ac7b8c00e},
      {9, 0xfeff668361d723a8, 0xc7603d83cebeb759, 0xd6ce31d99c46c4b5},
      {16, 0xb8c859b0f030b585, 0x931d8df5541f495f, 0x0e4e1775a9e53905},
      {17, 0x714a04408e79b80f, 0xa0bd56d7478a3245, 0x1a3ea49c1522e1ab},
      {32, 0x19ff4ee1d6ba1a55, 0xaeb7acf935b91b08, 0x842622d1b446aa39},
      {64, 0x287eb1fa9e4be2c1, 0x4b8ea7ea74e43077, 0x334e80678222654e},
      {128, 0x67425a03650261bf, 0x4e9b58df05538a85, 0x6ed816ea3249411b},
      {129, 0xc664bf3311c6abc4, 0x1413f3d544b3c4d7, 0xe7d21cec132e7103},
      {240, 0x64556dc6b462a6cf, 0xa5644b60a1ebb3bd, 0xb4e78031047bdf69},
      {241, 0x8beadd3a8874fe17, 0x47929767c2a5b46d, 0x7534988fa427f36b},
      {256, 0x3c38817f6d79c0da, 0xbcf7e567d3e3b547, 0xd6496024ea11bbc5},
      {1024, 0x9b81661c641c72b1, 0x76b68475e15430ae, 0x11609e0923fee8ee},
      {4096, 0xd7428746842be37e, 0x9582e839b3fc3c26, 0xdea4aacc7065b60f},
  };
  for (const Row& row : rows) {
    std::vector<std::byte> bytes(row.length);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(7 * i + 3);
    EXPECT_EQ(xxh3_64(bytes, 0), row.seed_0) << row.length;
    EXPECT_EQ(xxh3_64(bytes, 1337), row.seed_1337) << row.length;
    EXPECT_EQ(xxh3_64(bytes, kAllOnes), row.seed_all_ones) << row.length;
  }
}

TEST(ChainHash, GivesTheRecordedValues) {  // tokens.md 12.3, case 1
  EXPECT_EQ(chain_hash(0, 0), 0xb841d0df72b4a1b8u);
  EXPECT_EQ(chain_hash(1, 2), 0xe853d985bbde7cf0u);
  EXPECT_EQ(chain_hash(2, 1), 0x9d54f0d05e2a416du);
  EXPECT_EQ(chain_hash(0xcb38e4d7fb2dca5c, 0xe8d3ec39b907b74c), 4945711292740353085u);
  EXPECT_EQ(chain_hash(0x44a2b2379d6d3c3d, 0x06b748f1777d599c), 12583592247330656132u);
  EXPECT_EQ(chain_hash(kAllOnes, kAllOnes), 0xac3b1b1159a1e879u);
}

TEST(ChainHash, HashesParentThenChildAsLittleEndianBytes) {  // tokens.md 3.3
  std::vector<std::byte> bytes;
  for (const std::uint64_t word : {kParent, kCurrent}) {
    for (unsigned shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<std::byte>(word >> shift));
  }

  EXPECT_EQ(chain_hash(kParent, kCurrent), xxh3_64(bytes, 1337));
}

TEST(SequenceHash, PacksAndPrintsTheRecordedValues) {  // tokens.md 12.6, cases 1 and 12
  struct Row {
    std::uint64_t position;
    bool has_parent;
    const char* bits;
    const char* text;
  };
  const Row rows[] = {
      {0, false, "00048d159e242af37bc0000000000000", "0:43c9JGZmRvE"},
      {1, true, "00448d159e242af37bdcba9876543210", "1:43c9JGZmRvE:1269NgQm8hM"},
      {100, true, "19048d159e242af37bdcba9876543210", "100:43c9JGZmRvE:1269NgQm8hM"},
      {255, true, "3fc48d159e242af37bdcba9876543210", "255:43c9JGZmRvE:1269NgQm8hM"},
      {256, true, "4040048d159e242af37bfa9876543210", "256:43c9JGZmRvE:11WBNjiWpo"},
      {1000, true, "40fa048d159e242af37bfa9876543210", "1000:43c9JGZmRvE:11WBNjiWpo"},
      {65535, true, "7fffc48d159e242af37bfa9876543210", "65535:43c9JGZmRvE:11WBNjiWpo"},
      {65536, true, "804000048d159e242af37bd876543210", "65536:43c9JGZmRvE:1113m5BjwV"},
      {100000, true, "8061a8048d159e242af37bd876543210", "100000:43c9JGZmRvE:1113m5BjwV"},
      {16777215, true, "bfffffc48d159e242af37bd876543210", "16777215:43c9JGZmRvE:1113m5BjwV"},
  };
  for (const Row& row : rows) {
    const SequenceHash hash(kCurrent, row.has_parent ? std::optional(kParent) : std::nullopt, row.position);
    EXPECT_EQ(hex(hash), row.bits);
    EXPECT_EQ(hash.text(), row.text);
  }
}

TEST(SequenceHash, PacksOnesIntoEveryFieldBit) {  // tokens.md 12.6, case 1
  EXPECT_EQ(hex(SequenceHash(kAllOnes, kAllOnes, 255)), "3f" + std::string(30, 'f'));
  EXPECT_EQ(hex(SequenceHash(kAllOnes, kAllOnes, 65535)), "7f" + std::string(30, 'f'));
  EXPECT_EQ(hex(SequenceHash(kAllOnes, kAllOnes, 16777215)), "bf" + std::string(30, 'f'));
}

TEST(SequenceHash, PacksSmallHashes) {  // tokens.md 12.6, case 1
  EXPECT_EQ(hex(SequenceHash(42, std::nullopt, 0)), "00000000000000000a80000000000000");
  EXPECT_EQ(SequenceHash(42, std::nullopt, 0).text(), "0:1111111j");
  EXPECT_EQ(hex(SequenceHash(0xAA, 0x11, 5)), "01400000000000002a80000000000011");
  EXPECT_EQ(SequenceHash(0xAA, 0x11, 5).text(), "5:11111113w:1111111J");
  EXPECT_EQ(hex(SequenceHash(0xAA, 0x22, 5)), "01400000000000002a80000000000022");
}

TEST(SequenceHash, IsAllZeroByDefault) {  // tokens.md 12.6
  const SequenceHash hash;

  EXPECT_EQ(hex(hash), std::string(32, '0'));
  EXPECT_EQ(hash.text(), "0:11111111");
  EXPECT_EQ(hash.mode(), 0u);
  EXPECT_EQ(hash.position(), 0u);
  EXPECT_EQ(hash.current(), 0u);
  EXPECT_EQ(hash.parent_fragment(), 0u);
}

TEST(SequenceHash, DecodesWhatItPacked) {  // tokens.md 13 case 6
  struct Row {
    std::uint64_t position;
    unsigned mode;
    unsigned fragment_bits;
  };
  const Row rows[] = {{100, 0, 54},   {255, 0, 54},   {256, 1, 46},     {1000, 1, 46},
                      {65535, 1, 46}, {65536, 2, 38}, {100'000, 2, 38}, {16'777'215, 2, 38}};
  for (const Row& row : rows) {
    const SequenceHash hash(kCurrent, kParent, row.position);
    EXPECT_EQ(hash.mode(), row.mode) << row.position;
    EXPECT_EQ(hash.position(), row.position);
    EXPECT_EQ(hash.current(), kCurrent) << row.position;
    EXPECT_EQ(hash.parent_fragment(), kParent & ((std::uint64_t{1} << row.fragment_bits) - 1)) << row.position;
  }
}

TEST(SequenceHash, WithoutParentKeepsFragmentZero) {  // tokens.md 13 case 7
  for (const std::uint64_t position : {0u, 5u, 300u, 70'000u}) {
    EXPECT_EQ(SequenceHash(kAllOnes, std::nullopt, position).parent_fragment(), 0u) << position;
  }
}

TEST(SequenceHash, RefusesAPositionBeyondItsField) {  // tokens.md 13 case 8
  const std::uint64_t limit = std::uint64_t{1} << 24;
  EXPECT_NO_THROW(SequenceHash(1, 2, limit - 1));
  for (const std::uint64_t position : {limit, limit + 5, kAllOnes}) {
    try {
      const SequenceHash hash(1, 2, position);
      FAIL() << position;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(std::to_string(position)), std::string::npos) << error.what();
    }
  }
}

TEST(SequenceHash, ExtendRefusesToLeaveTheLastPosition) {  // tokens.md 6, extend
  EXPECT_THROW((void)SequenceHash(1, 2, (1u << 24) - 1).extend(3), std::invalid_argument);
  EXPECT_EQ(SequenceHash(1, 2, (1u << 24) - 2).extend(3).position(), (1u << 24) - 1);
}

TEST(SequenceHash, AnEdgeAcrossAChangeOfModeComparesEqual) {  // tokens.md 13 case 9
  for (const std::uint64_t position : {0u, 254u, 255u, 256u, 65'534u, 65'535u, 65'536u}) {
    const SequenceHash parent(kAllOnes - 0x1234, kParent, position);
    const SequenceHash child = parent.extend(99);
    const SequenceHash stranger = SequenceHash(kAllOnes - 0x1235, kParent, position).extend(99);

    EXPECT_EQ(child.position(), position + 1);
    EXPECT_EQ(child.parent_fragment(), parent.fragment_for_child(child.position())) << position;
    EXPECT_NE(stranger.parent_fragment(), parent.fragment_for_child(stranger.position())) << position;
  }
}

TEST(SequenceHash, TheFragmentForAChildHasTheChildsWidth) {  // tokens.md 12.6, case 9
  const SequenceHash hash(kCurrent, kParent, 3);

  EXPECT_EQ(hash.fragment_for_child(1), 0x34567890abcdefu);
  EXPECT_EQ(hash.fragment_for_child(255), 0x34567890abcdefu);
  EXPECT_EQ(hash.fragment_for_child(256), 0x167890abcdefu);
  EXPECT_EQ(hash.fragment_for_child(65535), 0x167890abcdefu);
  EXPECT_EQ(hash.fragment_for_child(65536), 0x3890abcdefu);
  EXPECT_EQ(hash.fragment_for_child(std::uint64_t{1} << 40), 0x3890abcdefu);
}

TEST(SequenceHash, RootAndExtendGiveTheRecordedValues) {  // tokens.md 12.6, case 1
  const SequenceHash root = SequenceHash::root(7);
  const SequenceHash child = root.extend(9);
  const SequenceHash grandchild = child.extend(11);

  EXPECT_EQ(hex(root), "000000000000000001c0000000000000");
  EXPECT_EQ(hex(child), "006dd57e42718e4ad580000000000007");
  EXPECT_EQ(child.current(), 0xb755f909c6392b56u);
  EXPECT_EQ(hex(grandchild), "00a379f2d01829484fd5f909c6392b56");
  EXPECT_EQ(grandchild.current(), 0x8de7cb4060a5213fu);
}

TEST(SequenceHash, OrdersByPositionThenCurrentThenBits) {  // tokens.md 12.10, case 11
  const std::vector<SequenceHash> ascending = {SequenceHash(9, std::nullopt, 0), SequenceHash(1, 7, 2),
                                               SequenceHash(5, 0, 2), SequenceHash(5, 1, 2), SequenceHash(3, 7, 300)};
  const char* const bits[] = {"00000000000000000240000000000000", "00800000000000000040000000000007",
                              "00800000000000000140000000000000", "00800000000000000140000000000001",
                              "404b0000000000000000c00000000007"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    EXPECT_EQ(hex(ascending[i]), bits[i]);
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(ascending[i] < ascending[j], i < j) << i << ' ' << j;
      EXPECT_EQ(ascending[i] == ascending[j], i == j) << i << ' ' << j;
    }
  }
}

TEST(SequenceHash, SortsAShuffledListTheSameWayEveryTime) {  // tokens.md 13 case 11
  std::vector<SequenceHash> sorted;
  for (std::uint64_t i = 0; i < 200; ++i) {
    sorted.push_back(SequenceHash(i * 0x9E3779B97F4A7C15 % 50, i % 7, i * 131 % 70'000));
  }
  std::ranges::sort(sorted);
  std::mt19937 random(1);
  for (int round = 0; round < 10; ++round) {
    std::vector<SequenceHash> shuffled = sorted;
    std::ranges::shuffle(shuffled, random);
    std::ranges::sort(shuffled);
    EXPECT_EQ(shuffled, sorted);
  }
}

TEST(SequenceHash, TextHasOneColonAtPositionZeroAndTwoElsewhere) {  // tokens.md 13 case 12
  for (const std::uint64_t position : {0u, 1u, 255u, 256u, 65'536u}) {
    const std::string text = SequenceHash(kCurrent, kParent, position).text();
    EXPECT_EQ(std::ranges::count(text, ':'), position == 0 ? 1 : 2) << text;
  }
}

TEST(SequenceHash, EqualComponentsGiveEqualBits) {  // tokens.md 13 case 13
  EXPECT_EQ(SequenceHash(kCurrent, kParent, 8), SequenceHash(kCurrent, kParent, 8));
  EXPECT_NE(SequenceHash(kCurrent, kParent, 8), SequenceHash(kCurrent, kParent, 9));
  EXPECT_NE(SequenceHash(0xAA, 0x11, 5), SequenceHash(0xAA, 0x22, 5));
}

TEST(SequenceHash, SurvivesTheTripThroughBytes) {  // tokens.md 12.9, case 14
  const SequenceHash hash(kCurrent, kParent, 10);

  const HashBytes bytes = hash.to_bytes();

  EXPECT_EQ(bytes[0], std::byte{0x02});
  EXPECT_EQ(bytes[1], std::byte{0x84});
  EXPECT_EQ(bytes[15], std::byte{0x10});
  EXPECT_EQ(SequenceHash::from_bytes(bytes), hash);
  EXPECT_EQ(SequenceHash::from_bits(hash.high(), hash.low()), hash);
}

TEST(SequenceHash, RefusesBytesOfModeThree) {  // tokens.md 6
  HashBytes bytes{};
  bytes[0] = std::byte{0xBF};
  EXPECT_TRUE(SequenceHash::from_bytes(bytes));

  bytes[0] = std::byte{0xC0};

  EXPECT_FALSE(SequenceHash::from_bytes(bytes));
}

TEST(SequenceHash, StdHashSpreadsSmallHandMadeHashesOverLowBits) {  // tokens.md 14
  std::unordered_set<std::size_t> low_bits;
  for (std::uint64_t i = 0; i < 256; ++i) low_bits.insert(std::hash<SequenceHash>{}(SequenceHash::root(i)) % 1024);

  EXPECT_GT(low_bits.size(), 150u);
  EXPECT_EQ(std::hash<SequenceHash>{}(SequenceHash::root(3)), std::hash<SequenceHash>{}(SequenceHash::root(3)));
}

}  // namespace
}  // namespace kvbm
