#pragma once

#include <array>
#include <memory>
#include <optional>

#include "kvbm/pools/eviction_backend.hpp"
#include "kvbm/registry/frequency_tracker.hpp"
#include "src/host/pools/backends/block_list.hpp"

namespace kvbm {

/// MultiLruEviction: four lists, cold to very hot. A block's list follows from its hash's count when it becomes idle
/// and stays the same until it is matched and released again.
class MultiLruBackend final : public EvictionBackend {
 public:
  /// Precondition: thresholds ascend from 1 to 15; there is a tracker.
  MultiLruBackend(std::array<std::uint8_t, 3> thresholds, std::shared_ptr<const FrequencyTracker> tracker);

  void reserve(const SlotView& slots) override { slots_.emplace(slots); }
  void insert(std::span<const BlockId> blocks) noexcept override;
  void erase(std::span<const BlockId> blocks) noexcept override;
  [[nodiscard]] std::size_t evict(std::span<BlockId> victims) noexcept override;
  [[nodiscard]] std::size_t size() const noexcept override { return size_; }

 private:
  [[nodiscard]] std::uint32_t level_of(const SequenceHash& hash) const noexcept;

  std::array<std::uint8_t, 16> level_of_count_{};  // by the count, 15 and more in one
  const std::shared_ptr<const FrequencyTracker> tracker_;
  std::optional<SlotView> slots_;
  std::array<BlockList, 4> levels_;
  std::size_t size_ = 0;
};

}  // namespace kvbm
