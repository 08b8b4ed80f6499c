#include "src/host/pools/backends/multi_lru_backend.hpp"

#include <algorithm>

namespace kvbm {

MultiLruBackend::MultiLruBackend(std::array<std::uint8_t, 3> thresholds,
                                 std::shared_ptr<const FrequencyTracker> tracker)
    : tracker_(std::move(tracker)) {
  KVBM_ASSERT(tracker_ != nullptr, "multi-LRU eviction needs a frequency tracker");
  KVBM_ASSERT(
      thresholds[0] >= 1 && thresholds[0] < thresholds[1] && thresholds[1] < thresholds[2] && thresholds[2] <= 15,
      "multi-LRU thresholds must ascend from 1 to 15");
  for (const std::uint8_t threshold : thresholds) {
    for (std::size_t count = threshold; count < level_of_count_.size(); ++count) ++level_of_count_[count];
  }
}

std::uint32_t MultiLruBackend::level_of(const SequenceHash& hash) const noexcept {
  return level_of_count_[std::min<std::size_t>(tracker_->count(hash), level_of_count_.size() - 1)];
}

void MultiLruBackend::insert(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) {
    OrderLinks& links = slots.links(block);
    KVBM_ASSERT(!links.held, "block already exists in the eviction order");
    links.held = true;
    links.place = level_of(slots.hash(block));
    levels_[links.place].push_back(slots, block);
  }
  size_ += blocks.size();
}

void MultiLruBackend::erase(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) {
    OrderLinks& links = slots.links(block);
    KVBM_ASSERT(links.held, "block is not in the eviction order");
    links.held = false;
    levels_[links.place].remove(slots, block);
  }
  size_ -= blocks.size();
}

std::size_t MultiLruBackend::evict(std::span<BlockId> victims) noexcept {
  const SlotView slots = *slots_;
  const std::size_t count = std::min(victims.size(), size_);
  std::size_t taken = 0;
  for (BlockList& level : levels_) {
    for (; taken < count && !level.empty(); ++taken) {
      victims[taken] = level.pop_front(slots);
      slots.links(victims[taken]).held = false;
    }
  }
  size_ -= count;
  return count;
}

}  // namespace kvbm
