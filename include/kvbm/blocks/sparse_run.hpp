#pragma once

#include <concepts>
#include <optional>
#include <span>

#include "kvbm/blocks/immutable_block.hpp"
#include "kvbm/blocks/run_hold.hpp"

namespace kvbm {

/// The answer of a scattered match: one place per hash asked for, in order, some of them misses. Released as a whole,
/// last block first.
///
/// Made by   BlockManager::match_scattered.
/// Threads   one at a time; may be handed from thread to thread.
/// Lifetime  may outlive the manager.
template <class Tier>
class [[nodiscard]] SparseRun {
 public:
  /// As many as hashes were asked for.
  [[nodiscard]] std::uint32_t size() const noexcept { return hold_.size(); }
  [[nodiscard]] bool has(std::uint32_t i) const noexcept { return hold_.ids()[i] != kNoBlock; }
  /// kNoBlock where there was a miss.
  [[nodiscard]] std::span<const BlockId> ids() const noexcept { return hold_.ids(); }
  /// Hits.
  [[nodiscard]] std::uint32_t found() const noexcept {
    std::uint32_t hits = 0;
    for (const BlockId id : ids()) hits += id != kNoBlock ? 1 : 0;
    return hits;
  }
  /// One more holder of the block at `i`, beside the run; nothing at a miss.
  [[nodiscard]] std::optional<ImmutableBlock<Tier>> block(std::uint32_t i) const noexcept {
    if (!has(i)) return std::nullopt;
    return ImmutableBlock<Tier>(hold_.pin(i));
  }

 private:
  template <class>
  friend class BlockManager;
  /// Takes what make() returns, in place. (No run is invocable, so that copies and moves are not for it.)
  template <std::invocable Make>
  explicit SparseRun(Make&& make) : hold_(make()) {}  // NOLINT(bugprone-forwarding-reference-overload)

  RunHold hold_;
};

}  // namespace kvbm
