#pragma once

#include <cstdint>

namespace kvbm {

/// Where a block is that somebody asked to be moved to another tier.
enum class BlockProgress : std::uint8_t {
  Queued,     ///< no copy of it was submitted yet
  UnderWay,   ///< its copy is
  Completed,  ///< registered where it was to go; of an onboarding also what was there already
  Failed,     ///< its copy was refused or failed, or what it was to wait for did not come
  Skipped,    ///< evicted before its turn came, there already or on its way, or no room was left for it
  Cancelled,  ///< dropped before its copy was enqueued
};

/// How far giving up has come.
enum class CancelState : std::uint8_t {
  Active,     ///< nobody has asked for it
  Requested,  ///< some of the queue is about to be dropped
  Draining,   ///< copies under way are waited for
  Confirmed,  ///< nothing is under way, and nothing will be
};

/// How many blocks of an onboarding, or of an offloading, are where. Each is counted once.
struct TieringProgress {
  std::uint32_t queued = 0;
  std::uint32_t under_way = 0;
  std::uint32_t completed = 0;
  std::uint32_t failed = 0;
  std::uint32_t skipped = 0;
  std::uint32_t cancelled = 0;
  bool cancel_requested = false;

  [[nodiscard]] std::uint32_t remaining() const noexcept { return queued + under_way; }
  /// All that were asked for.
  [[nodiscard]] std::uint32_t passed() const noexcept { return remaining() + completed + failed + skipped + cancelled; }
  [[nodiscard]] bool partly_failed() const noexcept { return failed != 0 && completed != 0; }
  [[nodiscard]] CancelState cancel() const noexcept {
    if (!cancel_requested) return CancelState::Active;
    if (queued != 0) return CancelState::Requested;
    return under_way != 0 ? CancelState::Draining : CancelState::Confirmed;
  }
  /// The count of those that are there.
  [[nodiscard]] std::uint32_t& of(BlockProgress progress) noexcept;

  friend bool operator==(const TieringProgress&, const TieringProgress&) = default;
};

inline std::uint32_t& TieringProgress::of(BlockProgress progress) noexcept {
  switch (progress) {
    case BlockProgress::Queued:
      return queued;
    case BlockProgress::UnderWay:
      return under_way;
    case BlockProgress::Completed:
      return completed;
    case BlockProgress::Failed:
      return failed;
    case BlockProgress::Skipped:
      return skipped;
    case BlockProgress::Cancelled:
      break;
  }
  return cancelled;
}

}  // namespace kvbm
