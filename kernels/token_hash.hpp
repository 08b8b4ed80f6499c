#pragma once

#include <cstdint>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/device/kernel_call.hpp"

namespace kvbm::kernels {

/// The full blocks of a batch of requests, text only, each from its position 0; the first may go on where another batch
/// ended.
///
/// Shape  offsets [requests + 1], rising, in blocks; tokens [blocks, block_size]; salts [requests] or null for 0;
///        hashes as blocks.
/// All    accessible to whoever runs it, untouched by others meanwhile.
struct TokenHashBatch {
  const std::uint32_t* tokens;
  const std::uint32_t* offsets;
  std::uint32_t requests;
  std::uint32_t blocks;      // offsets[requests]
  std::uint32_t block_size;  // in tokens; not 0
  const std::uint64_t* salts;
  SequenceHash* hashes;
  /// Null, or the block before the first request's, if that one has blocks in another batch. Not among `hashes`.
  const SequenceHash* before = nullptr;
};

/// hashes[i] becomes the sequence hash of block i, as kvbm::hash_blocks gives it.
[[nodiscard]] KernelCall token_hash(const TokenHashBatch& batch) noexcept;

}  // namespace kvbm::kernels
