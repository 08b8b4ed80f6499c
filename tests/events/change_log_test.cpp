#include "kvbm/events/change_log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

std::uint64_t tenancy(std::uint32_t generation) { return std::uint64_t{generation} << 32; }

std::vector<Change> read_all(ChangeReader& reader, std::size_t at_once = 64) {
  std::vector<Change> all, part(at_once);
  for (;;) {
    const ChangeReader::Outcome outcome = reader.read(part);
    EXPECT_FALSE(outcome.gap);
    if (outcome.count == 0) return all;
    all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(outcome.count));
  }
}

TEST(ChangeLog, GivesBackWhatWasWrittenInOrder) {
  const auto log = std::make_shared<ChangeLog>(8);
  ChangeReader reader(log, 0);
  log->stored(test::hash(1), 3, tenancy(7));
  {
    ChangeLog::Batch batch(*log, 2);
    batch.removed(test::hash(1), 3, tenancy(7));
    batch.stored(test::hash(2), (1u << 30) - 1, tenancy(0xFFFF'FFFFu));
  }
  log->cleared();

  EXPECT_EQ(read_all(reader), (std::vector<Change>{{0, test::hash(1), 3, 7, ChangeKind::Stored},
                                                   {1, test::hash(1), 3, 7, ChangeKind::Removed},
                                                   {2, test::hash(2), (1u << 30) - 1, 0xFFFF'FFFFu, ChangeKind::Stored},
                                                   {3, {}, 0, 0, ChangeKind::Cleared}}));
}

TEST(ChangeLog, ABatchIsInvisibleUntilItEnds) {
  const auto log = std::make_shared<ChangeLog>(8);
  {
    ChangeLog::Batch batch(*log, 1);
    batch.stored(test::hash(1), 0, tenancy(0));
    EXPECT_EQ(log->next(), 0u);
  }
  EXPECT_EQ(log->next(), 1u);
}

TEST(ChangeLog, ABatchOfFewerThanAnnouncedLeavesNoHole) {
  const auto log = std::make_shared<ChangeLog>(8);
  ChangeReader reader(log, 0);
  {
    ChangeLog::Batch batch(*log, 8);
    batch.stored(test::hash(1), 0, tenancy(0));
  }
  log->stored(test::hash(2), 1, tenancy(0));

  EXPECT_EQ(read_all(reader).size(), 2u);
}

TEST(ChangeLog, AFullLogKeepsTheLastChanges) {
  const auto log = std::make_shared<ChangeLog>(5);  // becomes 8
  for (BlockId id = 0; id < 20; ++id) log->stored(test::hash(id), id, tenancy(0));
  ChangeReader reader(log, 12);

  const std::vector<Change> last = read_all(reader, 3);

  EXPECT_EQ(log->capacity(), 8u);
  ASSERT_EQ(last.size(), 8u);
  EXPECT_EQ(last.front().id, 12u);
  EXPECT_EQ(last.back().id, 19u);
}

TEST(ChangeLog, AnOverrunReaderSeesAGapUntilItSkips) {
  const auto log = std::make_shared<ChangeLog>(8);
  ChangeReader reader(log, 0);
  for (BlockId id = 0; id < 9; ++id) log->stored(test::hash(id), id, tenancy(0));
  std::vector<Change> into(4);

  for (int again = 0; again < 2; ++again) {
    const ChangeReader::Outcome outcome = reader.read(into);
    EXPECT_TRUE(outcome.gap);
    EXPECT_EQ(outcome.count, 0u);
  }
  EXPECT_EQ(reader.behind(), 9u);

  reader.skip_to(1);
  EXPECT_EQ(read_all(reader).size(), 8u);
}

TEST(ChangeLog, ABatchLargerThanTheLogKeepsItsLastChanges) {
  const auto log = std::make_shared<ChangeLog>(4);
  {
    ChangeLog::Batch batch(*log, 11);
    for (BlockId id = 0; id < 11; ++id) batch.stored(test::hash(id), id, tenancy(0));
  }
  ChangeReader reader(log, 7);

  const std::vector<Change> last = read_all(reader);

  ASSERT_EQ(last.size(), 4u);
  EXPECT_EQ(last.front().id, 7u);
  EXPECT_EQ(last.front().hash, test::hash(7));
}

TEST(ChangeLog, ReadingIntoNothingReadsNothing) {
  const auto log = std::make_shared<ChangeLog>(4);
  log->stored(test::hash(1), 1, tenancy(0));
  ChangeReader reader(log, 0);

  EXPECT_EQ(reader.read({}).count, 0u);
  EXPECT_EQ(reader.position(), 0u);
}

// Every change read carries the hash and the generation that its id was written with, however often the ring was
// written over meanwhile; and numbers have no holes but those reported as gaps.
TEST(ChangeLog, AReaderBesideAWriterSeesNoTornChange) {
  constexpr std::uint64_t kChanges = 200'000;
  const auto log = std::make_shared<ChangeLog>(64);
  std::atomic<bool> reading{false};
  std::jthread writer([&] {
    while (!reading.load()) std::this_thread::yield();
    for (std::uint64_t i = 0; i < kChanges;) {
      ChangeLog::Batch batch(*log, 1 + i % 7);
      for (std::uint64_t k = 1 + i % 7; k-- > 0; ++i) {
        batch.stored(SequenceHash::from_bits(i, ~i), static_cast<BlockId>(i),
                     tenancy(static_cast<std::uint32_t>(3 * i)));
      }
    }
  });

  ChangeReader reader(log, 0);
  std::vector<Change> into(16);
  std::uint64_t expected = 0, seen = 0, gaps = 0;
  while (expected < kChanges) {
    reading = true;
    const ChangeReader::Outcome outcome = reader.read(into);
    if (outcome.gap) {
      ++gaps;
      expected = log->next();
      reader.skip_to(expected);
      continue;
    }
    for (const Change& change : std::span(into).first(outcome.count)) {
      ASSERT_EQ(change, (Change{expected, SequenceHash::from_bits(expected, ~expected), static_cast<BlockId>(expected),
                                static_cast<std::uint32_t>(3 * expected), ChangeKind::Stored}));
      ++expected;
      ++seen;
    }
  }
  EXPECT_GT(seen + gaps, 0u);
}

}  // namespace
}  // namespace kvbm
