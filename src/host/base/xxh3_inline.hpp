#pragma once

// The whole of XXH3 in line, so that a fixed length folds to a few multiplications. Only for sources that hash in a
// loop; others call xxh3_64.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

static_assert(std::endian::native == std::endian::little, "tokens are hashed in place, as little-endian integers");

/// chain_hash in line.
[[nodiscard]] inline std::uint64_t chain_hash_inline(std::uint64_t parent, std::uint64_t child_block_hash) noexcept {
  const std::uint64_t pair[2] = {parent, child_block_hash};
  return XXH3_64bits_withSeed(pair, sizeof(pair), kChainSeed);
}

}  // namespace kvbm
