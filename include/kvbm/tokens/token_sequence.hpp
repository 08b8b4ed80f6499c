#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/tokens/block_hash.hpp"
#include "kvbm/tokens/mm_run.hpp"
#include "kvbm/tokens/token_block.hpp"

namespace kvbm {

/// Blocks [begin, end) of a sequence.
struct BlockRange {
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] constexpr std::size_t size() const noexcept { return end - begin; }
  friend constexpr bool operator==(const BlockRange&, const BlockRange&) = default;
};

struct TokenSequenceOptions {
  std::uint32_t block_size = 0;         ///< tokens per block, at least 1
  std::optional<std::uint64_t> salt{};  ///< salt hash of the request; absent is 0 (see request_salt)
  unsigned hash_threads = 1;            ///< see HashBlocksOptions::threads; one call for few tokens uses one anyway
  std::size_t expected_tokens = 0;      ///< room is made for so many at once; more are taken as they come
};

/// The tokens of one request and the hashes of its full blocks; it grows at the end and may shrink there.
///
/// Invariant  every full block has its hash at once: hashes().size() == size() / block_size().
/// Shape      all tokens in one array, all hashes in another, nothing per block; a TokenBlock is made when asked for.
/// Lifetime   spans it hands out are good until the sequence changes; tokens passed in must not lie inside it.
/// Errors     std::invalid_argument if block_size is 0 or a block's position would reach SequenceHash::kPositionLimit.
///            A call that throws or returns an error has changed nothing.
/// Cost       appending copies each token once and hashes it once (see hash_blocks).
class TokenBlockSequence {
 public:
  TokenBlockSequence(std::vector<Token> tokens, const TokenSequenceOptions& options);

  /// A sequence some of whose slots are placeholders; their tokens are kept, but do not take part in the hashes.
  /// Errors  MmInfo, as sorted_runs() finds it.
  [[nodiscard]] static Result<TokenBlockSequence, TokenBlockError> with_mm(std::vector<Token> tokens,
                                                                           std::span<const MmRun> runs,
                                                                           const TokenSequenceOptions& options);

  /// Appends one token. Returns the index of the block that it completed.
  std::optional<std::size_t> append(Token token);
  /// Appends tokens. Returns the blocks that they completed.
  std::optional<BlockRange> extend(std::span<const Token> tokens);
  /// Appends `length` placeholders of one object; they read as tokens 0. Returns the blocks that they completed.
  /// Errors  MmInfo: EmptyRun, OffsetOverflow.
  Result<std::optional<BlockRange>, TokenBlockError> push_mm_run(std::uint64_t mm_hash, std::size_t length);
  /// Appends tokens with runs, whose offsets count from the first of `tokens`; placeholders then read as tokens 0.
  /// Errors  MmInfo, as sorted_runs() finds it.
  Result<std::optional<BlockRange>, TokenBlockError> extend_with_mm(std::span<const Token> tokens,
                                                                    std::span<const MmRun> runs);

  /// Keeps the first `length` tokens, all of them if there are no more.
  /// Errors  MmRunsPresent, even if nothing would change.
  Result<void, TokenBlockError> truncate(std::size_t length);
  /// Removes the last `count` tokens.
  /// Errors  InsufficientTokens, then MmRunsPresent.
  Result<void, TokenBlockError> unwind(std::size_t count);
  /// Removes the last token; nothing if there is none. A bug if there are runs: it aborts.
  std::optional<Token> pop();
  /// The same.
  /// Errors  MmRunsPresent.
  Result<std::optional<Token>, TokenBlockError> try_pop();
  /// Removes all tokens and runs.
  void reset() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }
  [[nodiscard]] bool empty() const noexcept { return tokens_.empty(); }
  [[nodiscard]] std::uint32_t block_size() const noexcept { return block_size_; }
  [[nodiscard]] std::uint64_t salt() const noexcept { return salt_; }
  [[nodiscard]] std::span<const MmRun> mm_runs() const noexcept { return runs_; }

  [[nodiscard]] std::span<const Token> tokens() const noexcept { return tokens_; }
  /// Tokens [begin, end); none at all if the range is reversed or goes beyond the last token.
  [[nodiscard]] std::span<const Token> tokens_at(std::size_t begin, std::size_t end) const noexcept;
  /// The tokens behind the last full block.
  [[nodiscard]] std::span<const Token> partial_tokens() const noexcept {
    return std::span(tokens_).subspan(hashes_.size() * block_size_);
  }

  /// The hashes of all full blocks in order, as a lookup wants them.
  [[nodiscard]] std::span<const SequenceHash> hashes() const noexcept { return hashes_; }
  [[nodiscard]] std::size_t block_count() const noexcept { return hashes_.size(); }

  /// The tokens of full block `index`. An index beyond block_count() is a bug, here and below: it aborts.
  [[nodiscard]] std::span<const Token> block_tokens(std::size_t index) const noexcept;
  /// Cost  hashes the block again.
  [[nodiscard]] std::uint64_t block_hash(std::size_t index) const noexcept;
  /// The 64-bit sequence hash of the block before `index`; none for the first. `index` may be block_count().
  [[nodiscard]] std::optional<std::uint64_t> parent_of(std::size_t index) const noexcept;
  /// Cost  as block_hash, and a copy of its tokens.
  [[nodiscard]] TokenBlock block(std::size_t index) const;
  [[nodiscard]] std::vector<TokenBlock> blocks() const;
  [[nodiscard]] std::optional<TokenBlock> last_complete_block() const;
  /// The block being filled, with fewer than block_size tokens.
  [[nodiscard]] PartialTokenBlock current_block() const;
  /// blocks() and current_block(), for whoever goes on without a sequence.
  [[nodiscard]] std::pair<std::vector<TokenBlock>, PartialTokenBlock> into_parts() &&;

 private:
  void reserve(std::size_t tokens, std::size_t runs);
  std::optional<BlockRange> hash_full_blocks() noexcept;
  [[nodiscard]] BlockPlace place_of(std::size_t index) const noexcept;

  std::vector<Token> tokens_;
  std::vector<SequenceHash> hashes_;
  std::vector<MmRun> runs_;  // sorted, disjoint, all slots among the tokens
  std::uint32_t block_size_;
  unsigned hash_threads_;
  std::uint64_t salt_;
};

}  // namespace kvbm
