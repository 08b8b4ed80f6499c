#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/sequence/external_block_assignments.hpp"
#include "kvbm/sequence/schedulable_sequence.hpp"
#include "tests/support/managers.hpp"
#include "tests/support/token_chains.hpp"

namespace kvbm {

inline void PrintTo(const BlockRange& range, std::ostream* out) { *out << range.begin << ".." << range.end; }
inline void PrintTo(const SequenceState& state, std::ostream* out) { *out << text_of(state); }
inline void PrintTo(const ScheduleError& error, std::ostream* out) { *out << error.text(); }
inline void PrintTo(const ApplyError& error, std::ostream* out) { *out << error.text(); }
inline void PrintTo(const BlockSequenceError& error, std::ostream* out) { *out << error.text(); }

namespace test {

inline constexpr std::uint32_t kB = 4;  // tokens per block everywhere

using Ids = std::vector<BlockId>;

[[nodiscard]] inline Ids ids(std::span<const BlockId> ids) { return {ids.begin(), ids.end()}; }

/// A sequence of `blocks` complete blocks and `partial` tokens more.
[[nodiscard]] inline BlockSequence block_sequence(std::size_t blocks, std::size_t partial = 0) {
  return BlockSequence(counting_tokens(0, blocks * kB + partial), kB);
}

/// A run with the hashes of `hashes` in a manager, still held.
[[nodiscard]] inline BlockRun<ImmutableBlock<G1>> held(const BlockManager<G1>& manager,
                                                       std::span<const SequenceHash> hashes) {
  return registered(manager, hashes);
}

/// Makes the first `blocks` blocks of counting tokens findable and idle.
inline void make_cached(const BlockManager<G1>& manager, std::size_t blocks) {
  const BlockSequence sequence = block_sequence(blocks);
  static_cast<void>(registered(manager, sequence.hashes()));
}

[[nodiscard]] inline SequenceOptions options(std::size_t max_output_tokens) {
  return {.max_output_tokens = max_output_tokens, .block_size = kB};
}

/// Keeps all events.
class RecordingDelegate final : public SequenceDelegate {
 public:
  void on_event(const SequenceEvent& event) noexcept override { events.push_back(event); }
  std::vector<SequenceEvent> events;
};

}  // namespace test
}  // namespace kvbm
