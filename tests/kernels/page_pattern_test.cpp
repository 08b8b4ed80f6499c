#include "kernels/page_pattern.cuh"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace kvbm::kernels {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::uint32_t kPageWords = kPageBytes / sizeof(PatternWord);

static_assert(std::is_trivially_copyable_v<FillPage> && std::is_trivially_copyable_v<VerifyPage>);
static_assert(sizeof(PatternWord) == 16);

struct Pages {
  explicit Pages(std::size_t count) : words(count * kPageWords) {}

  std::span<std::byte> page(std::size_t index) {
    return std::as_writable_bytes(std::span(words)).subspan(index * kPageBytes, kPageBytes);
  }
  PageArray array() { return {std::as_writable_bytes(std::span(words)).data(), kPageBytes}; }

  std::vector<PatternWord> words;
};

TEST(PagePattern, AFilledPageIsRight) {
  Pages pages(1);

  fill_page(pages.page(0), 7);

  EXPECT_EQ(count_wrong_words(pages.page(0), 7), 0u);
}

TEST(PagePattern, EveryWordOfAnUnfilledPageIsWrong) {
  Pages pages(1);

  EXPECT_EQ(count_wrong_words(pages.page(0), 7), kPageWords);
}

TEST(PagePattern, OneWrongBitIsOneWrongWordWhereverItIs) {
  Pages pages(1);
  fill_page(pages.page(0), 7);

  for (std::size_t bit = 0; bit < 8 * kPageBytes; ++bit) {
    std::byte& byte = pages.page(0)[bit / 8];
    const std::byte right = byte;
    byte ^= std::byte{1} << (bit % 8);
    ASSERT_EQ(count_wrong_words(pages.page(0), 7), 1u) << "bit " << bit;
    byte = right;
  }
}

TEST(PagePattern, SwappedWordsAreBothWrong) {
  Pages pages(1);
  fill_page(pages.page(0), 7);

  std::swap(pages.words[3], pages.words[4]);

  EXPECT_EQ(count_wrong_words(pages.page(0), 7), 2u);
}

TEST(PagePattern, SwappedHalvesOfAWordAreWrong) {
  Pages pages(1);
  fill_page(pages.page(0), 7);

  for (PatternWord& word : pages.words) std::swap(word.low, word.high);

  EXPECT_EQ(count_wrong_words(pages.page(0), 7), kPageWords);
}

TEST(PagePattern, AnotherSeedsPageIsWrongInEveryWord) {
  Pages pages(1);

  for (std::uint64_t seed : {0u, 1u, 2u, 3u, 4096u}) {
    fill_page(pages.page(0), seed);
    EXPECT_EQ(count_wrong_words(pages.page(0), seed + 1), kPageWords);
    EXPECT_EQ(count_wrong_words(pages.page(0), ~seed), kPageWords);
  }
}

TEST(PagePattern, AShiftedPageIsWrongInEveryWord) {
  Pages pages(2);
  fill_page(pages.page(0), 7);

  for (std::size_t shift = 1; shift < kPageWords; ++shift) {
    std::memcpy(pages.page(1).data(), pages.page(0).data() + 16 * shift, kPageBytes - 16 * shift);
    std::memcpy(pages.page(1).data() + kPageBytes - 16 * shift, pages.page(0).data(), 16 * shift);
    ASSERT_EQ(count_wrong_words(pages.page(1), 7), kPageWords) << "shift " << shift;
  }
}

TEST(PagePattern, NoHalfOfAWordOccursTwice) {
  std::set<std::uint64_t> halves;

  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    for (std::uint64_t index = 0; index < kPageWords; ++index) {
      halves.insert(PagePattern(seed).word(index).low);
      halves.insert(PagePattern(seed).word(index).high);
    }
  }

  EXPECT_EQ(halves.size(), std::size_t{64} * kPageWords * 2);
}

TEST(PagePattern, AnySplitOverLanesWritesTheSamePage) {
  Pages pages(2);
  fill_page(pages.page(0), 7);

  for (std::uint32_t lanes : {2u, 3u, 32u, 1000u}) {
    std::fill(pages.words.begin() + kPageWords, pages.words.end(), PatternWord{});
    for (std::uint32_t lane = 0; lane < lanes; ++lane) FillPage{pages.array(), kPageBytes}({7, 1}, lane, lanes);
    EXPECT_EQ(std::memcmp(pages.page(0).data(), pages.page(1).data(), kPageBytes), 0) << lanes << " lanes";
  }
}

TEST(PagePattern, LanesShareOutTheWrongWords) {
  Pages pages(2);
  fill_page(pages.page(1), 7);
  for (std::size_t word : {0u, 5u, 6u, kPageWords - 1}) ++pages.words[kPageWords + word].high;

  for (std::uint32_t lanes : {1u, 2u, 7u, 1000u}) {
    std::uint32_t wrong = 0;
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      wrong += VerifyPage{pages.array(), kPageBytes}({7, 1}, lane, lanes);
    }
    EXPECT_EQ(wrong, 4u) << lanes << " lanes";
  }
}

TEST(PagePattern, PagesMayLieApart) {
  Pages pages(4);
  const PageArray apart{pages.array().base, 2 * kPageBytes};

  FillPage{apart, kPageBytes}({7, 1}, 0, 1);

  EXPECT_EQ(count_wrong_words(pages.page(2), 7), 0u);
  EXPECT_EQ(count_wrong_words(pages.page(1), 7), kPageWords);
  EXPECT_EQ(count_wrong_words(pages.page(3), 7), kPageWords);
}

// The pattern is part of what a page stored by one build and read by another means: it does not change silently.
TEST(PagePattern, StaysTheSameFromBuildToBuild) {
  const PatternWord first = PagePattern(0).word(0);
  const PatternWord later = PagePattern(0x0123'4567'89AB'CDEFu).word(1000);

  EXPECT_EQ(first.low, 6632528083729404586u);
  EXPECT_EQ(first.high, 12444756659836912563u);
  EXPECT_EQ(later.low, 15148951438030571494u);
  EXPECT_EQ(later.high, 6254405134865760843u);
}

}  // namespace
}  // namespace kvbm::kernels
