#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "kvbm/tokens/block_hash.hpp"

namespace kvbm {

/// Where a schedulable sequence stands between two calls: idle, or with a step that is on its way through the model.
struct Idle {
  friend bool operator==(const Idle&, const Idle&) = default;
};
struct PrefillScheduled {
  std::size_t num_tokens = 0;
  std::uint32_t blocks_allocated = 0;
  friend bool operator==(const PrefillScheduled&, const PrefillScheduled&) = default;
};
struct DecodeScheduled {
  std::uint32_t blocks_allocated = 0;
  friend bool operator==(const DecodeScheduled&, const DecodeScheduled&) = default;
};
struct SpeculativeScheduled {
  std::size_t num_tokens = 0;  ///< drafts, at most as many as may still be generated
  std::uint32_t blocks_allocated = 0;
  friend bool operator==(const SpeculativeScheduled&, const SpeculativeScheduled&) = default;
};
using SequenceState = std::variant<Idle, PrefillScheduled, DecodeScheduled, SpeculativeScheduled>;

/// "Idle", "PrefillScheduled(8 tokens, 2 blocks)".
[[nodiscard]] std::string text_of(const SequenceState& state);

enum class DecodeOutcome : std::uint8_t { Continue, BlockCompleted, MaxLength, BlockCompletedAndMaxLength };

[[nodiscard]] constexpr DecodeOutcome decode_outcome(bool block_completed, bool max_length) noexcept {
  if (block_completed) return max_length ? DecodeOutcome::BlockCompletedAndMaxLength : DecodeOutcome::BlockCompleted;
  return max_length ? DecodeOutcome::MaxLength : DecodeOutcome::Continue;
}

/// Why a step was not scheduled. State, blocks and positions are as before.
struct ScheduleError {
  struct NotIdle {
    SequenceState state;
    friend bool operator==(const NotIdle&, const NotIdle&) = default;
  };
  struct PrefillOverrun {
    std::size_t position = 0;
    std::size_t num_tokens = 0;
    std::size_t num_input_tokens = 0;  ///< where prefill ends: after a preemption, behind the generated tokens
    friend bool operator==(const PrefillOverrun&, const PrefillOverrun&) = default;
  };
  struct PrefillComplete {
    friend bool operator==(const PrefillComplete&, const PrefillComplete&) = default;
  };
  struct PrefillNotComplete {
    std::size_t position = 0;
    std::size_t num_input_tokens = 0;
    friend bool operator==(const PrefillNotComplete&, const PrefillNotComplete&) = default;
  };
  struct AllocationFailed {
    std::uint32_t needed = 0;  ///< blocks asked for
    friend bool operator==(const AllocationFailed&, const AllocationFailed&) = default;
  };
  struct GenerationComplete {
    std::size_t generated = 0;
    std::size_t max_output = 0;
    friend bool operator==(const GenerationComplete&, const GenerationComplete&) = default;
  };
  /// Decoding computes the one token that has no KV yet; there are more, or none.
  struct WrongDanglingCount {
    std::size_t expected = 1;
    std::size_t actual = 0;
    friend bool operator==(const WrongDanglingCount&, const WrongDanglingCount&) = default;
  };

  std::variant<NotIdle, PrefillOverrun, PrefillComplete, PrefillNotComplete, AllocationFailed, GenerationComplete,
               WrongDanglingCount>
      what;

  template <class Reason>
  [[nodiscard]] const Reason* get_if() const noexcept {
    return std::get_if<Reason>(&what);
  }
  [[nodiscard]] std::string text() const;
  friend bool operator==(const ScheduleError&, const ScheduleError&) = default;
};

/// Why the outcome of a step was not taken. State, blocks, tokens and positions are as before.
struct ApplyError {
  struct WrongState {
    std::string_view expected;  ///< "Idle", "PrefillScheduled", ..., "any Scheduled state"
    SequenceState actual;
    friend bool operator==(const WrongState&, const WrongState&) = default;
  };
  struct TokenOnNonFinalChunk {
    friend bool operator==(const TokenOnNonFinalChunk&, const TokenOnNonFinalChunk&) = default;
  };
  struct MissingTokenOnFinalChunk {
    friend bool operator==(const MissingTokenOnFinalChunk&, const MissingTokenOnFinalChunk&) = default;
  };
  struct AcceptedExceedsScheduled {
    std::size_t accepted = 0;
    std::size_t scheduled = 0;
    friend bool operator==(const AcceptedExceedsScheduled&, const AcceptedExceedsScheduled&) = default;
  };
  struct AppendExceedsRemaining {
    std::size_t requested = 0;
    std::size_t remaining = 0;
    friend bool operator==(const AppendExceedsRemaining&, const AppendExceedsRemaining&) = default;
  };

  std::variant<WrongState, TokenOnNonFinalChunk, MissingTokenOnFinalChunk, AcceptedExceedsScheduled,
               AppendExceedsRemaining>
      what;

  template <class Reason>
  [[nodiscard]] const Reason* get_if() const noexcept {
    return std::get_if<Reason>(&what);
  }
  [[nodiscard]] std::string text() const;
  friend bool operator==(const ApplyError&, const ApplyError&) = default;
};

}  // namespace kvbm
