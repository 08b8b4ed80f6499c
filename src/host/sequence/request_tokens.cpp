#include "kvbm/sequence/request_tokens.hpp"

#include <algorithm>
#include <stdexcept>

#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

/// The prompt and as much of the output as is worth making room for.
std::size_t expected_tokens(std::size_t input, std::size_t output_max, std::size_t block_size) noexcept {
  const std::size_t expected = input + std::min(output_max, RequestTokens::kReservedTokensMax);
  const std::size_t most = static_cast<std::size_t>(SequenceHash::kPositionLimit) * block_size;
  return std::max(input, std::min(expected, most));
}

template <class T>
T taken(Result<T, BlockSequenceError> appended) {
  if (!appended) throw std::invalid_argument(appended.error().text());
  return *std::move(appended);
}

}  // namespace

RequestTokens::RequestTokens(std::vector<Token> tokens, const SequenceOptions& options)
    : input_(tokens.size()),
      output_max_(options.max_output_tokens),
      sequence_(std::move(tokens), TokenSequenceOptions{
                                       .block_size = options.block_size,
                                       .salt = options.salt,
                                       .hash_threads = options.hash_threads,
                                       .expected_tokens = expected_tokens(input_, output_max_, options.block_size),
                                   }) {}

std::optional<std::size_t> RequestTokens::append(Token token) {
  KVBM_ASSERT(generated_ < output_max_, "a request generates more tokens than it may");
  const std::optional<std::size_t> completed = taken(sequence_.append_token(token));
  ++generated_;
  return completed;
}

bool RequestTokens::append(std::span<const Token> tokens) {
  KVBM_ASSERT(tokens.size() <= remaining(), "a request generates more tokens than it may");
  const bool completed = taken(sequence_.extend_tokens(tokens)).has_value();
  generated_ += tokens.size();
  return completed;
}

std::uint32_t RequestTokens::expected_blocks() const noexcept {
  return blocks_for(expected_tokens(input_, output_max_, block_size())) + 1;
}

}  // namespace kvbm
