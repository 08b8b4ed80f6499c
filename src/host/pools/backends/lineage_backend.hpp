#pragma once

#include <optional>

#include "kvbm/pools/eviction_backend.hpp"
#include "src/host/pools/backends/leaf_order.hpp"
#include "src/host/pools/backends/placeholders.hpp"

namespace kvbm {

/// LineageEviction: gives up only leaves of the tree of idle blocks, in the order that `Leaves` keeps.
///
/// Each block is linked to its parent by a count in the parent: in its slot, in use or idle, as long as it is
/// registered, else in a placeholder. A block in use that has idle descendants thus protects its idle ancestors, and
/// stops doing so with the last of them. Parents are found by key (position and fragment); the slot a parent was last
/// seen in is remembered with its generation.
///
/// Placeholders are bounded. Where there is no room for one, the blocks below it count as roots: they are evicted in
/// their own order, but no longer protect what was above.
template <class Leaves>
class LineageBackend final : public EvictionBackend {
 public:
  void reserve(const SlotView& slots) override;
  void insert(std::span<const BlockId> blocks) noexcept override;
  void erase(std::span<const BlockId> blocks) noexcept override;
  [[nodiscard]] std::size_t evict(std::span<BlockId> victims) noexcept override;
  [[nodiscard]] std::size_t size() const noexcept override { return size_; }
  void forget(BlockId block) noexcept override;
  [[nodiscard]] bool uses_lineage() const noexcept override { return true; }

  /// insert() and erase() for one block, not virtual.
  void insert_one(BlockId block) noexcept;
  void erase_one(BlockId block) noexcept;

  /// For tests.
  [[nodiscard]] std::size_t placeholders() const noexcept { return placeholders_.size(); }

 private:
  static constexpr std::uint32_t kSparePlaceholders = 4096;

  // In line, since batches and single blocks come through them.
  [[gnu::always_inline]] inline void became_idle(const SlotView& slots, BlockId block) noexcept;
  [[gnu::always_inline]] inline void became_active(const SlotView& slots, BlockId block) noexcept;
  [[gnu::always_inline]] inline BlockId link(const SlotView& slots, BlockId block) noexcept;
  void unlink(const SlotView& slots, BlockId block) noexcept;
  void adopt_placeholder(BlockId block) noexcept;
  [[nodiscard]] BlockId look_for_parent(BlockId block) noexcept;
  [[nodiscard]] BlockId unlink_unremembered(const SequenceHash& child) noexcept;
  [[nodiscard]] BlockId remembered_parent(const SlotView& slots, const OrderLinks& links) const noexcept;

  std::optional<SlotView> slots_;
  Leaves leaves_;
  Placeholders placeholders_;
  std::size_t size_ = 0;
};

extern template class LineageBackend<TickOrder>;
extern template class LineageBackend<FifoOrder>;

}  // namespace kvbm
