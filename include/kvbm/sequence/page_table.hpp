#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kvbm/base/types.hpp"

namespace kvbm {

/// The block ids of one sequence in a row, in the order of their phases: assigned, staged, unassigned. What a
/// paged-attention kernel indexes with position / tokens_per_block.
///
/// Invariant  a block moves on from phase to phase by a boundary moving over it; no id is copied for that.
/// Lifetime   ids() is good until the table changes; its address stays while the reserved room suffices.
/// Cost       each change costs by the blocks that change, save append_assigned() in front of blocks of later phases.
class PageTable {
 public:
  [[nodiscard]] std::span<const BlockId> ids() const noexcept { return ids_; }
  [[nodiscard]] std::span<const BlockId> assigned() const noexcept { return ids().first(assigned_); }
  [[nodiscard]] std::span<const BlockId> staged() const noexcept { return ids().subspan(assigned_, staged_); }
  [[nodiscard]] std::span<const BlockId> unassigned() const noexcept { return ids().subspan(assigned_ + staged_); }

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(ids_.size()); }
  [[nodiscard]] bool empty() const noexcept { return ids_.empty(); }
  [[nodiscard]] std::uint32_t assigned_count() const noexcept { return assigned_; }
  [[nodiscard]] std::uint32_t staged_count() const noexcept { return staged_; }
  [[nodiscard]] std::uint32_t unassigned_count() const noexcept { return size() - assigned_ - staged_; }

  /// In any phase. Cost  looks at all ids.
  [[nodiscard]] bool contains(BlockId id) const noexcept;
  /// The first of `candidates` that is here already or that occurs among them before. Errors  std::bad_alloc.
  [[nodiscard]] const BlockId* first_duplicate(std::span<const BlockId> candidates) const;

  /// Makes room for `count` ids in all; growth is by doubling. Errors  std::bad_alloc, with nothing changed.
  void reserve(std::size_t count);
  /// Errors  std::bad_alloc, with nothing changed; none if there is room. The same for append_assigned.
  void append_unassigned(std::span<const BlockId> ids);
  void append_assigned(std::span<const BlockId> ids);

  /// The first `count` unassigned ones become staged. Precondition: there are so many. The same for the others.
  void stage(std::uint32_t count) noexcept;
  /// All staged ones become assigned.
  void assign_staged() noexcept;
  /// All staged ones become assigned, under other ids where `ids` says so.
  void assign_staged(std::span<const BlockId> ids) noexcept;

  /// The last `count` unassigned ones go.
  void drop_unassigned(std::uint32_t count) noexcept;
  void drop_staged() noexcept;
  void drop_assigned() noexcept;
  void clear() noexcept;

 private:
  std::vector<BlockId> ids_;
  std::uint32_t assigned_ = 0;
  std::uint32_t staged_ = 0;
};

}  // namespace kvbm
