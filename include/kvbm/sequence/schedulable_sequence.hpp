#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/result.hpp"
#include "kvbm/sequence/request_sequence.hpp"
#include "kvbm/sequence/sequence_builder.hpp"
#include "kvbm/sequence/sequence_event.hpp"
#include "kvbm/sequence/sequence_schedule.hpp"

namespace kvbm {

/// One request as a scheduler sees it. A step is scheduled, which takes the blocks it needs, runs through the model,
/// and is applied, which makes findable what was computed; or it is reverted. Whatever is refused changes nothing.
///
/// Invariant  while it is idle and has not come to its end, the first kv_position() tokens have their KV in the pages
///            that page_indices() names. Pages before writable_from() are others' too and must not be written to.
/// Preempted  by release(). It starts again with match_and_add_prefix() or reacquire(), and prefill then covers all
///            tokens known, generated ones too.
/// Threads    one at a time.
/// Lifetime   may outlive the manager; dropped in any state, it gives back all blocks, and tells nobody.
/// Errors     as RequestSequence. Where a source throws while a step is applied, the sequence is released, and idle.
/// Cost       a step costs by the tokens and blocks it concerns, whatever the length. A decode step allocates nothing
///            for the first RequestTokens::kReservedTokensMax generated tokens.
template <class Tier>
class SchedulableSequence {
 public:
  using Request = RequestSequence<Tier>;
  using ImmutableRun = typename Request::ImmutableRun;
  using Builder = SequenceBuilder<Tier>;

  SchedulableSequence(std::vector<Token> tokens, const SequenceOptions& options,
                      std::shared_ptr<SequenceDelegate> delegate = nullptr)
      : request_(std::move(tokens), options), schedule_(request_.tokens(), options), delegate_(std::move(delegate)) {
    emit(SequenceCreated{num_input_tokens(), max_output_tokens(), block_size()});
  }
  [[nodiscard]] static Builder builder() { return {}; }

  /// Takes the longest cached prefix. Returns how many blocks. Holding blocks already is a bug, as is a source that
  /// finds something else.
  /// Errors  NotIdle.
  template <BlockSource<Tier> Source>
  Result<std::size_t, ScheduleError> match_and_add_prefix(Source& source) {
    if (auto idle = schedule_.require_idle(); !idle) return fail(idle.error());
    return added(request_.match_and_add_prefix(source));
  }
  /// The same with a prefix that was matched before, for instance while it was being brought from a lower tier.
  Result<std::size_t, ScheduleError> add_prefix(ImmutableRun matched) {
    if (auto idle = schedule_.require_idle(); !idle) return fail(idle.error());
    return added(request_.add_prefix(std::move(matched)));
  }

  /// The next `num_tokens` tokens of the prompt. Errors  NotIdle, PrefillComplete, PrefillOverrun, AllocationFailed.
  template <BlockSource<Tier> Source>
  Result<void, ScheduleError> schedule_prefill(std::size_t num_tokens, Source& source) {
    const auto blocks = schedule_.plan_prefill(request_.tokens(), num_tokens);
    if (!blocks) return fail(blocks.error());
    const auto allocated = acquire(*blocks, source);
    if (!allocated) return fail(allocated.error());
    return enter(PrefillScheduled{num_tokens, *allocated});
  }
  /// `token`: the output of the last chunk, absent after all others, and where nothing may be generated.
  /// Errors  WrongState, TokenOnNonFinalChunk, MissingTokenOnFinalChunk, AppendExceedsRemaining.
  template <BlockSource<Tier> Source>
  Result<void, ApplyError> apply_prefill(std::optional<Token> token, Source& source) {
    const auto scheduled = schedule_.check_prefill(request_.tokens(), token.has_value());
    if (!scheduled) return fail(scheduled.error());
    const std::size_t complete = request_.num_blocks();  // the token's block is for the step that computes it
    if (token) request_.append_token(*token);
    schedule_.prefilled(scheduled->num_tokens);
    const std::size_t registered = publish(complete, source);
    emit(PrefillApplied{scheduled->num_tokens, registered, token.has_value()});
    return {};
  }

