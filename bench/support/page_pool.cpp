#include "bench/support/page_pool.hpp"

#include <new>

#include "kvbm/base/assert.hpp"

namespace kvbm::bench {
namespace {

using kernels::PatternWord;

std::size_t words_of(std::uint32_t blocks, std::size_t page_bytes) {
  KVBM_ASSERT(page_bytes >= PagePool::kFewestPageBytes && page_bytes % PagePool::kPageBytesUnit == 0,
              "page_bytes is a multiple of 16 from 64 up");
  const std::size_t page_words = page_bytes / sizeof(PatternWord);
  if (page_words > SIZE_MAX / sizeof(PatternWord) / (std::size_t{blocks} + 1)) throw std::bad_alloc();
  return blocks * page_words;
}

/// Both halves take part: for one value of either half, different values of the other give different seeds.
std::uint64_t seed_of(const SequenceHash& hash) noexcept {
  constexpr std::uint64_t kOdd = 0x9E37'79B9'7F4A'7C15u;  // 2^64 / golden ratio
  return hash.high() * kOdd ^ hash.low();
}

}  // namespace

PagePool::PagePool(std::uint32_t blocks, std::size_t page_bytes)
    : page_bytes_(page_bytes), words_(words_of(blocks, page_bytes)) {}

void PagePool::fill(BlockId id, const SequenceHash& hash) noexcept { kernels::fill_page(page(id), seed_of(hash)); }

bool PagePool::holds(BlockId id, const SequenceHash& hash) noexcept {
  return kernels::count_wrong_words(page(id), seed_of(hash)) == 0;
}

}  // namespace kvbm::bench
