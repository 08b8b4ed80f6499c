#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/types.hpp"
#include "kvbm/tokens/token_sequence.hpp"

namespace kvbm::test {

/// What the KV of a token depends on: the token and all before it, and the salt.
[[nodiscard]] inline std::uint64_t kv_of(std::uint64_t before, Token token) {
  std::uint64_t mixed = (before ^ (token + 1)) * 0x9E37'79B9'7F4A'7C15u;
  return (mixed ^ (mixed >> 29)) * 0xD6E8'FEB8'6659'FD93u;
}

/// Pages as an engine sees them: what was written last into each place.
class PagedKv {
 public:
  explicit PagedKv(std::uint32_t block_size) : block_size_(block_size) {}

  void write(std::span<const BlockId> table, std::size_t position, std::uint64_t value) {
    page(table[position / block_size_])[position % block_size_] = value;
  }
  [[nodiscard]] std::uint64_t read(std::span<const BlockId> table, std::size_t position) {
    return page(table[position / block_size_])[position % block_size_];
  }
  void copy(BlockId source, BlockId target, std::uint32_t tokens) {
    for (std::uint32_t i = 0; i < tokens; ++i) page(target)[i] = page(source)[i];
  }

 private:
  std::vector<std::uint64_t>& page(BlockId id) {
    std::vector<std::uint64_t>& page = pages_[id];
    page.resize(block_size_);
    return page;
  }

  std::uint32_t block_size_;
  std::map<BlockId, std::vector<std::uint64_t>> pages_;
};

/// One request by the rules as they are written down, with plain numbers instead of blocks.
struct SequenceModel {
  std::uint32_t block_size = 4;
  std::uint64_t salt = 0;
  std::vector<Token> tokens;
  std::size_t input = 0;
  std::size_t output_max = 0;
  std::size_t generated = 0;

  std::size_t prefill_position = 0;
  std::size_t prefill_end = 0;
  std::size_t kv = 0;
  std::size_t assigned = 0;
  std::size_t held = 0;  // assigned ones too

  enum class Step { None, Prefill, Decode, Speculative };
  Step step = Step::None;
  std::size_t step_tokens = 0;
  std::size_t step_blocks = 0;

  [[nodiscard]] std::size_t complete() const { return tokens.size() / block_size; }
  [[nodiscard]] std::size_t remaining() const { return output_max - generated; }
  [[nodiscard]] std::size_t blocks_for(std::size_t count) const { return (count + block_size - 1) / block_size; }
  [[nodiscard]] std::vector<SequenceHash> hashes() const {
    const TokenBlockSequence sequence(tokens, {.block_size = block_size, .salt = salt});
    return {sequence.hashes().begin(), sequence.hashes().end()};
  }
  [[nodiscard]] std::vector<std::uint64_t> kvs() const {
    std::vector<std::uint64_t> values;
    std::uint64_t before = salt;
    for (const Token token : tokens) values.push_back(before = kv_of(before, token));
    return values;
  }
  [[nodiscard]] bool may_prefill(std::size_t count) const {
    return step == Step::None && prefill_position < prefill_end && count <= prefill_end - prefill_position;
  }
  [[nodiscard]] bool may_generate() const {
    return step == Step::None && prefill_position >= prefill_end && remaining() > 0 && tokens.size() - kv == 1;
  }

  /// Blocks that a step takes on top of those held.
  [[nodiscard]] std::size_t shortfall(std::size_t blocks) const { return blocks - std::min(blocks, held); }
  void schedule(Step kind, std::size_t count, std::size_t blocks) {
    step = kind;
    step_tokens = count;
    step_blocks = blocks;
    held += blocks;
  }
  void revert() {
    held -= step_blocks;
    step = Step::None;
  }

  void match(std::size_t blocks) {
    assigned = held = blocks;
    prefill_position = kv = blocks == 0 ? 0 : std::min(blocks * block_size, tokens.size() - 1);
  }
  void release() {
    assigned = held = prefill_position = kv = 0;
    prefill_end = tokens.size();
  }
  void append(std::span<const Token> more) {
    tokens.insert(tokens.end(), more.begin(), more.end());
    generated += more.size();
  }
  /// `emitted`: what came out of the step.
  void apply(std::span<const Token> emitted) {
    const bool prefill = step == Step::Prefill;
    kv += prefill ? step_tokens : emitted.size();
    if (prefill) prefill_position = kv;
    append(emitted);
    assigned = std::max(assigned, kv / block_size);
    if (step == Step::Speculative) {
      held = std::min(held, remaining() == 0 ? assigned : std::max(complete(), assigned) + 1);
    }
    step = Step::None;
  }
  void drop(std::size_t count) {
    const std::size_t dropped = std::min(count, held - assigned);
    held -= dropped;
    if (dropped == 0 || kv <= held * block_size) return;
    prefill_position = kv = held * block_size;
    prefill_end = tokens.size();
  }
};

}  // namespace kvbm::test
