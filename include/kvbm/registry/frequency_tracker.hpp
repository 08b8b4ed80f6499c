#pragma once

#include <cstdint>
#include <span>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

/// Remembers roughly how often each hash was asked for. It outlives the blocks: a hash keeps its count after eviction.
///
/// Threads   any; several managers may share one tracker.
/// Lifetime  shared by std::shared_ptr.
/// Cost      count() is called with a store locked: it must neither block for long nor call back.
class FrequencyTracker {
 public:
  FrequencyTracker() = default;
  FrequencyTracker(const FrequencyTracker&) = delete;
  FrequencyTracker& operator=(const FrequencyTracker&) = delete;
  virtual ~FrequencyTracker() = default;

  /// Counts one use of each element; a hash that occurs twice was used twice.
  virtual void touch(std::span<const SequenceHash> hashes) noexcept = 0;
  void touch(const SequenceHash& hash) noexcept { touch(std::span<const SequenceHash>(&hash, 1)); }

  /// How often `hash` was touched lately, as far as the tracker can tell.
  [[nodiscard]] virtual std::uint32_t count(SequenceHash hash) const noexcept = 0;
};

/// Counts nothing: every hash reads 0.
class NoFrequencyTracker final : public FrequencyTracker {
 public:
  using FrequencyTracker::touch;
  void touch(std::span<const SequenceHash> /*hashes*/) noexcept override {}
  [[nodiscard]] std::uint32_t count(SequenceHash /*hash*/) const noexcept override { return 0; }
};

}  // namespace kvbm
