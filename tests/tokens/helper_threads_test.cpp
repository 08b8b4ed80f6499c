#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "kvbm/tokens/block_hash.hpp"
#include "kvbm/tokens/token_sequence.hpp"
#include "tests/support/thread_faults.hpp"

// Hashing asks for helpers that the system may not have.

namespace kvbm {
namespace {

constexpr unsigned kThreads = 5;

std::vector<Token> numbered(std::size_t count) {
  std::vector<Token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 17);
  return tokens;
}

TEST(HelperThreads, ThatCannotBeStartedLeaveTheirBlocksToTheCaller) {
  const std::vector<Token> tokens = numbered(4 * 103 + 2);
  std::vector<SequenceHash> alone(103);
  ASSERT_EQ(hash_blocks(tokens, {.block_size = 4, .salt = 7}, alone), 103u);
  for (std::size_t started = 0; started < kThreads; ++started) {
    std::vector<SequenceHash> hashes(103);
    const test::ThreadFault fault(started);

    ASSERT_EQ(hash_blocks(tokens, {.block_size = 4, .salt = 7, .threads = kThreads}, hashes), 103u);

    EXPECT_EQ(hashes, alone) << started;
    EXPECT_EQ(fault.fired(), started < kThreads - 1) << started;  // the caller is one of them
  }
}

/// Of a sequence that is long enough for helpers.
TEST(HelperThreads, ThatCannotBeStartedLeaveRunsOfPlaceholdersToTheCaller) {
  const std::vector<Token> tokens = numbered(400'000);
  const std::vector<MmRun> runs{{6, 8, 4}, {7, 140'000, 33}, {8, 399'000, 100}};
  const auto alone = TokenBlockSequence::with_mm(tokens, runs, {.block_size = 64});
  for (const std::size_t started : {0u, 1u}) {
    const test::ThreadFault fault(started);

    const auto helped = TokenBlockSequence::with_mm(tokens, runs, {.block_size = 64, .hash_threads = 3});

    ASSERT_TRUE(alone && helped);
    EXPECT_TRUE(fault.fired());
    EXPECT_TRUE(std::ranges::equal(helped->hashes(), alone->hashes())) << started;
  }
}

}  // namespace
}  // namespace kvbm
