#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/sequence/block_sequence.hpp"
#include "kvbm/sequence/sequence_options.hpp"

namespace kvbm {

/// The tokens of one request, its prompt and what it has generated, and how many it may generate.
///
/// Errors  more generated tokens than allowed, or a block size of 0, is a bug: it aborts. std::invalid_argument if a
///         block would be beyond SequenceHash::kPositionLimit, with nothing changed.
/// Cost    no allocation for the first kReservedTokensMax generated tokens.
class RequestTokens {
 public:
  static constexpr std::size_t kReservedTokensMax = std::size_t{1} << 16;

  RequestTokens(std::vector<Token> tokens, const SequenceOptions& options);

  /// Appends a generated token. Returns the index of the block that it completed.
  std::optional<std::size_t> append(Token token);
  /// The same for several. Returns whether they completed any block.
  bool append(std::span<const Token> tokens);

  [[nodiscard]] std::size_t generated() const noexcept { return generated_; }
  [[nodiscard]] std::size_t output_max() const noexcept { return output_max_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return output_max_ - generated_; }
  [[nodiscard]] bool is_complete() const noexcept { return generated_ >= output_max_; }
  [[nodiscard]] std::size_t input() const noexcept { return input_; }
  [[nodiscard]] std::size_t total() const noexcept { return sequence_.total_tokens(); }
  [[nodiscard]] std::uint32_t block_size() const noexcept { return sequence_.block_size(); }
  /// Blocks that are full of tokens.
  [[nodiscard]] std::uint32_t complete_blocks() const noexcept {
    return static_cast<std::uint32_t>(sequence_.block_count());
  }
  /// Blocks that `tokens` tokens take.
  [[nodiscard]] std::uint32_t blocks_for(std::size_t tokens) const noexcept {
    return static_cast<std::uint32_t>((tokens + block_size() - 1) / block_size());
  }
  /// The most blocks for which room is made ahead.
  [[nodiscard]] std::uint32_t expected_blocks() const noexcept;
  [[nodiscard]] const BlockSequence& sequence() const noexcept { return sequence_; }

 private:
  std::size_t input_;
  std::size_t output_max_;
  std::size_t generated_ = 0;
  BlockSequence sequence_;
};

}  // namespace kvbm
