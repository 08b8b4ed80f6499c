#include "kvbm/tokens/token_sequence.hpp"

#include <algorithm>

#include "kvbm/base/assert.hpp"
#include "src/host/tokens/block_hasher.hpp"

namespace kvbm {
namespace {

using Kind = TokenBlockError::Kind;

/// Below this a thread costs more to start than it saves.
constexpr std::size_t kTokensPerThreadMin = 131'072;

/// Reserves in large steps, so that growing by one token at a time stays cheap.
template <class T>
void reserve_amortized(std::vector<T>& items, std::size_t count) {
  if (count > items.capacity()) items.reserve(std::max(count, items.capacity() * 2));
}

}  // namespace

TokenBlockSequence::TokenBlockSequence(std::vector<Token> tokens, const TokenSequenceOptions& options)
    : tokens_(std::move(tokens)),
      block_size_(checked_block_size(options.block_size)),
      hash_threads_(std::max(options.hash_threads, 1u)),
      salt_(options.salt.value_or(0)) {
  reserve(std::max(tokens_.size(), options.expected_tokens), 0);
  hash_full_blocks();
}

Result<TokenBlockSequence, TokenBlockError> TokenBlockSequence::with_mm(std::vector<Token> tokens,
                                                                        std::span<const MmRun> runs,
                                                                        const TokenSequenceOptions& options) {
  TokenBlockSequence sequence({}, options);
  auto sorted = sorted_runs(runs, tokens.size());
  if (!sorted) return fail(TokenBlockError{Kind::MmInfo, sorted.error()});
  sequence.tokens_ = std::move(tokens);
  sequence.runs_ = *std::move(sorted);
  sequence.reserve(sequence.tokens_.size(), 0);
  sequence.hash_full_blocks();
  return sequence;
}

/// Makes room for `tokens` tokens, their hashes and `runs` more runs. What follows cannot fail then.
void TokenBlockSequence::reserve(std::size_t tokens, std::size_t runs) {
  const std::size_t blocks = tokens / block_size_;
  check_block_count(blocks);
  reserve_amortized(tokens_, tokens);
  reserve_amortized(hashes_, blocks);
  reserve_amortized(runs_, runs_.size() + runs);
}

/// Hashes the full blocks that have no hash yet. Precondition: there is room for the hashes.
std::optional<BlockRange> TokenBlockSequence::hash_full_blocks() noexcept {
  const BlockRange range{hashes_.size(), tokens_.size() / block_size_};
  if (range.size() == 0) return std::nullopt;
  const std::span<const Token> unhashed = partial_tokens();
  const std::uint64_t parent = hashes_.empty() ? 0 : hashes_.back().current();
  hashes_.resize(range.end);
  const std::size_t threads_useful = std::max<std::size_t>(unhashed.size() / kTokensPerThreadMin, 1);
  run_block_hash_job({.tokens = unhashed,
                      .block_size = block_size_,
                      .runs = runs_,
                      .first_position = range.begin,
                      .salt = salt_,
                      .parent = parent,
                      .threads = static_cast<unsigned>(std::min<std::size_t>(hash_threads_, threads_useful))},
                     std::span(hashes_).subspan(range.begin));
  return range;
}

std::optional<std::size_t> TokenBlockSequence::append(Token token) {
  const std::size_t partial = tokens_.size() - hashes_.size() * block_size_;
  if (partial + 1 < block_size_) {
    tokens_.push_back(token);
    return std::nullopt;
  }
  reserve(tokens_.size() + 1, 0);
  tokens_.push_back(token);
  return hash_full_blocks()->begin;
}

std::optional<BlockRange> TokenBlockSequence::extend(std::span<const Token> tokens) {
  reserve(tokens_.size() + tokens.size(), 0);
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  return hash_full_blocks();
}

Result<std::optional<BlockRange>, TokenBlockError> TokenBlockSequence::push_mm_run(std::uint64_t mm_hash,
                                                                                   std::size_t length) {
  using MmKind = MmInfoError::Kind;
  if (length == 0) return fail(TokenBlockError{Kind::MmInfo, MmInfoError{MmKind::EmptyRun}});
  const MmRun run{mm_hash, tokens_.size(), length};
  const std::optional<std::size_t> end = run.checked_end();
  if (!end) return fail(TokenBlockError{Kind::MmInfo, MmInfoError{MmKind::OffsetOverflow, run.offset, length}});
  reserve(*end, 1);
  tokens_.resize(*end, 0);
  runs_.push_back(run);
  return hash_full_blocks();
}

Result<std::optional<BlockRange>, TokenBlockError> TokenBlockSequence::extend_with_mm(std::span<const Token> tokens,
                                                                                      std::span<const MmRun> runs) {
  auto sorted = sorted_runs(runs, tokens.size());
  if (!sorted) return fail(TokenBlockError{Kind::MmInfo, sorted.error()});
  const std::size_t start = tokens_.size();
  reserve(start + tokens.size(), sorted->size());
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  for (MmRun run : *sorted) {
    run.offset += start;
    std::fill_n(tokens_.begin() + static_cast<std::ptrdiff_t>(run.offset), run.length, Token{0});
    runs_.push_back(run);
  }
  return hash_full_blocks();
}

Result<void, TokenBlockError> TokenBlockSequence::truncate(std::size_t length) {
  if (!runs_.empty()) return fail(TokenBlockError{Kind::MmRunsPresent});
  if (length >= tokens_.size()) return {};
  tokens_.resize(length);
  hashes_.resize(length / block_size_);
  return {};
}

Result<void, TokenBlockError> TokenBlockSequence::unwind(std::size_t count) {
  if (count > tokens_.size()) return fail(TokenBlockError{Kind::InsufficientTokens});
  return truncate(tokens_.size() - count);
}

std::optional<Token> TokenBlockSequence::pop() {
  const auto popped = try_pop();
  KVBM_ASSERT(popped.has_value(), "pop from a sequence with multimodal runs");
  return *popped;
}

Result<std::optional<Token>, TokenBlockError> TokenBlockSequence::try_pop() {
  if (!runs_.empty()) return fail(TokenBlockError{Kind::MmRunsPresent});
  if (tokens_.empty()) return std::optional<Token>{};
  const Token last = tokens_.back();
  if (partial_tokens().empty()) hashes_.pop_back();
  tokens_.pop_back();
  return std::optional(last);
}

void TokenBlockSequence::reset() noexcept {
  tokens_.clear();
  hashes_.clear();
  runs_.clear();
}

std::span<const Token> TokenBlockSequence::tokens_at(std::size_t begin, std::size_t end) const noexcept {
  if (begin > end || end > tokens_.size()) return {};
  return std::span(tokens_).subspan(begin, end - begin);
}

std::span<const Token> TokenBlockSequence::block_tokens(std::size_t index) const noexcept {
  KVBM_ASSERT(index < hashes_.size(), "no such block in this sequence");
  return std::span(tokens_).subspan(index * block_size_, block_size_);
}

std::uint64_t TokenBlockSequence::block_hash(std::size_t index) const noexcept {
  return kvbm::block_hash(block_tokens(index), index * block_size_, runs_, salt_);
}

std::optional<std::uint64_t> TokenBlockSequence::parent_of(std::size_t index) const noexcept {
  KVBM_ASSERT(index <= hashes_.size(), "no such block in this sequence");
  if (index == 0) return std::nullopt;
  return hashes_[index - 1].current();
}

BlockPlace TokenBlockSequence::place_of(std::size_t index) const noexcept {
  return {.salt = salt_, .parent = parent_of(index), .position = index};
}

TokenBlock TokenBlockSequence::block(std::size_t index) const {
  const std::span<const Token> tokens = block_tokens(index);
  return TokenBlock({tokens.begin(), tokens.end()}, place_of(index), block_hash(index), hashes_[index]);
}

std::vector<TokenBlock> TokenBlockSequence::blocks() const {
  std::vector<TokenBlock> blocks;
  blocks.reserve(hashes_.size());
  for (std::size_t i = 0; i < hashes_.size(); ++i) blocks.push_back(block(i));
  return blocks;
}

std::optional<TokenBlock> TokenBlockSequence::last_complete_block() const {
  if (hashes_.empty()) return std::nullopt;
  return block(hashes_.size() - 1);
}

PartialTokenBlock TokenBlockSequence::current_block() const {
  PartialTokenBlock partial(block_size_, place_of(hashes_.size()));
  const std::span<const Token> tokens = partial_tokens();
  partial.tokens_.assign(tokens.begin(), tokens.end());
  const std::span<const MmRun> touching =
      RunCursor(runs_, hashes_.size() * block_size_).touching(hashes_.size() * block_size_, tokens_.size());
  partial.runs_.assign(touching.begin(), touching.end());
  return partial;
}

std::pair<std::vector<TokenBlock>, PartialTokenBlock> TokenBlockSequence::into_parts() && {
  std::pair<std::vector<TokenBlock>, PartialTokenBlock> parts(blocks(), current_block());
  reset();
  return parts;
}

}  // namespace kvbm
