#include "kvbm/sequence/block_sequence.hpp"

#include <stdexcept>

#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

const TokenSequenceOptions& checked(const TokenSequenceOptions& options) {
  KVBM_ASSERT(options.block_size != 0, "a sequence is cut into blocks of no tokens");
  return options;
}

struct Text {
  std::string operator()(const BlockSequenceError::OrderingViolation& error) const {
    return "block " + std::to_string(error.known_id) + " at " + std::to_string(error.known_index) +
           " is known, but the new block " + std::to_string(error.new_id) + " came before it, at " +
           std::to_string(error.first_new_index);
  }
  std::string operator()(const BlockSequenceError::PositionMismatch& error) const {
    return "block " + std::to_string(error.block_id) + " is for position " + std::to_string(error.expected) +
           ", but its hash is for position " + std::to_string(error.actual);
  }
  std::string operator()(const BlockSequenceError::DuplicateBlockId& error) const {
    return "block " + std::to_string(error.block_id) + " is named twice";
  }
  std::string operator()(const BlockSequenceError::TokenExtension& error) const {
    return "tokens were refused: " + error.reason;
  }
};

}  // namespace

std::string BlockSequenceError::text() const { return std::visit(Text(), what); }

BlockSequence::BlockSequence(std::vector<Token> tokens, const TokenSequenceOptions& options)
    : sequence_(std::move(tokens), checked(options)) {}

Result<std::optional<BlockRange>, BlockSequenceError> BlockSequence::extend_tokens(std::span<const Token> tokens) {
  try {
    return sequence_.extend(tokens);
  } catch (const std::invalid_argument& refused) {
    return fail(BlockSequenceError{BlockSequenceError::TokenExtension{refused.what()}});
  }
}

Result<std::optional<std::size_t>, BlockSequenceError> BlockSequence::append_token(Token token) {
  try {
    return sequence_.append(token);
  } catch (const std::invalid_argument& refused) {
    return fail(BlockSequenceError{BlockSequenceError::TokenExtension{refused.what()}});
  }
}

}  // namespace kvbm
