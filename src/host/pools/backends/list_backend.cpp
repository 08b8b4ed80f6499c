#include "src/host/pools/backends/list_backend.hpp"

#include <algorithm>

namespace kvbm {

void ListBackend::insert(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) link(slots, block);
  size_ += blocks.size();
}

void ListBackend::erase(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) unlink(slots, block);
  size_ -= blocks.size();
}

std::size_t ListBackend::evict(std::span<BlockId> victims) noexcept {
  const SlotView slots = *slots_;
  const std::size_t count = std::min(victims.size(), size_);
  for (BlockId& victim : victims.first(count)) {
    victim = list_.pop_front(slots);
    slots.links(victim).held = false;
  }
  size_ -= count;
  return count;
}

}  // namespace kvbm