  /// The one token that has no KV yet.
  /// Errors  NotIdle, PrefillNotComplete, GenerationComplete, WrongDanglingCount, AllocationFailed.
  template <BlockSource<Tier> Source>
  Result<void, ScheduleError> schedule_decode(Source& source) {
    const auto blocks = schedule_.plan_decode(request_.tokens());
    if (!blocks) return fail(blocks.error());
    const auto allocated = acquire(*blocks, source);
    if (!allocated) return fail(allocated.error());
    return enter(DecodeScheduled{*allocated});
  }
  /// The outcome says whether the token was the last of its block. Errors  WrongState.
  template <BlockSource<Tier> Source>
  Result<DecodeOutcome, ApplyError> apply_decode(Token token, Source& source) {
    const auto scheduled = schedule_.check_decode();
    if (!scheduled) return fail(scheduled.error());
    const bool completed = request_.append_token(token).has_value();
    schedule_.decoded(1);
    publish(request_.num_blocks(), source);
    emit(DecodeApplied{token, completed});
    return decode_outcome(completed, request_.is_complete());
  }

  /// As schedule_decode, with `num_tokens` drafts behind the token, or as many as may still be generated.
  template <BlockSource<Tier> Source>
  Result<void, ScheduleError> schedule_speculative(std::size_t num_tokens, Source& source) {
    const auto plan = schedule_.plan_speculative(request_.tokens(), num_tokens);
    if (!plan) return fail(plan.error());
    const auto allocated = acquire(plan->blocks, source);
    if (!allocated) return fail(allocated.error());
    return enter(SpeculativeScheduled{plan->num_tokens, *allocated});
  }
  /// `accepted`: all tokens that this step adds, none being well. Blocks taken for tokens that were rejected go back.
  /// Errors  WrongState, AcceptedExceedsScheduled.
  template <BlockSource<Tier> Source>
  Result<DecodeOutcome, ApplyError> apply_speculative(std::span<const Token> accepted, Source& source) {
    const auto scheduled = schedule_.check_speculative(accepted.size());
    if (!scheduled) return fail(scheduled.error());
    const bool completed = request_.append_tokens(accepted);
    schedule_.decoded(accepted.size());
    publish(request_.num_blocks(), source);
    const std::size_t released = drop_beyond(schedule_.worth_keeping(request_.tokens(), request_.assigned_blocks()));
    emit(SpeculativeApplied{accepted.size(), scheduled->num_tokens, released});
    return decode_outcome(completed, request_.is_complete());
  }

  /// Takes a scheduled step back, with the blocks that were taken for it. Errors  WrongState.
  Result<void, ApplyError> revert_schedule() {
    const auto allocated = schedule_.check_revert();
    if (!allocated) return fail(allocated.error());
    const std::size_t dropped = request_.drop_excess_unassigned(request_.unassigned_blocks() - *allocated);
    schedule_.reverted();
    emit(ScheduleReverted{dropped});
    return {};
  }

  /// Gives back up to `count` unassigned blocks, the last one first. Returns how many. Computed tokens that go with
  /// them are to be prefilled again. Not being idle is a bug.
  std::size_t drop_unassigned(std::size_t count) {
    KVBM_ASSERT(schedule_.is_idle(), "blocks of a scheduled step are given back");
    const std::size_t unassigned = request_.unassigned_blocks();
    const std::size_t dropped = request_.drop_excess_unassigned(unassigned - std::min(count, unassigned));
    if (dropped == 0) return 0;
    schedule_.shortened(request_.tokens(), request_.assignments().size());
    emit(UnassignedDropped{dropped});
    return dropped;
  }
  /// Gives all blocks back: preemption, and the end of a request that is to be kept. Errors  WrongState.
  Result<void, ApplyError> release() {
    if (auto idle = schedule_.require_idle_to_apply(); !idle) return idle;
    request_.release();
    schedule_.released(request_.tokens());
    emit(SequenceReleased{});
    return {};
  }
  /// Ends whatever is going on: takes a scheduled step back and gives all blocks back.
  void abort() {
    if (!schedule_.is_idle()) static_cast<void>(revert_schedule());
    static_cast<void>(release());
  }
  /// Takes blocks for all complete ones again, what is cached and empty ones for the rest; false if there are not
  /// enough. Holding blocks already is a bug.
  /// Errors  WrongState.
  template <BlockSource<Tier> Source>
  Result<bool, ApplyError> reacquire(Source& source) {
    if (auto idle = schedule_.require_idle_to_apply(); !idle) return fail(idle.error());
    return reacquired(request_.reacquire(source));
  }
  /// The same with a prefix that was matched before.
  template <BlockSource<Tier> Source>
  Result<bool, ApplyError> reacquire(Source& source, ImmutableRun matched) {
    if (auto idle = schedule_.require_idle_to_apply(); !idle) return fail(idle.error());
    return reacquired(request_.reacquire(source, std::move(matched)));
  }
  /// Appends generated tokens without a step. Errors  WrongState, AppendExceedsRemaining.
  Result<void, ApplyError> append_tokens(std::span<const Token> tokens) {
    if (auto possible = schedule_.check_append(request_.tokens(), tokens.size()); !possible) return possible;
    request_.append_tokens(tokens);
    return {};
  }

