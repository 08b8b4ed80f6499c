#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kvbm/tokens/block_hash.hpp"
#include "src/host/base/xxh3_inline.hpp"

namespace kvbm {

/// Finds the runs that touch a block. Asked for blocks in rising order it looks at each run once.
/// Precondition: `runs` is sorted and disjoint, without empty runs.
class RunCursor {
 public:
  /// Cost  logarithmic in the number of runs.
  RunCursor(std::span<const MmRun> runs, std::size_t first_token) noexcept;

  /// The runs that have a slot in [begin, end).
  [[nodiscard]] std::span<const MmRun> touching(std::size_t begin, std::size_t end) noexcept {
    while (next_ < runs_.size() && runs_[next_].offset + runs_[next_].length <= begin) ++next_;
    std::size_t last = next_;
    while (last < runs_.size() && runs_[last].offset < end) ++last;
    return runs_.subspan(next_, last - next_);
  }

 private:
  std::span<const MmRun> runs_;
  std::size_t next_;  // first run that may still touch
};

/// XXH3 seeded with one salt, for many inputs. Beyond 240 bytes XXH3 derives a secret from the seed; here once for all.
class SaltedXxh3 {
 public:
  SaltedXxh3(std::uint64_t salt, std::size_t bytes) noexcept : salt_(salt) {
    if (bytes > XXH3_MIDSIZE_MAX) XXH3_generateSecret_fromSeed(secret_, salt);
  }

  /// Precondition: no more bytes than the constructor was told.
  [[nodiscard]] std::uint64_t operator()(const void* data, std::size_t bytes) const noexcept {
    return XXH3_64bits_withSecretandSeed(data, bytes, secret_, sizeof(secret_), salt_);
  }

 private:
  std::uint64_t salt_;
  alignas(64) unsigned char secret_[XXH_SECRET_DEFAULT_SIZE];
};

/// Consecutive blocks of one sequence, to be hashed.
struct BlockHashJob {
  std::span<const Token> tokens;  ///< of the blocks to hash, the first one first
  std::size_t block_size;
  std::span<const MmRun> runs;  ///< offsets count from the start of the sequence
  std::size_t first_position;   ///< of the blocks to hash
  std::uint64_t salt;
  std::uint64_t parent;  ///< current() of the block before; unused at position 0
  unsigned threads;
};

/// Hashes the first `hashes.size()` blocks of the job.
/// Precondition: their tokens are there, and all positions are below SequenceHash::kPositionLimit.
void run_block_hash_job(const BlockHashJob& job, std::span<SequenceHash> hashes) noexcept;

/// Errors  std::invalid_argument naming the position of the last of `blocks` blocks if it is beyond the limit.
void check_block_count(std::size_t blocks);

/// Errors  std::invalid_argument if it is 0.
std::uint32_t checked_block_size(std::uint32_t block_size);

}  // namespace kvbm
