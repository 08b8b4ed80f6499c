// physical.md 6.9, pending

#include "src/host/tiering/pending_hashes.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/allocation_faults.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::test {
namespace {

TEST(PendingHashes, HoldsEachThatIsMarkedUntilItIsUnmarked) {
  PendingHashes pending;
  const auto hashes = chain(1, 3);

  pending.mark(hashes);
  pending.unmark(std::span(hashes).first(1));

  EXPECT_FALSE(pending.contains(hashes[0]));
  EXPECT_TRUE(pending.contains(hashes[1]));
  EXPECT_TRUE(pending.contains(hashes[2]));
}

TEST(PendingHashes, TheFirstOfTwoHoldersToEndLeavesTheHashPending) {
  PendingHashes pending;
  const auto hashes = chain(1, 1);
  pending.mark(hashes);
  pending.mark(hashes);

  pending.unmark(hashes);
  EXPECT_TRUE(pending.contains(hashes[0]));
  pending.unmark(hashes);
  EXPECT_FALSE(pending.contains(hashes[0]));
}

TEST(PendingHashes, OneThatIsNamedTwiceAtOnceCountsTwice) {
  PendingHashes pending;
  const auto hashes = chain(1, 1);
  const SequenceHash twice[]{hashes[0], hashes[0]};
  pending.mark(twice);

  pending.unmark(hashes);

  EXPECT_TRUE(pending.contains(hashes[0]));
}

TEST(PendingHashes, AMarkThatRunsOutOfMemoryMarksNone) {
  const auto hashes = chain(1, 40);
  for (std::size_t n = 0;; ++n) {
    PendingHashes pending;
    pending.mark(std::span(hashes).first(1));
    const AllocationFault fault(n);
    try {
      pending.mark(hashes);
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(pending.contains(hashes[0])) << n;
      for (const SequenceHash& hash : std::span(hashes).subspan(1)) EXPECT_FALSE(pending.contains(hash)) << n;
    }
    if (!fault.fired()) break;
    EXPECT_LT(n, 1000u);
  }
}

TEST(PendingHashes, MarksThatAreHandedOverOutliveTheirScope) {
  PendingHashes pending;
  const auto hashes = chain(1, 4);
  pending.mark(hashes);
  {
    PendingMarks marks(pending, hashes);
    marks.release_first();
    EXPECT_FALSE(pending.contains(hashes[0]));
    EXPECT_TRUE(pending.contains(hashes[1]));
    marks.hand_over(1);
  }
  EXPECT_FALSE(pending.contains(hashes[1]));
  EXPECT_FALSE(pending.contains(hashes[2]));
  EXPECT_TRUE(pending.contains(hashes[3]));
}

/// Threads mark and unmark overlapping ranges; each sees its own pending as long as it holds it.
TEST(PendingHashes, OfSeveralThreadsArePendingAsLongAsOneHoldsThem) {
  PendingHashes pending;
  const auto hashes = chain(1, 16);
  {
    std::vector<std::jthread> threads;
    for (std::size_t of = 0; of < 4; ++of) {
      threads.emplace_back([&, of] {
        const auto mine = std::span(hashes).subspan(of * 2, 8);
        for (int round = 0; round < 2000; ++round) {
          pending.mark(mine);
          for (const SequenceHash& hash : mine) EXPECT_TRUE(pending.contains(hash));
          pending.unmark(mine);
        }
      });
    }
  }
  for (const SequenceHash& hash : hashes) EXPECT_FALSE(pending.contains(hash));
}

}  // namespace
}  // namespace kvbm::test
