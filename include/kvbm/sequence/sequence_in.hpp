#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/result.hpp"
#include "kvbm/sequence/schedulable_sequence.hpp"

namespace kvbm {

/// A refused step: why, and the sequence itself, unchanged.
template <class Sequence, class E>
struct [[nodiscard]] RefusedSequence {
  E error;
  Sequence sequence;
};

/// A schedulable sequence whose state is known when compiling: `State` is Idle, PrefillScheduled, DecodeScheduled or
/// SpeculativeScheduled. A step consumes it and returns it in its next state, so that what the state does not allow
/// does not compile; what remains to be refused depends on positions and room.
///
/// Made by   itself, of an idle sequence.
/// Becomes   the sequence in the next state; SchedulableSequence again through into_sequence().
/// Threads   one at a time.
template <class State, class Tier>
class [[nodiscard]] SequenceIn {
 public:
  using Sequence = SchedulableSequence<Tier>;
  using IdleSequence = SequenceIn<Idle, Tier>;
  static constexpr bool kIdle = std::same_as<State, Idle>;

  template <class Next>
  using Scheduled = Result<SequenceIn<Next, Tier>, RefusedSequence<SequenceIn, ScheduleError>>;
  /// An idle sequence and how the step ended.
  struct Applied;
  using AppliedOrRefused = Result<Applied, RefusedSequence<SequenceIn, ApplyError>>;

  /// Being in another state is a bug: it aborts.
  explicit SequenceIn(Sequence sequence) : sequence_(std::move(sequence)) {
    KVBM_ASSERT(std::holds_alternative<State>(sequence_.state()), "the sequence is in another state");
  }

  template <BlockSource<Tier> Source>
  std::size_t match_and_add_prefix(Source& source) requires kIdle {
    return *sequence_.match_and_add_prefix(source);
  }

  template <BlockSource<Tier> Source>
      [[nodiscard]] Scheduled<PrefillScheduled> schedule_prefill(std::size_t num_tokens, Source& source) && requires
      kIdle {
    return next<PrefillScheduled>(sequence_.schedule_prefill(num_tokens, source));
  }
  template <BlockSource<Tier> Source>
      [[nodiscard]] Scheduled<DecodeScheduled> schedule_decode(Source& source) && requires kIdle {
    return next<DecodeScheduled>(sequence_.schedule_decode(source));
  }
  template <BlockSource<Tier> Source>
      [[nodiscard]] Scheduled<SpeculativeScheduled> schedule_speculative(std::size_t num_tokens, Source& source) &&
      requires kIdle {
    return next<SpeculativeScheduled>(sequence_.schedule_speculative(num_tokens, source));
  }

  template <BlockSource<Tier> Source>
      [[nodiscard]] Result<IdleSequence, RefusedSequence<SequenceIn, ApplyError>>
      apply(std::optional<Token> token, Source& source) && requires std::same_as<State, PrefillScheduled> {
    if (auto applied = sequence_.apply_prefill(token, source); !applied) return refused(applied.error());
    return IdleSequence(std::move(sequence_));
  }
  template <BlockSource<Tier> Source>
      [[nodiscard]] AppliedOrRefused apply(Token token, Source& source) && requires
      std::same_as<State, DecodeScheduled> {
    return applied(sequence_.apply_decode(token, source));
  }
  template <BlockSource<Tier> Source>
      [[nodiscard]] AppliedOrRefused apply(std::span<const Token> accepted, Source& source) && requires
      std::same_as<State, SpeculativeScheduled> {
    return applied(sequence_.apply_speculative(accepted, source));
  }
  [[nodiscard]] IdleSequence revert() && requires(!kIdle) {
    static_cast<void>(sequence_.revert_schedule());
    return IdleSequence(std::move(sequence_));
  }

  void release() requires kIdle { static_cast<void>(sequence_.release()); }
  template <BlockSource<Tier> Source>
  [[nodiscard]] bool reacquire(Source& source) requires kIdle {
    return *sequence_.reacquire(source);
  }

  /// All that can be asked of it.
  [[nodiscard]] const Sequence& operator*() const noexcept { return sequence_; }
  [[nodiscard]] const Sequence* operator->() const noexcept { return &sequence_; }
  [[nodiscard]] const State& state() const noexcept { return std::get<State>(sequence_.state()); }
  [[nodiscard]] Sequence into_sequence() && { return std::move(sequence_); }

 private:
  template <class E>
  [[nodiscard]] auto refused(const E& error) {
    return fail(RefusedSequence<SequenceIn, E>{error, std::move(*this)});
  }
  template <class Next>
  [[nodiscard]] Scheduled<Next> next(const Result<void, ScheduleError>& scheduled) {
    if (!scheduled) return refused(scheduled.error());
    return SequenceIn<Next, Tier>(std::move(sequence_));
  }
  [[nodiscard]] AppliedOrRefused applied(const Result<DecodeOutcome, ApplyError>& outcome);

  Sequence sequence_;
};

template <class State, class Tier>
struct SequenceIn<State, Tier>::Applied {
  IdleSequence sequence;
  DecodeOutcome outcome;
};

template <class State, class Tier>
typename SequenceIn<State, Tier>::AppliedOrRefused SequenceIn<State, Tier>::applied(
    const Result<DecodeOutcome, ApplyError>& outcome) {
  if (!outcome) return refused(outcome.error());
  return Applied{IdleSequence(std::move(sequence_)), *outcome};
}

}  // namespace kvbm
