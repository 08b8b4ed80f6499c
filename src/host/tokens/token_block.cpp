#include "kvbm/tokens/token_block.hpp"

#include <algorithm>
#include <utility>

#include "src/host/tokens/block_hasher.hpp"

namespace kvbm {
namespace {

SequenceHash hash_at(const BlockPlace& place, std::uint64_t block_hash) {
  const std::uint64_t current = place.parent ? chain_hash(*place.parent, block_hash) : block_hash;
  return SequenceHash(current, place.parent, place.position);
}

}  // namespace

std::string TokenBlockError::text() const {
  switch (kind) {
    case Kind::Incomplete:
      return "Incomplete: the block is not full";
    case Kind::InsufficientTokens:
      return "InsufficientTokens: there are fewer tokens than were to be removed";
    case Kind::MmInfo:
      return "MmInfo: " + (mm_info ? mm_info->text() : std::string());
    case Kind::MmRunsPresent:
      return "MmRunsPresent: a sequence with multimodal runs does not shrink";
  }
  return {};
}

TokenBlock::TokenBlock(std::vector<Token> tokens, const BlockPlace& place)
    : tokens_(std::move(tokens)),
      place_(place),
      block_hash_(kvbm::block_hash(tokens_, place.salt)),
      hash_(hash_at(place, block_hash_)) {}

PartialTokenBlock TokenBlock::next_block() const {
  return PartialTokenBlock(static_cast<std::uint32_t>(tokens_.size()),
                           {.salt = place_.salt, .parent = hash_.current(), .position = place_.position + 1});
}

PartialTokenBlock::PartialTokenBlock(std::uint32_t block_size, const BlockPlace& place)
    : block_size_(checked_block_size(block_size)), place_(place) {}

std::span<const Token> PartialTokenBlock::push(std::span<const Token> tokens) {
  const std::size_t taken = std::min(remaining(), tokens.size());
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(taken));
  return tokens.subspan(taken);
}

Result<void, TokenBlockError> PartialTokenBlock::pop(std::size_t count) {
  if (count > tokens_.size()) return fail(TokenBlockError{TokenBlockError::Kind::InsufficientTokens});
  tokens_.resize(tokens_.size() - count);
  return {};
}

Result<TokenBlock, TokenBlockError> PartialTokenBlock::commit() {
  if (remaining() != 0) return fail(TokenBlockError{TokenBlockError::Kind::Incomplete});
  const std::uint64_t content = block_hash(tokens_, place_.position * block_size_, runs_, place_.salt);
  const SequenceHash hash = hash_at(place_, content);
  TokenBlock block(std::exchange(tokens_, {}), place_, content, hash);
  runs_.clear();  // a run is pushed whole, so none reaches beyond the tokens that were here
  place_ = {.salt = place_.salt, .parent = hash.current(), .position = place_.position + 1};
  return block;
}

}  // namespace kvbm
