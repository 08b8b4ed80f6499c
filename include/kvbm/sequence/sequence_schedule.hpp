#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kvbm/base/result.hpp"
#include "kvbm/sequence/request_tokens.hpp"
#include "kvbm/sequence/sequence_options.hpp"
#include "kvbm/sequence/sequence_state.hpp"

namespace kvbm {

/// The rules of a schedulable sequence without its blocks: which step may follow, how many blocks it wants, how far the
/// KV reaches afterwards. It decides; the sequence acts and reports back.
///
/// Invariant  kv_position() <= tokens in all; prefill_position() <= kv_position() once anything is computed.
class SequenceSchedule {
 public:
  SequenceSchedule(const RequestTokens& tokens, const SequenceOptions& options) noexcept
      : prefill_end_(tokens.input()),
        publication_(options.publication),
        leave_one_to_compute_(options.leave_one_to_compute) {}

  [[nodiscard]] const SequenceState& state() const noexcept { return state_; }
  [[nodiscard]] bool is_idle() const noexcept { return std::holds_alternative<Idle>(state_); }
  [[nodiscard]] std::size_t prefill_position() const noexcept { return prefill_position_; }
  [[nodiscard]] std::size_t prefill_end() const noexcept { return prefill_end_; }
  [[nodiscard]] std::size_t kv_position() const noexcept { return kv_position_; }
  [[nodiscard]] bool is_prefill_complete() const noexcept { return prefill_position_ >= prefill_end_; }
  [[nodiscard]] Publication publication() const noexcept { return publication_; }

  Result<void, ScheduleError> require_idle() const;
  Result<void, ApplyError> require_idle_to_apply() const;
  Result<void, ScheduleError> check_fork(const RequestTokens& tokens) const;

  /// Blocks that the sequence must hold, in all phases, for the next `num_tokens` tokens of prefill.
  [[nodiscard]] Result<std::uint32_t, ScheduleError> plan_prefill(const RequestTokens& tokens,
                                                                  std::size_t num_tokens) const;
  /// The same for one decode step: room for the token to come, too.
  [[nodiscard]] Result<std::uint32_t, ScheduleError> plan_decode(const RequestTokens& tokens) const;
  /// The same for the token that has no KV yet and as many drafts as are given, cut to what may still be generated.
  struct Speculation {
    std::size_t num_tokens;
    std::uint32_t blocks;
  };
  [[nodiscard]] Result<Speculation, ScheduleError> plan_speculative(const RequestTokens& tokens,
                                                                    std::size_t num_tokens) const;
  void enter(SequenceState scheduled) noexcept { state_ = scheduled; }

  /// The state is the one a step is applied in, and the step's outcome makes sense in it.
  [[nodiscard]] Result<PrefillScheduled, ApplyError> check_prefill(const RequestTokens& tokens, bool with_token) const;
  [[nodiscard]] Result<DecodeScheduled, ApplyError> check_decode() const;
  [[nodiscard]] Result<SpeculativeScheduled, ApplyError> check_speculative(std::size_t accepted) const;
  [[nodiscard]] Result<std::uint32_t, ApplyError> check_revert() const;  ///< blocks that the step has allocated
  [[nodiscard]] Result<void, ApplyError> check_append(const RequestTokens& tokens, std::size_t count) const;

  /// A step is done, and with it `num_tokens` tokens have their KV.
  void prefilled(std::size_t num_tokens) noexcept;
  void decoded(std::size_t num_tokens) noexcept;
  void reverted() noexcept { state_ = Idle{}; }
  /// The sequence took a prefix of so many tokens.
  void matched(const RequestTokens& tokens, std::size_t cached) noexcept;
  /// The blocks went, and came back with a prefix of so many tokens. The reference's way changes no position.
  void released(const RequestTokens& tokens) noexcept;
  void reacquired(const RequestTokens& tokens, std::size_t cached) noexcept;
  /// Only so many blocks are left. Tokens in others have no KV any more. The reference's way changes no position.
  void shortened(const RequestTokens& tokens, std::size_t blocks) noexcept;

  /// How many leading blocks may be registered by now.
  [[nodiscard]] std::size_t publishable(const RequestTokens& tokens) const noexcept;
  /// How many blocks, of all phases, an idle sequence keeps after speculation: one for the token to come among them.
  [[nodiscard]] std::uint32_t worth_keeping(const RequestTokens& tokens, std::size_t assigned) const noexcept;

 private:
  [[nodiscard]] Result<void, ScheduleError> check_generation(const RequestTokens& tokens) const;
  template <class State>
  [[nodiscard]] Result<State, ApplyError> in(std::string_view expected) const;

  SequenceState state_;
  std::size_t prefill_position_ = 0;
  std::size_t prefill_end_;
  std::size_t kv_position_ = 0;
  Publication publication_;
  bool leave_one_to_compute_;
};

}  // namespace kvbm
