#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/manager/manager_options.hpp"
#include "kvbm/tokens/token_block.hpp"
#include "kvbm/tokens/token_sequence.hpp"

namespace kvbm::test {

/// What tests salt their sequences with, so that no hash of theirs is one of an unsalted sequence.
inline constexpr std::uint64_t kSalt = 42;
inline constexpr std::uint32_t kTokensPerBlock = 4;

/// Whether a manager can have blocks of this size.
[[nodiscard]] constexpr bool is_block_size(std::uint32_t tokens) noexcept {
  return std::has_single_bit(tokens) && tokens <= ManagerOptions::kMostTokensPerBlock;
}

/// first, first + 1, ...
[[nodiscard]] inline std::vector<Token> counting_tokens(Token first, std::size_t count) {
  std::vector<Token> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

/// Sequences that start a thousand tokens apart. Disjoint if none is longer than that.
[[nodiscard]] inline std::vector<std::vector<Token>> unique_sequences(std::size_t count, std::size_t length) {
  std::vector<std::vector<Token>> sequences;
  for (std::size_t i = 0; i < count; ++i) sequences.push_back(counting_tokens(static_cast<Token>(1000 * i), length));
  return sequences;
}

/// The first block of a sequence. Precondition: the tokens fill it exactly.
[[nodiscard]] inline TokenBlock token_block(std::span<const Token> tokens, std::uint32_t tokens_per_block) {
  PartialTokenBlock partial(tokens_per_block, {.salt = kSalt});
  const std::span<const Token> rest = partial.push(tokens);
  Result<TokenBlock, TokenBlockError> block = partial.commit();
  KVBM_ASSERT(rest.empty() && block.has_value(), "the tokens do not fill one block");
  return std::move(block).value();
}

[[nodiscard]] inline TokenBlock counting_block(Token first, std::uint32_t tokens_per_block = kTokensPerBlock) {
  return token_block(counting_tokens(first, tokens_per_block), tokens_per_block);
}

/// The tokens tests put into block `id` when any will do: four of them, different enough for different ids.
[[nodiscard]] inline std::vector<Token> tokens_for_id(BlockId id) { return counting_tokens(id, kTokensPerBlock); }

/// The hash of a sequence of one block.
[[nodiscard]] inline SequenceHash token_hash(std::span<const Token> tokens) {
  return token_block(tokens, static_cast<std::uint32_t>(tokens.size())).hash();
}

/// Each block of one sequence with its index. Precondition: the tokens fill the blocks exactly.
[[nodiscard]] inline std::vector<std::pair<std::size_t, SequenceHash>> token_chain(
    std::vector<Token> tokens, std::uint32_t tokens_per_block = kTokensPerBlock, std::uint64_t salt = kSalt) {
  KVBM_ASSERT(tokens.size() % tokens_per_block == 0, "the tokens do not fill whole blocks");
  const TokenBlockSequence sequence(std::move(tokens), {.block_size = tokens_per_block, .salt = salt});
  std::vector<std::pair<std::size_t, SequenceHash>> chain;
  for (const SequenceHash& hash : sequence.hashes()) chain.emplace_back(chain.size(), hash);
  return chain;
}

}  // namespace kvbm::test
