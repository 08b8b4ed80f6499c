#pragma once

#include <cstdint>
#include <span>

#include "kvbm/tokens/block_hash.hpp"

namespace kvbm {

/// Requests as tokens, text only, each from its start. Their full blocks are looked up; tokens behind the last full one
/// do not count.
struct TokenRequests {
  /// One number more than there are requests, in tokens: request r is tokens[offsets[r], offsets[r + 1]).
  std::span<const std::uint32_t> offsets;
  std::span<const Token> tokens;
  std::uint32_t block_size = 0;  ///< tokens in a block, at least 1
  /// A seed of the block hashes for each request, or nothing for 0.
  std::span<const std::uint64_t> salts{};
};

}  // namespace kvbm
