#include "src/host/pools/slot_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "src/host/base/hash_index.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

using test::hash;

constexpr std::uint32_t kNone = 0xFFFF'FFFFu;
constexpr auto kAny = [](std::uint32_t) { return true; };
constexpr auto kNever = [](std::uint32_t) { return false; };

void add(HashIndex& index, std::uint32_t tag, std::uint32_t id) {
  ASSERT_EQ(index.find_or_insert(tag, id, kNone, kNever), kNone);
}

/// All ids with this tag, in the order of the probe.
std::vector<std::uint32_t> all_of(const HashIndex& index, std::uint32_t tag) {
  std::vector<std::uint32_t> ids;
  static_cast<void>(index.find(tag, kNone, [&](std::uint32_t id) {
    ids.push_back(id);
    return false;
  }));
  return ids;
}

TEST(HashIndex, FindsWhatWasPutIn) {
  HashIndex index(8);
  add(index, 7, 3);

  EXPECT_EQ(index.size(), 1u);
  EXPECT_EQ(index.find(7, kNone, kAny), 3u);
  EXPECT_EQ(index.find(8, kNone, kAny), kNone);
  EXPECT_EQ(index.find(7, kNone, kNever), kNone);
  EXPECT_EQ(index.reader().find(7, kNone, kAny), 3u);
}

TEST(HashIndex, ReturnsTheIdThatIsTheSame) {
  HashIndex index(8);
  add(index, 7, 3);

  EXPECT_EQ(index.find_or_insert(7, 4, kNone, kAny), 3u);
  EXPECT_EQ(index.size(), 1u);
}

TEST(HashIndex, KeepsEqualTagsApartById) {
  HashIndex index(8);
  for (std::uint32_t id = 0; id < 8; ++id) add(index, 42, id);
  EXPECT_EQ(all_of(index, 42), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7}));

  index.erase(42, 3);
  index.erase(42, 0);

  EXPECT_EQ(all_of(index, 42), (std::vector<std::uint32_t>{1, 2, 4, 5, 6, 7}));
  EXPECT_EQ(index.find(42, kNone, [](std::uint32_t id) { return id == 6; }), 6u);
}

/// The highest tags have the last homes, and displace each other beyond them.
TEST(HashIndex, ProbesBeyondTheLastHome) {
  HashIndex index(8);
  const std::uint32_t last = 0xFFFF'FFFFu;
  for (std::uint32_t id = 0; id < 6; ++id) add(index, last - id % 3, id);
  add(index, 0, 6);

  index.erase(last, 0);
  index.erase(last - 1, 1);

  EXPECT_EQ(all_of(index, last), std::vector<std::uint32_t>{3});
  EXPECT_EQ(all_of(index, last - 1), std::vector<std::uint32_t>{4});
  EXPECT_EQ(all_of(index, last - 2), (std::vector<std::uint32_t>{2, 5}));
  EXPECT_EQ(all_of(index, 0), std::vector<std::uint32_t>{6});
}

TEST(HashIndex, HasRoomForAllIdsAtTheLastHome) {
  for (const std::uint32_t most : {1u, 2u, 9u, 300u}) {
    HashIndex index(most);
    for (std::uint32_t id = 0; id < most; ++id) add(index, kNone, id);
    EXPECT_EQ(all_of(index, kNone).size(), most);
    for (std::uint32_t id = 0; id < most; ++id) index.erase(kNone, id);
    EXPECT_TRUE(all_of(index, kNone).empty());
  }
}

/// Few different tags give long probe sequences, and those of the last home are among them.
void agrees_with_a_map(std::uint32_t most, std::uint32_t tags, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "most " << most << " tags " << tags << " seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<std::uint32_t> tag_of(tags);
  for (std::uint32_t& tag : tag_of) tag = static_cast<std::uint32_t>(random());
  tag_of[0] = kNone;
  HashIndex index(most);
  std::unordered_map<std::uint32_t, std::uint32_t> expected;  // id -> tag

  for (int step = 0; step < 20'000; ++step) {
    const auto id = static_cast<std::uint32_t>(random() % most);
    if (const auto found = expected.find(id); found != expected.end()) {
      index.erase(found->second, id);
      expected.erase(found);
    } else {
      expected[id] = tag_of[random() % tags];
      add(index, expected[id], id);
    }
    ASSERT_EQ(index.size(), expected.size());
    const auto probe = static_cast<std::uint32_t>(random() % most);
    const auto entry = expected.find(probe);
    const std::uint32_t tag = entry != expected.end() ? entry->second : tag_of[random() % tags];
    const std::uint32_t wanted = entry != expected.end() ? probe : kNone;
    ASSERT_EQ(index.find(tag, kNone, [&](std::uint32_t candidate) { return candidate == probe; }), wanted);
  }
}

