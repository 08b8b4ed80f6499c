#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/base/sequence_hash.hpp"

namespace kvbm::bench {

/// One recorded request: its prompt in blocks, first block first.
struct TraceRequest {
  std::uint64_t input_tokens = 0;
  std::vector<std::uint64_t> ids;
  std::uint64_t arrival_ms = 0;     ///< since the start of the trace; 0 if it does not say
  std::uint64_t output_tokens = 0;  ///< 0 if it does not say
};

/// Why a trace cannot be replayed.
struct TraceError {
  std::uint64_t line = 0;  ///< counted from 1; 0: the file as a whole
  std::string text;

  /// For people: the file, the line if there is one, and the text.
  [[nodiscard]] std::string in(const std::string& path) const;
};

/// The requests of a trace, in its order: one JSON object a line, with `input_length` and `hash_ids`; `timestamp` and
/// `output_length` may be left out. Other fields and lines of white space are passed over.
///
/// An id stands for its block and all blocks before it, so it occurs only once in a request.
/// Errors  TraceError naming the first line that is no such object, or a trace without requests.
[[nodiscard]] Result<std::vector<TraceRequest>, TraceError> parse_trace(std::string text);

/// parse_trace() of a file. Errors  as there; TraceError of line 0 if the file cannot be read.
[[nodiscard]] Result<std::vector<TraceRequest>, TraceError> read_trace(const std::string& path);

/// How many leading ids of a request stand for full blocks of `block_tokens` tokens. Precondition: block_tokens > 0.
[[nodiscard]] std::size_t full_blocks(const TraceRequest& request, std::uint64_t block_tokens) noexcept;

/// The ids' lineage: the hash of id k has its position k, XXH3-64 of the id's 8 little-endian bytes as its own sequence
/// hash and that of the id before it as its parent's. An id behind another parent is therefore another block.
/// Precondition: at most SequenceHash::kPositionLimit ids, which parse_trace() sees to.
[[nodiscard]] std::vector<SequenceHash> lineage_of(std::span<const std::uint64_t> ids);

}  // namespace kvbm::bench
