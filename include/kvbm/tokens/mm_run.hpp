#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvbm/base/result.hpp"

namespace kvbm {

/// `length` consecutive token slots from `offset` on stand for one multimodal object; their token ids mean nothing.
/// Offsets count from the start of the sequence.
struct MmRun {
  std::uint64_t mm_hash = 0;
  std::size_t offset = 0;
  std::size_t length = 0;

  /// One past the last slot, or nothing if that overflows.
  [[nodiscard]] std::optional<std::size_t> checked_end() const noexcept;
  /// One past the last slot. An overflow is a bug: it aborts.
  [[nodiscard]] std::size_t end() const noexcept;
  /// False for every position if the end overflows.
  [[nodiscard]] bool covers(std::size_t position) const noexcept;

  friend constexpr bool operator==(const MmRun&, const MmRun&) = default;
};

/// Why a list of runs was refused. Fields that a kind does not name are 0.
struct MmInfoError {
  enum class Kind : std::uint8_t {
    EmptyRun,        ///< length 0
    OffsetOverflow,  ///< offset + length is no number: offset, length
    OutOfBounds,     ///< the end lies behind the last token: offset, length, tokens
    Overlapping,     ///< two runs share a slot: offset of the later one
  };
  Kind kind = Kind::EmptyRun;
  std::size_t offset = 0;
  std::size_t length = 0;
  std::size_t tokens = 0;

  [[nodiscard]] std::string text() const;

  friend constexpr bool operator==(const MmInfoError&, const MmInfoError&) = default;
};

/// The runs by rising offset, once each of them is found non-empty, inside `tokens` tokens and apart from the others.
/// Errors  the first fault in that order; of one run, EmptyRun before OffsetOverflow before OutOfBounds.
[[nodiscard]] Result<std::vector<MmRun>, MmInfoError> sorted_runs(std::span<const MmRun> runs, std::size_t tokens);

}  // namespace kvbm
