#pragma once

#include "kvbm/pools/block_slot.hpp"
#include "src/host/base/hash_index.hpp"
#include "src/host/base/lineage.hpp"

namespace kvbm {

/// All slots of one store, and the table that finds the registered ones (Primary and Inactive) by hash. Going active
/// or idle leaves the table alone; only registration and departure write it.
///
/// Threads  under the store's lock, except slots() where BlockSlot says so.
class SlotTable {
 public:
  /// Errors  std::bad_alloc.
  explicit SlotTable(std::uint32_t capacity)
      : capacity_(capacity), slots_(capacity, capacity), index_(capacity, true) {}

  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] BlockSlot* slots() const noexcept { return slots_.data(); }
  [[nodiscard]] BlockSlot& operator[](BlockId id) const noexcept { return slots_[id]; }
  /// Registered blocks.
  [[nodiscard]] std::uint32_t size() const noexcept { return index_.size(); }

  /// The table by value, for loops that want it in registers. Good until the table is destroyed.
  class Reader {
   public:
    explicit Reader(const SlotTable& table) noexcept : index_(table.index_.reader()), slots_(table.slots()) {}

    [[nodiscard]] BlockId find(const SequenceHash& hash, std::uint32_t tag) const noexcept {
      return index_.find(tag, kNoBlock, [&](BlockId id) { return slots_[id].hash == hash; });
    }
    void prefetch_place(std::uint32_t tag) const noexcept { index_.prefetch(tag); }
    /// Fetches the slot at which a look-up of `tag` will most likely end.
    void prefetch_slot(std::uint32_t tag) const noexcept {
      const BlockId id = index_.find(tag, kNoBlock, [](BlockId) { return true; });
      if (id != kNoBlock) __builtin_prefetch(&slots_[id], 1);
    }

   private:
    HashIndex::Reader index_;
    BlockSlot* slots_;
  };

  [[nodiscard]] BlockId find(const SequenceHash& hash) const noexcept {
    return Reader(*this).find(hash, lineage_tag(hash));
  }

  /// The block that has the hash of slot `id`, or kNoBlock after adding `id` as that block. `collides` becomes true if
  /// some other registered block has the same lineage key.
  BlockId find_or_insert(BlockId id, bool& collides) noexcept {
    const SequenceHash& hash = slots_[id].hash;
    return index_.find_or_insert(lineage_tag(hash), id, kNoBlock, [&](BlockId candidate) {
      const SequenceHash& other = slots_[candidate].hash;
      if (other == hash) return true;
      collides = collides || same_lineage_key(other, hash);
      return false;
    });
  }
  void prefetch_place(BlockId id) const noexcept { index_.reader().prefetch(lineage_tag(slots_[id].hash)); }
  void erase(BlockId id) noexcept { index_.erase(lineage_tag(slots_[id].hash), id); }

  /// See SlotView::find_parent. Precondition: not a root.
  [[nodiscard]] BlockId find_parent(const SequenceHash& child) const noexcept {
    if (child.mode() == 0) return find_parent_in_mode<0>(child);
    if (child.mode() == 1 && child.position() != 1u << 8) return find_parent_in_mode<1>(child);
    return find_key(child.position() - 1, child.parent_fragment());
  }
  /// See SlotView::find.
  [[nodiscard]] BlockId find_key(std::uint64_t position, std::uint64_t fragment) const noexcept {
    return index_.find(lineage_tag(position, fragment), kNoBlock, [&](BlockId id) {
      const BlockSlot& slot = slots_[id];
      return slot.hash.position() == position && slot.hash.fragment_for_child(position + 1) == fragment &&
             (slot.flags & BlockSlot::kNotCacheable) == 0;
    });
  }

 private:
  template <unsigned kMode>
  [[nodiscard]] [[gnu::noinline]] BlockId find_parent_in_mode(const SequenceHash& child) const noexcept {
    return index_.find(lineage::parent_tag_in_mode(kMode, child), kNoBlock, [&](BlockId id) {
      const BlockSlot& slot = slots_[id];
      return lineage::is_parent_in_mode(kMode, slot.hash, child) && (slot.flags & BlockSlot::kNotCacheable) == 0;
    });
  }
  static bool same_lineage_key(const SequenceHash& a, const SequenceHash& b) noexcept {
    const std::uint64_t child = b.position() + 1;
    return a.position() == b.position() && a.fragment_for_child(child) == b.fragment_for_child(child);
  }

  std::uint32_t capacity_;
  ZeroedArray<BlockSlot> slots_;
  HashIndex index_;
};

}  // namespace kvbm
