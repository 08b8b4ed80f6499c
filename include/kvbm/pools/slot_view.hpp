#pragma once

#include "kvbm/pools/block_slot.hpp"

namespace kvbm {

class SlotTable;

/// What an eviction backend sees of the store: the hashes of its blocks, the links it may write, and which block is
/// whose parent.
///
/// Threads  only inside a call from the store, which holds its lock.
class SlotView {
 public:
  SlotView(BlockSlot* slots, std::uint32_t capacity, const SlotTable& table) noexcept
      : slots_(slots), capacity_(capacity), table_(&table) {}

  /// Ids are below this.
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] const SequenceHash& hash(BlockId block) const noexcept { return slots_[block].hash; }
  [[nodiscard]] OrderLinks& links(BlockId block) const noexcept { return slots_[block].links; }
  /// Grows whenever the slot is given to another hash.
  [[nodiscard]] std::uint32_t generation(BlockId block) const noexcept {
    return BlockSlot::generation(load(slots_[block].word));
  }
  /// Fetches the block's record ahead of use.
  void prefetch(BlockId block) const noexcept { __builtin_prefetch(&slots_[block], 1); }

  /// The registered block (held or idle) at `position` whose sequence hash ends in `fragment`, as wide as a child at
  /// position + 1 keeps it; kNoBlock if there is none. At most one registered block answers to such a pair.
  [[nodiscard]] BlockId find(std::uint64_t position, std::uint64_t fragment) const noexcept;
  /// The same for what `child` says of its parent. Precondition: `child` is not at position 0.
  [[nodiscard]] BlockId find_parent(const SequenceHash& child) const noexcept;

 private:
  BlockSlot* slots_;
  std::uint32_t capacity_;
  const SlotTable* table_;
};

}  // namespace kvbm
