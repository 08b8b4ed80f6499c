#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/result.hpp"
#include "kvbm/sequence/block_source.hpp"
#include "kvbm/sequence/logical_block_assignments.hpp"
#include "kvbm/sequence/request_tokens.hpp"
#include "kvbm/sequence/sequence_options.hpp"

namespace kvbm {

/// The first `tokens` tokens of page `source` are to be copied to page `target`.
struct TailCopy {
  BlockId source = 0;
  BlockId target = 0;
  std::uint32_t tokens = 0;
  friend bool operator==(const TailCopy&, const TailCopy&) = default;
};

/// One request: its tokens, the blocks that hold them, and counters. What happens when is left to the caller; see
/// SchedulableSequence for one that knows.
///
/// Threads   one at a time.
/// Lifetime  may outlive the manager; dropped, it gives back all blocks.
/// Errors    a source whose blocks have another size, or that is not the one the blocks came from, is a bug: it aborts.
///           std::bad_alloc, and what a source throws, as LogicalBlockAssignments says.
/// Cost      each call costs by the tokens and blocks that change, whatever the length.
template <class Tier>
class RequestSequence {
 public:
  using Assignments = LogicalBlockAssignments<Tier>;
  using ImmutableRun = typename Assignments::ImmutableRun;
  using Error = LogicalBlockAssignmentError<Tier>;

  RequestSequence(std::vector<Token> tokens, const SequenceOptions& options)
      : tokens_(std::move(tokens), options), assignments_(options.assigned_id), publication_(options.publication) {
    assignments_.reserve(tokens_.expected_blocks());
  }

  /// Takes the longest cached prefix of the complete blocks. Returns how many blocks. Holding blocks already is a bug.
  /// Errors  SequenceHashMismatch, if the source found something else.
  template <BlockSource<Tier> Source>
  Result<std::size_t, Error> match_and_add_prefix(Source& source) {
    check(source);
    return add_prefix(source.match_blocks(hashes()));
  }
  /// The same with a prefix that was matched before, for instance while it was being brought from a lower tier. More
  /// blocks than are complete is a bug.
  Result<std::size_t, Error> add_prefix(ImmutableRun matched) {
    KVBM_ASSERT(assignments_.empty(), "a prefix is added to a sequence that holds blocks");
    KVBM_ASSERT(matched.size() <= num_blocks(), "more blocks were matched than asked for");
    for (std::uint32_t i = 0; i < matched.size(); ++i) {
      if (matched.hash(i) == hashes()[i]) continue;
      const SequenceHash actual = matched.hash(i);
      return fail(Error{typename Error::SequenceHashMismatch{i, hashes()[i], actual, std::move(matched)}});
    }
    const std::size_t count = assignments_.adopt(std::move(matched));  // different hashes: no block twice
    prefix_matched_ = count;
    return count;
  }

  /// Takes `count` empty blocks, all or none.
  template <BlockSource<Tier> Source>
  [[nodiscard]] bool allocate_blocks(std::uint32_t count, Source& source) {
    if (count == 0) return true;
    check(source);
    auto blocks = source.allocate(count);
    if (!blocks) return false;
    // Empty blocks are ours alone, so they can be here already only under the id of one that was given back.
    if (assigned_id() == AssignedId::Candidate) return assignments_.extend_blocks(std::move(*blocks)).has_value();
    assignments_.adopt(std::move(*blocks));
    return true;
  }

  /// Names the blocks that are full of tokens, up to block `limit`, as far as there are unassigned ones.
  void stage_pending(std::size_t limit = SIZE_MAX) {
    const std::size_t begin = assigned_blocks() + staged_blocks();
    const std::size_t end = std::min<std::size_t>(num_blocks(), limit);
    if (begin >= end) return;
    const auto staged = assignments_.stage(hashes().subspan(begin, end - begin), block_size());
    KVBM_ASSERT(staged.has_value(), "the blocks of the source have another size than the sequence's");
  }
  template <BlockSource<Tier> Source>
  std::size_t register_staged(Source& source) {
    check(source);
    return assignments_.register_staged(source);
  }
  /// Both. Returns how many were registered.
  template <BlockSource<Tier> Source>
  std::size_t complete_and_register_pending(Source& source, std::size_t limit = SIZE_MAX) {
    stage_pending(limit);
    return assignments_.staged_count() == 0 ? 0 : register_staged(source);
  }

  /// Appends a generated token. Returns the index of the block that it completed. More than max_output_tokens is a bug.
  std::optional<std::size_t> append_token(Token token) { return tokens_.append(token); }
  /// The same for several. Returns whether they completed any block.
  bool append_tokens(std::span<const Token> tokens) { return tokens_.append(tokens); }

