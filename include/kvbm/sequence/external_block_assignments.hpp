#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvbm/sequence/block_sequence.hpp"
#include "kvbm/sequence/page_table.hpp"

namespace kvbm {

/// A block of some tier and what it holds.
struct NamedBlock {
  BlockId id = 0;
  SequenceHash hash;
  friend bool operator==(const NamedBlock&, const NamedBlock&) = default;
};

/// Which blocks of one tier stand for which blocks of a sequence, for storage that is owned elsewhere: ids without
/// guards. They arrive unassigned, get a hash when staged, and are assigned when committed.
///
/// Shape    assigned index i is position offset() + i of the sequence; staged ones follow, then unassigned ones.
/// Threads  one at a time.
class ExternalBlockAssignments {
 public:
  explicit ExternalBlockAssignments(std::size_t offset = 0) noexcept : offset_(offset) {}

  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] bool contains(BlockId id) const noexcept { return known_.contains(id); }
  [[nodiscard]] bool empty() const noexcept { return table_.empty(); }
  [[nodiscard]] std::uint32_t assigned_count() const noexcept { return table_.assigned_count(); }
  [[nodiscard]] std::uint32_t staged_count() const noexcept { return table_.staged_count(); }
  [[nodiscard]] std::uint32_t unassigned_count() const noexcept { return table_.unassigned_count(); }

  /// Ids in order, by phase and all together; hashes at the same places.
  [[nodiscard]] const PageTable& table() const noexcept { return table_; }
  [[nodiscard]] std::span<const SequenceHash> assigned_hashes() const noexcept;
  [[nodiscard]] std::span<const SequenceHash> staged_hashes() const noexcept;
  /// By index within the phase; nothing beyond it.
  [[nodiscard]] std::optional<NamedBlock> get_assigned(std::size_t index) const noexcept;
  [[nodiscard]] std::optional<NamedBlock> get_staged(std::size_t index) const noexcept;

  /// The position that the first unassigned block will take.
  [[nodiscard]] std::size_t next_position() const noexcept { return offset_ + hashes_.size(); }
  [[nodiscard]] BlockRange assigned_positions() const noexcept { return {offset_, offset_ + assigned_count()}; }
  [[nodiscard]] BlockRange staged_positions() const noexcept { return {offset_ + assigned_count(), next_position()}; }
  [[nodiscard]] BlockRange pending_positions() const noexcept {
    return {next_position(), next_position() + unassigned_count()};
  }
  /// The assigned block at a position of the sequence, and the unassigned one that will take it; nothing elsewhere.
  [[nodiscard]] std::optional<NamedBlock> get_at_position(std::size_t position) const noexcept;
  [[nodiscard]] std::optional<BlockId> get_pending_at_position(std::size_t position) const noexcept;

  /// Takes the new ones among all ids allocated so far, in order. Known ones may be left out and may come in any order,
  /// but not behind a new one.
  /// Errors  OrderingViolation, DuplicateBlockId: whichever comes first in the list.
  Result<void, BlockSequenceError> extend_block_ids(std::span<const BlockId> ids);
  /// Takes blocks whose content is there already. Their positions are not checked. Precondition: nothing is staged, or
  /// its positions would shift.
  /// Errors  DuplicateBlockId.
  Result<std::size_t, BlockSequenceError> extend_assigned(std::span<const NamedBlock> blocks);

  /// Gives unassigned blocks their hashes, as far as `hashes`, those of the sequence from position 0 on, reach.
  /// Returns the staged indices that are new. Errors  PositionMismatch.
  Result<BlockRange, BlockSequenceError> stage_pending(std::span<const SequenceHash> hashes);
  /// All staged blocks become assigned. Returns their assigned indices.
  BlockRange commit_staged() noexcept;
  /// Both. Returns the assigned indices that are new. Errors  PositionMismatch, with nothing committed.
  Result<BlockRange, BlockSequenceError> assign_pending(std::span<const SequenceHash> hashes);

  /// The staged blocks, which leave.
  [[nodiscard]] std::vector<NamedBlock> take_staged();
  /// All blocks leave; the offset stays.
  void clear() noexcept;

  /// For people: the type, the offset and the counts.
  [[nodiscard]] std::string text() const;

 private:
  std::size_t offset_;
  PageTable table_;
  std::vector<SequenceHash> hashes_;     // of assigned and staged blocks
  std::unordered_set<BlockId> known_{};  // what is in the table
};

/// One block of a sequence in two places.
struct ZippedBlock {
  std::size_t position = 0;
  BlockId a = 0;
  BlockId b = 0;
  friend bool operator==(const ZippedBlock&, const ZippedBlock&) = default;
};

/// Positions at which both have assigned blocks, rising.
[[nodiscard]] std::vector<ZippedBlock> zip_assigned(const ExternalBlockAssignments& a,
                                                    const ExternalBlockAssignments& b);

/// Positions at which `source` has assigned blocks and blocks of `target` wait for content, rising: what to copy to
/// onboard or offload.
[[nodiscard]] std::vector<ZippedBlock> zip_assigned_pending(const ExternalBlockAssignments& source,
                                                            const ExternalBlockAssignments& target);

}  // namespace kvbm
