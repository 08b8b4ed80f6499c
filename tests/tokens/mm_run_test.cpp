#include "kvbm/tokens/mm_run.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace kvbm {
namespace {

using MmKind = MmInfoError::Kind;
constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();

std::optional<MmInfoError> fault(std::vector<MmRun> runs, std::size_t tokens) {
  const auto sorted = sorted_runs(runs, tokens);
  return sorted ? std::nullopt : std::optional(sorted.error());
}

TEST(MmRun, CoversItsSlotsOnly) {  // tokens.md 4
  const MmRun run{1, 4, 2};

  EXPECT_EQ(run.end(), 6u);
  EXPECT_FALSE(run.covers(3));
  EXPECT_TRUE(run.covers(4));
  EXPECT_TRUE(run.covers(5));
  EXPECT_FALSE(run.covers(6));
}

TEST(MmRun, WithoutAnEndCoversNothing) {  // tokens.md 4
  const MmRun run{1, kMax, 2};

  EXPECT_FALSE(run.checked_end());
  EXPECT_FALSE(run.covers(kMax));
  EXPECT_DEATH((void)run.end(), "overflows");
}

TEST(SortedRuns, SortsByOffset) {  // tokens.md 4.1
  const std::vector<MmRun> runs = {{1, 6, 2}, {2, 0, 3}, {3, 3, 3}};

  const auto sorted = sorted_runs(runs, 8);

  ASSERT_TRUE(sorted);
  EXPECT_EQ(*sorted, (std::vector<MmRun>{{2, 0, 3}, {3, 3, 3}, {1, 6, 2}}));
}

TEST(SortedRuns, RefusesAnEmptyRun) {  // tokens.md 13 case 30
  EXPECT_EQ(fault({{1, 2, 0}}, 8), MmInfoError{MmKind::EmptyRun});
}

TEST(SortedRuns, RefusesAnEndThatOverflows) {  // tokens.md 13 case 30
  EXPECT_EQ(fault({{1, kMax, 2}}, 8), (MmInfoError{MmKind::OffsetOverflow, kMax, 2}));
}

TEST(SortedRuns, RefusesARunBehindTheLastToken) {  // tokens.md 13 case 30
  EXPECT_EQ(fault({{1, 6, 3}}, 8), (MmInfoError{MmKind::OutOfBounds, 6, 3, 8}));
  EXPECT_EQ(fault({{1, 6, 2}}, 8), std::nullopt);
}

TEST(SortedRuns, RefusesRunsThatOverlap) {  // tokens.md 13 case 30
  EXPECT_EQ(fault({{1, 3, 2}, {2, 0, 4}}, 8), (MmInfoError{MmKind::Overlapping, 3}));
  EXPECT_EQ(fault({{1, 3, 2}, {2, 3, 1}}, 8), (MmInfoError{MmKind::Overlapping, 3}));
  EXPECT_EQ(fault({{1, 4, 2}, {2, 0, 4}}, 8), std::nullopt);
}

TEST(SortedRuns, NamesTheFirstFaultInOrderOfOffsets) {  // tokens.md 4.1
  EXPECT_EQ(fault({{1, 5, 9}, {2, 1, 0}}, 8), MmInfoError{MmKind::EmptyRun});
  EXPECT_EQ(fault({{1, 1, 9}, {2, 5, 0}}, 8), (MmInfoError{MmKind::OutOfBounds, 1, 9, 8}));
}

TEST(MmInfoError, SaysWhatIsWrong) {
  EXPECT_NE((MmInfoError{MmKind::EmptyRun}.text()).find("EmptyRun"), std::string::npos);
  EXPECT_NE((MmInfoError{MmKind::OffsetOverflow, 7, 9}.text()).find("OffsetOverflow: offset 7"), std::string::npos);
  EXPECT_NE((MmInfoError{MmKind::OutOfBounds, 6, 3, 8}.text()).find("of 8 tokens"), std::string::npos);
  EXPECT_NE((MmInfoError{MmKind::Overlapping, 3}.text()).find("Overlapping: the run at offset 3"), std::string::npos);
}

}  // namespace
}  // namespace kvbm
