#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/tokens/token_sequence.hpp"

namespace kvbm {

/// Why tokens or block ids were not taken. Nothing has changed then.
struct BlockSequenceError {
  /// A list of ids names a known one behind a new one. Indices are places in the list.
  struct OrderingViolation {
    BlockId known_id = 0;
    BlockId new_id = 0;  ///< the first new one
    std::size_t known_index = 0;
    std::size_t first_new_index = 0;
    friend bool operator==(const OrderingViolation&, const OrderingViolation&) = default;
  };
  /// The hash for a block says that it stands elsewhere.
  struct PositionMismatch {
    std::size_t expected = 0;
    std::size_t actual = 0;
    BlockId block_id = 0;
    friend bool operator==(const PositionMismatch&, const PositionMismatch&) = default;
  };
  struct DuplicateBlockId {
    BlockId block_id = 0;
    friend bool operator==(const DuplicateBlockId&, const DuplicateBlockId&) = default;
  };
  /// The token sequence refused.
  struct TokenExtension {
    std::string reason;
    friend bool operator==(const TokenExtension&, const TokenExtension&) = default;
  };

  std::variant<OrderingViolation, PositionMismatch, DuplicateBlockId, TokenExtension> what;

  /// The reason if it is a `Reason`, else null.
  template <class Reason>
  [[nodiscard]] const Reason* get_if() const noexcept {
    return std::get_if<Reason>(&what);
  }
  [[nodiscard]] std::string text() const;

  friend bool operator==(const BlockSequenceError&, const BlockSequenceError&) = default;
};

/// The tokens of one sequence, cut into blocks that can be paired with storage.
///
/// Errors  a block size of 0 is a bug: it aborts.
/// Cost    see TokenBlockSequence.
class BlockSequence {
 public:
  BlockSequence(std::vector<Token> tokens, std::uint32_t block_size, std::optional<std::uint64_t> salt = std::nullopt)
      : BlockSequence(std::move(tokens), TokenSequenceOptions{.block_size = block_size, .salt = salt}) {}
  BlockSequence(std::vector<Token> tokens, const TokenSequenceOptions& options);

  /// Complete blocks only. A TokenBlock holds a copy of its tokens; hashes() is what assignments need.
  [[nodiscard]] std::vector<TokenBlock> blocks() const { return sequence_.blocks(); }
  [[nodiscard]] std::span<const SequenceHash> hashes() const noexcept { return sequence_.hashes(); }
  [[nodiscard]] std::size_t block_count() const noexcept { return sequence_.block_count(); }
  [[nodiscard]] std::uint32_t block_size() const noexcept { return sequence_.block_size(); }
  /// With those of the block that is not complete.
  [[nodiscard]] std::size_t total_tokens() const noexcept { return sequence_.size(); }
  [[nodiscard]] const TokenBlockSequence& sequence() const noexcept { return sequence_; }

  /// Returns the blocks that became complete. Errors  TokenExtension; the same below.
  Result<std::optional<BlockRange>, BlockSequenceError> extend_tokens(std::span<const Token> tokens);
  /// Returns the index of the block that became complete.
  Result<std::optional<std::size_t>, BlockSequenceError> append_token(Token token);

 private:
  TokenBlockSequence sequence_;
};

}  // namespace kvbm
