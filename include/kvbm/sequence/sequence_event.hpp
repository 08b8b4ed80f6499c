#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "kvbm/sequence/sequence_state.hpp"

namespace kvbm {

/// What became of a schedulable sequence. The three Scheduled states are events too.
struct SequenceCreated {
  std::size_t num_input_tokens = 0;
  std::size_t max_output_tokens = 0;
  std::uint32_t block_size = 0;
  friend bool operator==(const SequenceCreated&, const SequenceCreated&) = default;
};
struct PrefixMatched {
  std::size_t blocks_matched = 0;
  friend bool operator==(const PrefixMatched&, const PrefixMatched&) = default;
};
struct PrefillApplied {
  std::size_t num_tokens = 0;
  std::size_t blocks_registered = 0;
  bool token_emitted = false;
  friend bool operator==(const PrefillApplied&, const PrefillApplied&) = default;
};
struct DecodeApplied {
  Token token = 0;
  bool block_completed = false;  ///< the token was the last of its block
  friend bool operator==(const DecodeApplied&, const DecodeApplied&) = default;
};
struct SpeculativeApplied {
  std::size_t accepted = 0;
  std::size_t scheduled = 0;
  std::size_t blocks_released = 0;
  friend bool operator==(const SpeculativeApplied&, const SpeculativeApplied&) = default;
};
struct ScheduleReverted {
  std::size_t blocks_released = 0;
  friend bool operator==(const ScheduleReverted&, const ScheduleReverted&) = default;
};
struct UnassignedDropped {
  std::size_t count = 0;  ///< at least 1
  friend bool operator==(const UnassignedDropped&, const UnassignedDropped&) = default;
};
struct SequenceReleased {
  friend bool operator==(const SequenceReleased&, const SequenceReleased&) = default;
};
struct SequenceReacquired {
  std::size_t prefix_matched = 0;  ///< after a failure, that of an earlier match
  bool success = false;
  friend bool operator==(const SequenceReacquired&, const SequenceReacquired&) = default;
};

using SequenceEvent = std::variant<SequenceCreated, PrefixMatched, PrefillScheduled, PrefillApplied, DecodeScheduled,
                                   DecodeApplied, SpeculativeScheduled, SpeculativeApplied, ScheduleReverted,
                                   UnassignedDropped, SequenceReleased, SequenceReacquired>;

/// Is told what becomes of sequences.
///
/// Threads  called by the thread that drives the sequence, after the change and with no lock of kvbm held; sequences on
///          different threads may share one delegate.
class SequenceDelegate {
 public:
  virtual ~SequenceDelegate() = default;
  virtual void on_event(const SequenceEvent& event) noexcept = 0;
};

}  // namespace kvbm
