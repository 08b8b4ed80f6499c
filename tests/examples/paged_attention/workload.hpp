#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace engine {

using Tokens = std::vector<std::uint32_t>;

/// One turn of a conversation. Its prompt is the previous turn's prompt and answer, if there is one, and `tokens`.
struct Turn {
  std::optional<std::uint32_t> previous;  ///< its index; it is smaller
  Tokens tokens;
  std::uint32_t output_tokens;  ///< at least 1
};

/// Conversations of a few turns under a handful of system prompts, mixed with one another. Every prompt with its
/// answer has at most kPositions tokens.
[[nodiscard]] std::vector<Turn> make_workload(std::uint32_t turns, std::uint64_t seed);

/// What the model says to one prompt.
struct Answer {
  Tokens tokens;
  std::vector<float> logits;  ///< [tokens, vocabulary]
};

}  // namespace engine