TEST(HashIndex, AgreesWithAMap) {
  for (const std::uint32_t most : {1u, 2u, 3u, 16u, 100u, 1000u}) {
    for (const std::uint32_t tags : {1u, 4u, 64u, 4096u}) agrees_with_a_map(most, tags, most + tags);
  }
}

TEST(HashIndex, HoldsAllThatItWasMadeFor) {
  for (const std::uint32_t most : {1u, 2u, 7u, 64u, 1000u}) {
    HashIndex index(most);
    for (std::uint32_t id = 0; id < most; ++id) add(index, id * 0x9E37'79B9u, id);
    for (std::uint32_t id = 0; id < most; ++id) EXPECT_EQ(index.find(id * 0x9E37'79B9u, kNone, kAny), id);
    for (std::uint32_t id = 0; id < most; ++id) index.erase(id * 0x9E37'79B9u, id);
    EXPECT_EQ(index.size(), 0u);
    EXPECT_EQ(index.find(0, kNone, kAny), kNone);
  }
}

TEST(HashIndex, GrowsWithAllIds) {
  HashIndex index(4);
  for (std::uint32_t id = 0; id < 4; ++id) add(index, kNone - id / 2, id);

  index.grow(100);
  for (std::uint32_t id = 4; id < 100; ++id) add(index, id, id);

  EXPECT_EQ(index.size(), 100u);
  EXPECT_EQ(all_of(index, kNone).size(), 2u);
  EXPECT_EQ(all_of(index, kNone - 1).size(), 2u);
  for (std::uint32_t id = 4; id < 100; ++id) EXPECT_EQ(all_of(index, id), std::vector{id});
}

TEST(HashIndex, GrowsFromNothing) {
  HashIndex index;
  index.grow(16);
  add(index, 5, 1);

  EXPECT_EQ(index.find(5, kNone, kAny), 1u);
}

/// A block in the table of `table`. Returns what find_or_insert said.
BlockId put(SlotTable& table, BlockId id, const SequenceHash& hash, bool& collides) {
  table[id].hash = hash;
  collides = false;
  return table.find_or_insert(id, collides);
}

TEST(SlotTable, FindsByTheFullHash) {
  SlotTable table(4);
  bool collides = false;
  EXPECT_EQ(put(table, 1, hash(1), collides), kNoBlock);
  EXPECT_EQ(put(table, 2, hash(2), collides), kNoBlock);

  EXPECT_EQ(table.find(hash(1)), 1u);
  EXPECT_EQ(table.find(hash(2)), 2u);
  EXPECT_EQ(table.find(hash(3)), kNoBlock);
  EXPECT_EQ(put(table, 3, hash(2), collides), 2u);
  EXPECT_FALSE(collides);
  EXPECT_EQ(table.size(), 2u);

  table.erase(1);
  EXPECT_EQ(table.find(hash(1)), kNoBlock);
}

TEST(SlotTable, TellsThatALineageKeyIsTaken) {
  SlotTable table(4);
  bool collides = false;
  const SequenceHash original(77, 1, 5), impostor(77, 2, 5), deeper(77, 1, 6);

  EXPECT_EQ(put(table, 0, original, collides), kNoBlock);
  EXPECT_FALSE(collides);
  EXPECT_EQ(put(table, 1, deeper, collides), kNoBlock);
  EXPECT_FALSE(collides);
  EXPECT_EQ(put(table, 2, impostor, collides), kNoBlock);
  EXPECT_TRUE(collides);
  EXPECT_EQ(table.find(original), 0u);
  EXPECT_EQ(table.find(impostor), 2u);
}

/// The key is as wide as a child keeps it: 54 bits up to position 254, 46 up to 65534, 38 beyond.
TEST(SlotTable, TheWidthOfAKeyIsThatOfTheChild) {
  struct Width {
    std::uint64_t position;
    unsigned bits;
  };
  for (const Width width : {Width{254, 54}, {255, 46}, {65'534, 46}, {65'535, 38}}) {
    SlotTable table(2);
    bool collides = false;
    const std::uint64_t low = (std::uint64_t{1} << width.bits) - 1;
    put(table, 0, SequenceHash(low, 1, width.position), collides);
    put(table, 1, SequenceHash(low | std::uint64_t{1} << width.bits, 1, width.position), collides);
    EXPECT_TRUE(collides) << width.position;
    table.erase(1);
    put(table, 1, SequenceHash(low ^ std::uint64_t{1} << (width.bits - 1), 1, width.position), collides);
    EXPECT_FALSE(collides) << width.position;
  }
}

TEST(SlotTable, FindsAParentByWhatItsChildKnows) {
  for (const std::uint64_t position : {1u, 200u, 255u, 256u, 257u, 65'535u, 65'536u, 65'537u}) {
    SlotTable table(4);
    bool collides = false;
    const SequenceHash parent(0xFEDC'BA98'7654'3210u + position, 5, position - 1);
    const SequenceHash child = parent.extend(99);
    put(table, 3, parent, collides);

    EXPECT_EQ(table.find_key(position - 1, child.parent_fragment()), 3u) << position;
    EXPECT_EQ(table.find_parent(child), 3u) << position;
    EXPECT_EQ(table.find_key(position, child.parent_fragment()), kNoBlock);
    EXPECT_EQ(table.find_parent(SequenceHash(7, parent.current(), position + 1)), kNoBlock) << position;
    EXPECT_EQ(table.find_parent(SequenceHash(7, parent.current() ^ 1, position)), kNoBlock) << position;
    EXPECT_EQ(table.find_key(position - 1, child.parent_fragment() ^ 1), kNoBlock);

    table[3].flags |= BlockSlot::kNotCacheable;
    EXPECT_EQ(table.find_parent(child), kNoBlock);
    EXPECT_EQ(table.find_key(position - 1, child.parent_fragment()), kNoBlock);
  }
}

TEST(SlotTable, AgreesWithAMap) {
  constexpr std::uint32_t kSlots = 100;
  std::mt19937_64 random(9);
  SlotTable table(kSlots);
  std::unordered_map<SequenceHash, BlockId> expected;
  std::vector<bool> used(kSlots, false);

  for (int step = 0; step < 50'000; ++step) {
    const SequenceHash name = hash(random() % 150);
    const auto found = expected.find(name);
    ASSERT_EQ(table.find(name), found == expected.end() ? kNoBlock : found->second);
    const auto id = static_cast<BlockId>(random() % kSlots);
    if (found != expected.end()) {
      table.erase(found->second);
      used[found->second] = false;
      expected.erase(found);
    } else if (!used[id]) {
      bool collides = false;
      ASSERT_EQ(put(table, id, name, collides), kNoBlock);
      used[id] = true;
      expected[name] = id;
    }
    ASSERT_EQ(table.size(), expected.size());
  }
}

TEST(LineageTag, DiffersForDifferentBlocks) {  // logical.md 18.17 case 215
  std::set<std::uint32_t> tags;
  for (std::uint64_t position = 0; position < 100; ++position) {
    for (std::uint64_t current = 0; current < 100; ++current) tags.insert(lineage_tag(position, current));
  }
  EXPECT_EQ(tags.size(), 10'000u);
}

TEST(LineageTag, IsTheSameForAParentAndWhatItsChildKnows) {
  for (const std::uint64_t position : {0u, 254u, 255u, 65'534u, 65'535u}) {
    const SequenceHash parent(~std::uint64_t{0} - position, 3, position);
    EXPECT_EQ(lineage_tag(parent), lineage_tag(position, parent.extend(7).parent_fragment())) << position;
  }
}

TEST(SequenceHashAsKey, DigestsDiffer) {  // case 215
  const std::hash<SequenceHash> digest;
  std::set<std::size_t> digests;
  for (std::uint64_t number = 0; number < 1000; ++number) {
    for (const SequenceHash& key : test::chain(number, 10)) digests.insert(digest(key));
    digests.insert(digest(SequenceHash::from_bits(0, number)));
  }
  EXPECT_EQ(digests.size(), 11'000u);
}

TEST(SequenceHashAsKey, MapsInsertOverwriteAndRemove) {  // case 215
  std::unordered_map<SequenceHash, int> map;
  const auto keys = test::chain(1, 100);
  for (int i = 0; i < 100; ++i) map[keys[static_cast<std::size_t>(i)]] = i;
  for (int i = 0; i < 100; ++i) map[keys[static_cast<std::size_t>(i)]] += 1000;

  EXPECT_EQ(map.size(), 100u);
  for (int i = 0; i < 100; i += 2) EXPECT_EQ(map.erase(keys[static_cast<std::size_t>(i)]), 1u);
  EXPECT_EQ(map.size(), 50u);
  EXPECT_EQ(map.at(keys[99]), 1099);
  EXPECT_FALSE(map.contains(keys[98]));
}

}  // namespace
}  // namespace kvbm
