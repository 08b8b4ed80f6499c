#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvbm/base/types.hpp"

namespace kvbm {

/// A set of block ids as bits. Empty again after clearing what was inserted, so that using it costs O(ids), not
/// O(blocks).
///
/// Threads  one at a time.
class BlockMarks {
 public:
  /// Makes room for ids below `blocks`. Errors  std::bad_alloc.
  void reserve(std::uint32_t blocks) {
    const std::size_t words = (std::size_t{blocks} + kBits - 1) / kBits;
    if (words_.size() < words) words_.resize(words);
  }
  /// Whether it was new.
  bool insert(BlockId block) noexcept {
    std::uint64_t& word = words_[block / kBits];
    const bool is_new = (word & bit(block)) == 0;
    word |= bit(block);
    return is_new;
  }
  [[nodiscard]] bool contains(BlockId block) const noexcept { return (words_[block / kBits] & bit(block)) != 0; }
  /// Forgets `block`, and maybe its neighbours: for emptying the set.
  void clear_around(BlockId block) noexcept { words_[block / kBits] = 0; }

 private:
  static constexpr std::uint32_t kBits = 64;
  static std::uint64_t bit(BlockId block) noexcept { return std::uint64_t{1} << (block % kBits); }

  std::vector<std::uint64_t> words_;
};

}  // namespace kvbm
