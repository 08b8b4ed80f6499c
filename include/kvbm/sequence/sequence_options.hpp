#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace kvbm {

/// When a full block of tokens becomes findable.
enum class Publication : std::uint8_t {
  WhenComputed,     ///< once the KV of its last token is there
  WhenTokensKnown,  ///< the reference's way: as soon as all its tokens are known, whether computed or not
};

/// Under which id a block is kept that the manager already had (DuplicationPolicy::Reject).
enum class AssignedId : std::uint8_t {
  Effective,  ///< that of the block that holds the content
  Candidate,  ///< the reference's way: that of the block which was given back
};

/// How one request uses the cache.
struct SequenceOptions {
  std::size_t max_output_tokens = 0;
  std::uint32_t block_size = 0;  ///< tokens per block, that of the manager
  /// Salt hash of the request; absent is 0. Requests with different salts share nothing. See request_salt().
  std::optional<std::uint64_t> salt{};
  unsigned hash_threads = 1;  ///< see TokenSequenceOptions
  Publication publication = Publication::WhenComputed;
  /// After a match, leave at least one known token to compute, so that there is an output to go on from. Otherwise a
  /// prompt that is cached whole is at an end: the reference's way.
  bool leave_one_to_compute = true;
  AssignedId assigned_id = AssignedId::Effective;

  /// The same with all that the reference does otherwise.
  [[nodiscard]] SequenceOptions as_reference() const {
    SequenceOptions options = *this;
    options.publication = Publication::WhenTokensKnown;
    options.leave_one_to_compute = false;
    options.assigned_id = AssignedId::Candidate;
    return options;
  }
};

}  // namespace kvbm
