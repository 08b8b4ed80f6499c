#include "kvbm/sequence/sequence_schedule.hpp"

#include <algorithm>

namespace kvbm {
namespace {

std::size_t tail_of(const RequestTokens& tokens, std::size_t kv_position) noexcept {
  return tokens.total() - std::min(tokens.total(), kv_position);
}

}  // namespace

Result<void, ScheduleError> SequenceSchedule::require_idle() const {
  if (!is_idle()) return fail(ScheduleError{ScheduleError::NotIdle{state_}});
  return {};
}

Result<void, ApplyError> SequenceSchedule::require_idle_to_apply() const {
  if (!is_idle()) return fail(ApplyError{ApplyError::WrongState{"Idle", state_}});
  return {};
}

Result<void, ScheduleError> SequenceSchedule::check_fork(const RequestTokens& tokens) const {
  if (auto idle = require_idle(); !idle) return idle;
  if (!tokens.is_complete()) return {};
  return fail(ScheduleError{ScheduleError::GenerationComplete{tokens.generated(), tokens.output_max()}});
}

Result<std::uint32_t, ScheduleError> SequenceSchedule::plan_prefill(const RequestTokens& tokens,
                                                                    std::size_t num_tokens) const {
  if (auto idle = require_idle(); !idle) return fail(idle.error());
  if (is_prefill_complete()) return fail(ScheduleError{ScheduleError::PrefillComplete{}});
  if (num_tokens > prefill_end_ - prefill_position_) {
    return fail(ScheduleError{ScheduleError::PrefillOverrun{prefill_position_, num_tokens, prefill_end_}});
  }
  return tokens.blocks_for(prefill_position_ + num_tokens);
}

Result<void, ScheduleError> SequenceSchedule::check_generation(const RequestTokens& tokens) const {
  if (auto idle = require_idle(); !idle) return idle;
  if (!is_prefill_complete()) {
    return fail(ScheduleError{ScheduleError::PrefillNotComplete{prefill_position_, prefill_end_}});
  }
  if (tokens.is_complete()) {
    return fail(ScheduleError{ScheduleError::GenerationComplete{tokens.generated(), tokens.output_max()}});
  }
  const std::size_t tail = tail_of(tokens, kv_position_);
  if (tail != 1) return fail(ScheduleError{ScheduleError::WrongDanglingCount{1, tail}});
  return {};
}

Result<std::uint32_t, ScheduleError> SequenceSchedule::plan_decode(const RequestTokens& tokens) const {
  if (auto possible = check_generation(tokens); !possible) return fail(possible.error());
  return tokens.complete_blocks() + 1;
}

Result<SequenceSchedule::Speculation, ScheduleError> SequenceSchedule::plan_speculative(const RequestTokens& tokens,
                                                                                        std::size_t num_tokens) const {
  if (auto possible = check_generation(tokens); !possible) return fail(possible.error());
  const std::size_t clamped = std::min(num_tokens, tokens.remaining());
  return Speculation{clamped, tokens.blocks_for(tokens.total() + clamped)};
}

template <class State>
Result<State, ApplyError> SequenceSchedule::in(std::string_view expected) const {
  if (const State* state = std::get_if<State>(&state_)) return *state;
  return fail(ApplyError{ApplyError::WrongState{expected, state_}});
}

Result<PrefillScheduled, ApplyError> SequenceSchedule::check_prefill(const RequestTokens& tokens,
                                                                     bool with_token) const {
  const auto scheduled = in<PrefillScheduled>("PrefillScheduled");
  if (!scheduled) return scheduled;
  const bool is_final = prefill_position_ + scheduled->num_tokens >= prefill_end_;
  if (with_token && !is_final) return fail(ApplyError{ApplyError::TokenOnNonFinalChunk{}});
  if (with_token && tokens.is_complete()) return fail(ApplyError{ApplyError::AppendExceedsRemaining{1, 0}});
  if (!with_token && is_final && !tokens.is_complete()) {
    return fail(ApplyError{ApplyError::MissingTokenOnFinalChunk{}});
  }
  return scheduled;
}

Result<DecodeScheduled, ApplyError> SequenceSchedule::check_decode() const {
  return in<DecodeScheduled>("DecodeScheduled");
}

Result<SpeculativeScheduled, ApplyError> SequenceSchedule::check_speculative(std::size_t accepted) const {
  const auto scheduled = in<SpeculativeScheduled>("SpeculativeScheduled");
  if (!scheduled || accepted <= scheduled->num_tokens) return scheduled;
  return fail(ApplyError{ApplyError::AcceptedExceedsScheduled{accepted, scheduled->num_tokens}});
}

Result<std::uint32_t, ApplyError> SequenceSchedule::check_revert() const {
  if (const auto* prefill = std::get_if<PrefillScheduled>(&state_)) return prefill->blocks_allocated;
  if (const auto* decode = std::get_if<DecodeScheduled>(&state_)) return decode->blocks_allocated;
  if (const auto* speculative = std::get_if<SpeculativeScheduled>(&state_)) return speculative->blocks_allocated;
  return fail(ApplyError{ApplyError::WrongState{"any Scheduled state", state_}});
}

Result<void, ApplyError> SequenceSchedule::check_append(const RequestTokens& tokens, std::size_t count) const {
  if (auto idle = require_idle_to_apply(); !idle) return idle;
  if (count <= tokens.remaining()) return {};
  return fail(ApplyError{ApplyError::AppendExceedsRemaining{count, tokens.remaining()}});
}

void SequenceSchedule::prefilled(std::size_t num_tokens) noexcept {
  prefill_position_ += num_tokens;
  kv_position_ = prefill_position_;
  state_ = Idle{};
}

void SequenceSchedule::decoded(std::size_t num_tokens) noexcept {
  kv_position_ += num_tokens;
  state_ = Idle{};
}

void SequenceSchedule::matched(const RequestTokens& tokens, std::size_t cached) noexcept {
  if (cached == 0) return;
  prefill_position_ += cached;
  if (leave_one_to_compute_) prefill_position_ = std::min(prefill_position_, tokens.total() - 1);
  kv_position_ = prefill_position_;
}

void SequenceSchedule::released(const RequestTokens& tokens) noexcept {
  if (publication_ == Publication::WhenTokensKnown) return;
  prefill_position_ = kv_position_ = 0;
  prefill_end_ = tokens.total();
}

void SequenceSchedule::reacquired(const RequestTokens& tokens, std::size_t cached) noexcept {
  if (publication_ == Publication::WhenTokensKnown) return;
  released(tokens);
  matched(tokens, cached);
}

void SequenceSchedule::shortened(const RequestTokens& tokens, std::size_t blocks) noexcept {
  const std::size_t left = blocks * tokens.block_size();
  if (publication_ == Publication::WhenTokensKnown || kv_position_ <= left) return;
  prefill_position_ = kv_position_ = left;
  prefill_end_ = tokens.total();
}

std::size_t SequenceSchedule::publishable(const RequestTokens& tokens) const noexcept {
  if (publication_ == Publication::WhenTokensKnown) return tokens.complete_blocks();
  return kv_position_ / tokens.block_size();
}

std::uint32_t SequenceSchedule::worth_keeping(const RequestTokens& tokens, std::size_t assigned) const noexcept {
  if (tokens.is_complete()) return static_cast<std::uint32_t>(assigned);
  return std::max(tokens.complete_blocks(), static_cast<std::uint32_t>(assigned)) + 1;
}

}  // namespace kvbm