  struct Fork;
  /// A second sequence that goes on from here: for parallel sampling and beams. Assigned blocks are shared; the tail of
  /// computed tokens behind them is the fork's own block, to which the engine copies before it runs either sequence or
  /// lets go of this one.
  /// Errors  NotIdle, GenerationComplete, AllocationFailed: there is no fork then.
  /// Cost    copies the tokens and their hashes.
  template <BlockSource<Tier> Source>
  [[nodiscard]] Result<Fork, ScheduleError> fork(Source& source,
                                                 std::shared_ptr<SequenceDelegate> delegate = nullptr) const;

  [[nodiscard]] const SequenceState& state() const noexcept { return schedule_.state(); }
  [[nodiscard]] bool is_idle() const noexcept { return schedule_.is_idle(); }
  /// Tokens before this one need no prefill any more.
  [[nodiscard]] std::size_t prefill_position() const noexcept { return schedule_.prefill_position(); }
  /// Where prefill ends: behind the prompt, after a preemption behind all tokens known then.
  [[nodiscard]] std::size_t prefill_end() const noexcept { return schedule_.prefill_end(); }
  [[nodiscard]] bool is_prefill_complete() const noexcept { return schedule_.is_prefill_complete(); }
  /// Tokens before this one have their KV.
  [[nodiscard]] std::size_t kv_position() const noexcept { return schedule_.kv_position(); }
  /// Known tokens without KV.
  [[nodiscard]] std::size_t tail_tokens() const noexcept {
    return total_tokens() - std::min(total_tokens(), kv_position());
  }
  /// The engine writes KV from this token on; what lies before is in blocks that others may read. Beyond kv_position()
  /// if a prompt was cached whole: its last token is computed for its output, its KV is there already.
  [[nodiscard]] std::size_t writable_from() const noexcept {
    return std::max<std::size_t>(kv_position(), request_.assigned_blocks() * block_size());
  }
  /// Null if nobody is told.
  [[nodiscard]] SequenceDelegate* delegate() const noexcept { return delegate_.get(); }
  [[nodiscard]] const Request& inner() const noexcept { return request_; }

  [[nodiscard]] std::size_t generated_tokens() const noexcept { return request_.generated_tokens(); }
  [[nodiscard]] std::size_t max_output_tokens() const noexcept { return request_.max_output_tokens(); }
  [[nodiscard]] std::size_t remaining_tokens() const noexcept { return request_.remaining_tokens(); }
  [[nodiscard]] bool is_complete() const noexcept { return request_.is_complete(); }
  [[nodiscard]] std::size_t num_input_tokens() const noexcept { return request_.num_input_tokens(); }
  [[nodiscard]] std::size_t total_tokens() const noexcept { return request_.total_tokens(); }
  [[nodiscard]] std::uint32_t block_size() const noexcept { return request_.block_size(); }
  [[nodiscard]] std::uint32_t num_blocks() const noexcept { return request_.num_blocks(); }
  [[nodiscard]] std::uint32_t complete_sequence_blocks() const noexcept { return request_.num_blocks(); }
  [[nodiscard]] std::size_t assigned_blocks() const noexcept { return request_.assigned_blocks(); }
  [[nodiscard]] std::size_t staged_blocks() const noexcept { return request_.staged_blocks(); }
  [[nodiscard]] std::size_t unassigned_blocks() const noexcept { return request_.unassigned_blocks(); }
  [[nodiscard]] std::size_t prefix_matched_blocks() const noexcept { return request_.prefix_matched_blocks(); }
  [[nodiscard]] std::size_t new_tokens_for_prefill() const noexcept { return request_.new_tokens_for_prefill(); }
  [[nodiscard]] std::span<const SequenceHash> hashes() const noexcept { return request_.hashes(); }
  [[nodiscard]] const BlockSequence& sequence() const noexcept { return request_.sequence(); }
  [[nodiscard]] const LogicalBlockAssignments<Tier>& assignments() const noexcept { return request_.assignments(); }
  [[nodiscard]] std::span<const BlockId> page_indices() const noexcept { return request_.page_indices(); }

