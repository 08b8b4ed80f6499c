#pragma once

#include <optional>

#include "kvbm/pools/eviction_backend.hpp"
#include "src/host/pools/backends/block_list.hpp"

namespace kvbm {

/// FifoEviction and LruEviction: blocks go in the order in which they became idle. A block in use is in no order, so
/// first in and least recently used are the same thing here.
class ListBackend final : public EvictionBackend {
 public:
  void reserve(const SlotView& slots) override { slots_.emplace(slots); }
  void insert(std::span<const BlockId> blocks) noexcept override;
  void erase(std::span<const BlockId> blocks) noexcept override;
  [[nodiscard]] std::size_t evict(std::span<BlockId> victims) noexcept override;
  [[nodiscard]] std::size_t size() const noexcept override { return size_; }

  /// insert() and erase() for one block, in line.
  void insert_one(BlockId block) noexcept {
    link(*slots_, block);
    ++size_;
  }
  void erase_one(BlockId block) noexcept {
    unlink(*slots_, block);
    --size_;
  }

 private:
  void link(const SlotView& slots, BlockId block) noexcept {
    bool& held = slots.links(block).held;
    KVBM_ASSERT(!held, "block already exists in the eviction order");
    held = true;
    list_.push_back(slots, block);
  }
  void unlink(const SlotView& slots, BlockId block) noexcept {
    bool& held = slots.links(block).held;
    KVBM_ASSERT(held, "block is not in the eviction order");
    held = false;
    list_.remove(slots, block);
  }

  std::optional<SlotView> slots_;
  BlockList list_;
  std::size_t size_ = 0;
};

}  // namespace kvbm
