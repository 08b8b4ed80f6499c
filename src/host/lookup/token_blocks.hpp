#pragma once

#include <vector>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/lookup/token_requests.hpp"

namespace kvbm {

/// Where each request's blocks begin among all full blocks; one number more than there are requests.
/// Errors  std::invalid_argument for blocks of no tokens, or positions beyond SequenceHash's.
void find_blocks(const TokenRequests& requests, std::vector<std::uint32_t>& offsets);

/// The hashes of all full blocks. Precondition: `offsets` are those of find_blocks.
[[nodiscard]] std::vector<SequenceHash> hash_requests(const TokenRequests& requests,
                                                      std::span<const std::uint32_t> offsets);

}  // namespace kvbm