  /// For people: the type, the state and the positions.
  [[nodiscard]] std::string text() const {
    return "SchedulableSequence(" + text_of(state()) + ", prefill " + std::to_string(prefill_position()) + ", kv " +
           std::to_string(kv_position()) + ", tokens " + std::to_string(total_tokens()) + ", blocks " +
           std::to_string(assigned_blocks()) + "+" + std::to_string(staged_blocks()) + "+" +
           std::to_string(unassigned_blocks()) + ")";
  }

 private:
  SchedulableSequence(Request request, const SequenceSchedule& schedule, std::shared_ptr<SequenceDelegate> delegate)
      : request_(std::move(request)), schedule_(schedule), delegate_(std::move(delegate)) {
    emit(SequenceCreated{num_input_tokens(), max_output_tokens(), block_size()});
  }

  void emit(const SequenceEvent& event) const noexcept {
    if (delegate_ != nullptr) delegate_->on_event(event);
  }
  template <class State>
  Result<void, ScheduleError> enter(const State& state) noexcept {
    schedule_.enter(state);
    emit(state);
    return {};
  }
  Result<std::size_t, ScheduleError> added(const Result<std::size_t, typename Request::Error>& count) {
    KVBM_ASSERT(count.has_value(), "the source matched a block that the sequence does not have there");
    schedule_.matched(request_.tokens(), *count * block_size());
    emit(PrefixMatched{*count});
    return *count;
  }
  Result<bool, ApplyError> reacquired(bool success) {
    if (success) schedule_.reacquired(request_.tokens(), request_.prefix_matched_blocks() * block_size());
    emit(SequenceReacquired{request_.prefix_matched_blocks(), success});
    return success;
  }
  /// Sees to it that `blocks` blocks are held. Returns how many were allocated for that.
  template <class Source>
  Result<std::uint32_t, ScheduleError> acquire(std::uint32_t blocks, Source& source) {
    const std::uint32_t held = request_.assignments().size();
    const std::uint32_t needed = blocks - std::min(blocks, held);
    if (request_.allocate_blocks(needed, source)) return needed;
    return fail(ScheduleError{ScheduleError::AllocationFailed{needed}});
  }
  /// Registers what may be registered of the first `limit` blocks. Returns how many.
  template <class Source>
  std::size_t publish(std::size_t limit, Source& source) {
    try {
      return request_.complete_and_register_pending(source, std::min(limit, schedule_.publishable(request_.tokens())));
    } catch (...) {
      request_.release();
      schedule_.released(request_.tokens());
      throw;
    }
  }
  std::size_t drop_beyond(std::uint32_t blocks) {
    const std::size_t named = request_.assigned_blocks() + request_.staged_blocks();
    return request_.drop_excess_unassigned(blocks - std::min<std::size_t>(blocks, named));
  }

  Request request_;
  SequenceSchedule schedule_;
  std::shared_ptr<SequenceDelegate> delegate_;
};

template <class Tier>
struct SchedulableSequence<Tier>::Fork {
  SchedulableSequence sequence;
  std::optional<TailCopy> copy;  ///< what the engine has to copy
};

template <class Tier>
template <BlockSource<Tier> Source>
Result<typename SchedulableSequence<Tier>::Fork, ScheduleError> SchedulableSequence<Tier>::fork(
    Source& source, std::shared_ptr<SequenceDelegate> delegate) const {
  if (auto possible = schedule_.check_fork(request_.tokens()); !possible) return fail(possible.error());
  auto twin = request_.fork(kv_position(), source);
  if (!twin) return fail(ScheduleError{ScheduleError::AllocationFailed{1}});
  return Fork{SchedulableSequence(std::move(twin->sequence), schedule_, std::move(delegate)), twin->copy};
}

template <class Tier>
Result<SchedulableSequence<Tier>, SequenceBuildError> SequenceBuilder<Tier>::build() && {
  if (auto complete = check(); !complete) return fail(complete.error());
  return SchedulableSequence<Tier>(std::move(*tokens_), options_, std::move(delegate_));
}

}  // namespace kvbm
