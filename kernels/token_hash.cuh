#pragma once

#include <cstdint>

#include "kernels/token_hash.hpp"
#include "kernels/xxh3.cuh"

namespace kvbm::kernels {

/// Leaves the hash of one block's own tokens in the low half of its place, for LinkRequest.
struct HashBlock {
  TokenHashBatch batch;

  KVBM_HOST_DEVICE void operator()(std::uint32_t block) const noexcept {
    const WordXxh3 hash(batch.salts == nullptr ? 0 : batch.salts[request_of(block)]);
    const std::uint32_t* tokens = batch.tokens + std::size_t{block} * batch.block_size;
    batch.hashes[block] = SequenceHash::from_bits(0, hash(tokens, batch.block_size));
  }

 private:
  /// The last request that begins at or before a block and is not empty.
  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t request_of(std::uint32_t block) const noexcept {
    std::uint32_t low = 0, high = batch.requests;  // offsets[low] <= block < offsets[high]
    while (high - low > 1) {
      const std::uint32_t middle = low + (high - low) / 2;
      (batch.offsets[middle] <= block ? low : high) = middle;
    }
    return low;
  }
};

/// Links one request's blocks into their lineage, the first one first.
struct LinkRequest {
  TokenHashBatch batch;

  KVBM_HOST_DEVICE void operator()(std::uint32_t request) const noexcept {
    const std::uint32_t begin = batch.offsets[request], end = batch.offsets[request + 1];
    const WordXxh3 chain(kChainSeed);
    const bool goes_on = request == 0 && batch.before != nullptr;
    std::uint64_t parent = goes_on ? batch.before->current() : 0;
    std::uint64_t position = goes_on ? batch.before->position() + 1 : 0;
    for (std::uint32_t block = begin; block < end; ++block, ++position) {
      const std::uint64_t own = batch.hashes[block].low();
      std::uint64_t current = own;
      if (position != 0) {
        const std::uint32_t pair[4] = {static_cast<std::uint32_t>(parent), static_cast<std::uint32_t>(parent >> 32),
                                       static_cast<std::uint32_t>(own), static_cast<std::uint32_t>(own >> 32)};
        current = chain(pair, 4);
      }
      batch.hashes[block] = SequenceHash::pack(current, parent, position);
      parent = current;
    }
  }
};

}  // namespace kvbm::kernels
