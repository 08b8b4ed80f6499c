#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/page_pattern.hpp"
#include "kvbm/base/assert.hpp"
#include "kvbm/base/host_device.hpp"

namespace kvbm::kernels {

/// The unit in which pages are written and compared.
struct alignas(16) PatternWord {
  std::uint64_t low;
  std::uint64_t high;
};

/// Words that depend on seed and place, so that misplaced bytes give themselves away.
///
/// At one place, two seeds differ in both halves of the word; for one seed, two places differ in both halves: each half
/// is a bijection of its counter, which starts at a bijection of the seed and advances by an odd number.
///
/// Cost  one multiplication per 8 bytes: one core at 2.6 GHz fills 15 and verifies 12 GiB/s within its caches
///       (bench/page_pattern_bench.cpp).
class PagePattern {
 public:
  KVBM_HOST_DEVICE explicit PagePattern(std::uint64_t seed) noexcept : start_(mixed(mixed(seed) + kStepLow)) {}

  [[nodiscard]] KVBM_HOST_DEVICE PatternWord word(std::uint64_t index) const noexcept {
    return {mixed(start_ + index * kStepLow), mixed(~start_ + index * kStepHigh)};
  }

 private:
  static constexpr std::uint64_t kStepLow = 0x9E37'79B9'7F4A'7C15u;   // 2^64 / golden ratio
  static constexpr std::uint64_t kStepHigh = 0xD1B5'4A32'D192'ED03u;  // 2^64 / second root of x^3 = x + 1, made odd
  static constexpr std::uint64_t kFactor = 0xD6E8'FEB8'6659'FD93u;

  // Invertible: an odd factor between two right-shifted exclusive ors.
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t mixed(std::uint64_t value) noexcept {
    value ^= value >> 32;
    value *= kFactor;
    return value ^ (value >> 32);
  }

  std::uint64_t start_;
};

/// Writes one page's pattern, its words shared out among `lanes` callers.
struct FillPage {
  PageArray pages;
  std::size_t page_bytes;

  KVBM_HOST_DEVICE void operator()(PageSeed page, std::uint32_t lane, std::uint32_t lanes) const noexcept {
    const PagePattern pattern(page.seed);
    auto* words = reinterpret_cast<PatternWord*>(pages.page(page.page));
    for (std::size_t i = lane; i < page_bytes / sizeof(PatternWord); i += lanes) words[i] = pattern.word(i);
  }
};

/// Counts the wrong words of one page among those that fall to `lane` of `lanes` callers.
struct VerifyPage {
  PageArray pages;
  std::size_t page_bytes;

  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t operator()(PageSeed page, std::uint32_t lane,
                                                          std::uint32_t lanes) const noexcept {
    const PagePattern pattern(page.seed);
    const auto* words = reinterpret_cast<const PatternWord*>(pages.page(page.page));
    std::uint32_t wrong = 0;
    for (std::size_t i = lane; i < page_bytes / sizeof(PatternWord); i += lanes) {
      const PatternWord expected = pattern.word(i);
      wrong += ((words[i].low ^ expected.low) | (words[i].high ^ expected.high)) != 0;
    }
    return wrong;
  }
};

/// Fills one page in host memory. Precondition: aligned to 16 and a multiple of 16 long.
inline void fill_page(std::span<std::byte> page, std::uint64_t seed) noexcept {
  KVBM_ASSERT(page.size() % sizeof(PatternWord) == 0, "a page is a whole number of 16-byte words");
  FillPage{{page.data(), page.size()}, page.size()}(PageSeed{seed, 0}, 0, 1);
}

/// Number of 16-byte words of a page in host memory that are not what fill_page(page, seed) writes.
/// Precondition: as there.
[[nodiscard]] inline std::uint32_t count_wrong_words(std::span<const std::byte> page, std::uint64_t seed) noexcept {
  KVBM_ASSERT(page.size() % sizeof(PatternWord) == 0, "a page is a whole number of 16-byte words");
  auto* base = const_cast<std::byte*>(page.data());  // VerifyPage only reads
  return VerifyPage{{base, page.size()}, page.size()}(PageSeed{seed, 0}, 0, 1);
}

}  // namespace kvbm::kernels
