#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/tokens/block_hash.hpp"
#include "kvbm/tokens/mm_run.hpp"
#include "kvbm/tokens/positional_sequence_hash.hpp"

namespace kvbm {

/// Why tokens could not be cut, committed or taken away. Nothing has changed then.
struct TokenBlockError {
  enum class Kind : std::uint8_t {
    Incomplete,          ///< a block was committed before it was full
    InsufficientTokens,  ///< more tokens were to go than there are
    MmInfo,              ///< the multimodal runs are faulty: mm_info says how
    MmRunsPresent,       ///< a sequence with multimodal runs does not shrink
  };
  Kind kind = Kind::Incomplete;
  std::optional<MmInfoError> mm_info{};

  [[nodiscard]] std::string text() const;

  friend constexpr bool operator==(const TokenBlockError&, const TokenBlockError&) = default;
};

/// Where in which sequence a block stands: all that its hashes depend on beside its tokens.
struct BlockPlace {
  std::uint64_t salt = 0;
  std::optional<std::uint64_t> parent{};  ///< 64-bit sequence hash of the block before; none for the first
  std::uint64_t position = 0;

  friend constexpr bool operator==(const BlockPlace&, const BlockPlace&) = default;
};

class PartialTokenBlock;

/// A full block of tokens with the hashes that follow from them and from its place. Immutable; two are equal if all of
/// that is.
///
/// Made by  PartialTokenBlock::commit, TokenBlockSequence::block.
class TokenBlock {
 public:
  /// No tokens, all hashes 0.
  TokenBlock() = default;
  /// A block of text, its hash chained to the parent's if there is one.
  /// Errors  std::invalid_argument if the position is SequenceHash::kPositionLimit or more.
  TokenBlock(std::vector<Token> tokens, const BlockPlace& place);

  [[nodiscard]] std::span<const Token> tokens() const noexcept { return tokens_; }
  [[nodiscard]] std::size_t block_size() const noexcept { return tokens_.size(); }
  [[nodiscard]] std::uint64_t salt() const noexcept { return place_.salt; }
  [[nodiscard]] std::uint64_t position() const noexcept { return place_.position; }
  /// The parent's 64-bit sequence hash, complete; none for the first block.
  [[nodiscard]] std::optional<std::uint64_t> parent() const noexcept { return place_.parent; }

  /// The identity of the block: its positional lineage hash.
  [[nodiscard]] SequenceHash hash() const noexcept { return hash_; }
  /// The hash of its own content, parents left out.
  [[nodiscard]] std::uint64_t block_hash() const noexcept { return block_hash_; }
  [[nodiscard]] std::uint64_t sequence_hash64() const noexcept { return hash_.current(); }
  [[nodiscard]] PositionalSequenceHash positional_hash() const {
    return PositionalSequenceHash(hash_.current(), place_.position, block_hash_);
  }

  /// An empty block of the same size behind this one.
  /// Errors  std::invalid_argument if this block has no tokens.
  [[nodiscard]] PartialTokenBlock next_block() const;

  friend bool operator==(const TokenBlock&, const TokenBlock&) = default;

 private:
  friend class PartialTokenBlock;
  friend class TokenBlockSequence;
  TokenBlock(std::vector<Token>&& tokens, const BlockPlace& place, std::uint64_t block_hash, SequenceHash hash) noexcept
      : tokens_(std::move(tokens)), place_(place), block_hash_(block_hash), hash_(hash) {}

  std::vector<Token> tokens_;
  BlockPlace place_;
  std::uint64_t block_hash_ = 0;
  SequenceHash hash_;
};

/// A block still being filled: at most block_size tokens, and the place it will have once it is full.
/// Becomes  a TokenBlock through commit(), and itself the empty block behind that.
class PartialTokenBlock {
 public:
  /// Errors  std::invalid_argument if block_size is 0.
  PartialTokenBlock(std::uint32_t block_size, const BlockPlace& place);
  PartialTokenBlock(PartialTokenBlock&&) noexcept = default;
  PartialTokenBlock& operator=(PartialTokenBlock&&) noexcept = default;
  PartialTokenBlock(const PartialTokenBlock&) = delete;
  PartialTokenBlock& operator=(const PartialTokenBlock&) = delete;

  [[nodiscard]] std::span<const Token> tokens() const noexcept { return tokens_; }
  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }
  [[nodiscard]] bool empty() const noexcept { return tokens_.empty(); }
  [[nodiscard]] std::uint32_t block_size() const noexcept { return block_size_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return block_size_ - tokens_.size(); }
  [[nodiscard]] const BlockPlace& place() const noexcept { return place_; }

  /// Takes as many tokens as fit; returns the rest.
  [[nodiscard]] std::span<const Token> push(std::span<const Token> tokens);
  /// Removes the last `count` tokens.
  /// Errors  InsufficientTokens.
  Result<void, TokenBlockError> pop(std::size_t count);

  /// Errors  Incomplete; std::invalid_argument if the position is SequenceHash::kPositionLimit or more.
  Result<TokenBlock, TokenBlockError> commit();

 private:
  friend class TokenBlockSequence;

  std::vector<Token> tokens_;
  std::vector<MmRun> runs_;  // those that touch the tokens; offsets count from the start of the sequence
  std::uint32_t block_size_;
  BlockPlace place_;
};

}  // namespace kvbm