  /// Gives all blocks back; tokens and counters stay.
  void release() noexcept { assignments_.clear(); }
  /// Takes blocks for all complete ones again: what is cached, and empty ones for the rest; all or none. Holding blocks
  /// already is a bug. Publication::WhenTokensKnown registers the empty ones at once, as the reference does.
  template <BlockSource<Tier> Source>
  [[nodiscard]] bool reacquire(Source& source) {
    check(source);
    return reacquire(source, source.match_blocks(hashes()));
  }
  /// The same with a prefix that was matched before.
  template <BlockSource<Tier> Source>
  [[nodiscard]] bool reacquire(Source& source, ImmutableRun matched) {
    const std::size_t before = prefix_matched_;
    const bool taken = add_prefix(std::move(matched)).has_value() &&
                       allocate_blocks(num_blocks() - static_cast<std::uint32_t>(assigned_blocks()), source);
    prefix_matched_ = taken ? assigned_blocks() : before;
    if (!taken) {
      release();
    } else if (publication_ == Publication::WhenTokensKnown) {
      complete_and_register_pending(source);
    }
    return taken;
  }
  /// Gives the last unassigned blocks back until `keep` are left. Returns how many.
  std::size_t drop_excess_unassigned(std::size_t keep) {
    return assignments_.drop_unassigned(static_cast<std::uint32_t>(std::min<std::size_t>(keep, unassigned_blocks())));
  }

  struct Fork;
  /// A second request with the same tokens, of which the first `computed` have their KV. It holds the same assigned
  /// blocks, and a block of its own for computed tokens behind them, which are to be copied. Nothing if there is none.
  /// Precondition: less than a block of tokens is computed but not assigned.
  template <BlockSource<Tier> Source>
  [[nodiscard]] std::optional<Fork> fork(std::size_t computed, Source& source) const;

  [[nodiscard]] std::size_t generated_tokens() const noexcept { return tokens_.generated(); }
  [[nodiscard]] std::size_t max_output_tokens() const noexcept { return tokens_.output_max(); }
  [[nodiscard]] std::size_t remaining_tokens() const noexcept { return tokens_.remaining(); }
  [[nodiscard]] bool is_complete() const noexcept { return tokens_.is_complete(); }
  [[nodiscard]] std::size_t num_input_tokens() const noexcept { return tokens_.input(); }
  [[nodiscard]] std::size_t total_tokens() const noexcept { return tokens_.total(); }
  [[nodiscard]] std::uint32_t block_size() const noexcept { return tokens_.block_size(); }
  /// Blocks that are full of tokens.
  [[nodiscard]] std::uint32_t num_blocks() const noexcept { return tokens_.complete_blocks(); }
  [[nodiscard]] std::uint32_t complete_sequence_blocks() const noexcept { return num_blocks(); }
  [[nodiscard]] std::size_t assigned_blocks() const noexcept { return assignments_.assigned_count(); }
  [[nodiscard]] std::size_t staged_blocks() const noexcept { return assignments_.staged_count(); }
  [[nodiscard]] std::size_t unassigned_blocks() const noexcept { return assignments_.unassigned_count(); }
  /// By the last match that succeeded, whether or not its blocks are still held.
  [[nodiscard]] std::size_t prefix_matched_blocks() const noexcept { return prefix_matched_; }
  [[nodiscard]] std::size_t new_tokens_for_prefill() const noexcept {
    return total_tokens() - std::min(total_tokens(), prefix_matched_ * block_size());
  }
  [[nodiscard]] std::span<const SequenceHash> hashes() const noexcept { return sequence().hashes(); }
  [[nodiscard]] const BlockSequence& sequence() const noexcept { return tokens_.sequence(); }
  [[nodiscard]] const RequestTokens& tokens() const noexcept { return tokens_; }
  [[nodiscard]] const Assignments& assignments() const noexcept { return assignments_; }
  [[nodiscard]] Publication publication() const noexcept { return publication_; }
  /// The page table: block ids by position. Good until the sequence changes.
  [[nodiscard]] std::span<const BlockId> page_indices() const noexcept { return assignments_.table().ids(); }

 private:
  RequestSequence(const RequestTokens& tokens, Assignments assignments, const RequestSequence& original)
      : tokens_(tokens),
        assignments_(std::move(assignments)),
        publication_(original.publication_),
        prefix_matched_(original.prefix_matched_) {
    assignments_.reserve(tokens_.expected_blocks());
  }
  template <class Source>
  void check(const Source& source) const {
    KVBM_ASSERT(source.tokens_per_block() == block_size(), "the source's blocks have another size than the sequence's");
  }
  [[nodiscard]] AssignedId assigned_id() const noexcept { return assignments_.assigned_id_; }

  RequestTokens tokens_;
  Assignments assignments_;
  Publication publication_;
  std::size_t prefix_matched_ = 0;
};

template <class Tier>
struct RequestSequence<Tier>::Fork {
  RequestSequence sequence;
  std::optional<TailCopy> copy;
};

template <class Tier>
template <BlockSource<Tier> Source>
std::optional<typename RequestSequence<Tier>::Fork> RequestSequence<Tier>::fork(std::size_t computed,
                                                                                Source& source) const {
  const std::size_t assigned_tokens = assigned_blocks() * block_size();
  const std::size_t tail = computed - std::min(computed, assigned_tokens);
  KVBM_ASSERT(tail < block_size(), "a whole block is computed but not assigned");
  KVBM_ASSERT(tail == 0 || unassigned_blocks() != 0, "computed tokens lie in no block");
  RequestSequence twin(tokens_, assignments_.share_assigned(), *this);
  if (tail == 0) return Fork{std::move(twin), std::nullopt};
  if (!twin.allocate_blocks(1, source)) return std::nullopt;
  const TailCopy copy{page_indices()[assigned_blocks()], twin.page_indices()[assigned_blocks()],
                      static_cast<std::uint32_t>(tail)};
  return Fork{std::move(twin), copy};
}

}  // namespace kvbm
