#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/result.hpp"
#include "kvbm/sequence/block_source.hpp"
#include "kvbm/sequence/page_table.hpp"
#include "kvbm/sequence/sequence_options.hpp"
#include "kvbm/tokens/token_block.hpp"

namespace kvbm {

/// Why blocks were not taken, with all of them inside. Nothing has changed then.
template <class Tier>
struct LogicalBlockAssignmentError {
  /// A block that is here already, or twice among those given.
  struct DuplicateBlockId {
    BlockId block_id = 0;
    BlockRun<MutableBlock<Tier>> blocks;
  };
  struct DuplicateAssignedBlockId {
    BlockId block_id = 0;
    BlockRun<ImmutableBlock<Tier>> blocks;
  };
  /// A matched block does not hold what the sequence has at its position.
  struct SequenceHashMismatch {
    std::size_t position = 0;
    SequenceHash expected;
    SequenceHash actual;
    BlockRun<ImmutableBlock<Tier>> blocks;
  };

  std::variant<DuplicateBlockId, DuplicateAssignedBlockId, SequenceHashMismatch> what;

  template <class Reason>
  [[nodiscard]] const Reason* get_if() const noexcept {
    return std::get_if<Reason>(&what);
  }
  [[nodiscard]] std::string text() const {
    if (const auto* mismatch = get_if<SequenceHashMismatch>()) {
      return "matched block " + std::to_string(mismatch->position) + " is " + mismatch->actual.text() + ", not " +
             mismatch->expected.text();
    }
    const auto* assigned = get_if<DuplicateAssignedBlockId>();
    const BlockId id = assigned != nullptr ? assigned->block_id : std::get<DuplicateBlockId>(what).block_id;
    return "block " + std::to_string(id) + " is in the sequence twice";
  }
};

/// The blocks of one sequence by phase, as guards: unassigned ones to be filled, staged ones with their hash, assigned
/// ones that can be found. Each phase is one run, and table() names all of them in order.
///
/// Threads   one at a time.
/// Lifetime  may outlive the manager; dropped, each block goes where its guard sends it: assigned ones first.
/// Errors    std::bad_alloc from a change means, unless it says otherwise, that everything has been let go; it takes
///           more ids on loan than the manager set aside. Blocks of two managers do not join: that aborts.
/// Cost      a change costs by its blocks. No allocation while table() has room.
template <class Tier>
class LogicalBlockAssignments {
 public:
  using MutableRun = BlockRun<MutableBlock<Tier>>;
  using CompleteRun = BlockRun<CompleteBlock<Tier>>;
  using ImmutableRun = BlockRun<ImmutableBlock<Tier>>;
  using Error = LogicalBlockAssignmentError<Tier>;

  explicit LogicalBlockAssignments(AssignedId assigned_id = AssignedId::Effective) noexcept
      : assigned_id_(assigned_id) {}
  LogicalBlockAssignments(LogicalBlockAssignments&&) noexcept = default;
  LogicalBlockAssignments& operator=(LogicalBlockAssignments&& other) noexcept {
    clear();
    table_ = std::exchange(other.table_, PageTable());
    assigned_ = std::move(other.assigned_);
    staged_ = std::move(other.staged_);
    unassigned_ = std::move(other.unassigned_);
    assigned_id_ = other.assigned_id_;
    return *this;
  }
  ~LogicalBlockAssignments() { clear(); }

  [[nodiscard]] std::uint32_t assigned_count() const noexcept { return table_.assigned_count(); }
  [[nodiscard]] std::uint32_t staged_count() const noexcept { return table_.staged_count(); }
  [[nodiscard]] std::uint32_t unassigned_count() const noexcept { return table_.unassigned_count(); }
  [[nodiscard]] std::uint32_t size() const noexcept { return table_.size(); }
  [[nodiscard]] bool empty() const noexcept { return table_.empty(); }
  /// In any phase. Cost  looks at all ids.
  [[nodiscard]] bool contains(BlockId id) const noexcept { return table_.contains(id); }

  [[nodiscard]] const PageTable& table() const noexcept { return table_; }
  [[nodiscard]] const ImmutableRun& assigned() const noexcept { return assigned_; }
  [[nodiscard]] const CompleteRun& staged() const noexcept { return staged_; }
  [[nodiscard]] const MutableRun& unassigned() const noexcept { return unassigned_; }

  /// Makes room for so many ids in table(). Errors  std::bad_alloc, with nothing changed.
  void reserve(std::size_t blocks) { table_.reserve(blocks); }

  /// Takes empty blocks, behind all others. Returns how many. Errors  DuplicateBlockId; std::bad_alloc, with the
  /// sequence unchanged.
  Result<std::size_t, Error> extend_blocks(MutableRun blocks) {
    if (const BlockId* duplicate = table_.first_duplicate(blocks.ids())) {
      return fail(Error{typename Error::DuplicateBlockId{*duplicate, std::move(blocks)}});
    }
    return adopt(std::move(blocks));
  }
  /// Takes registered blocks, behind the assigned ones; hashes are not compared with any sequence. Returns how many.
  /// Errors  DuplicateAssignedBlockId; std::bad_alloc, with the sequence unchanged.
  Result<std::size_t, Error> extend_assigned(ImmutableRun blocks) {
    if (const BlockId* duplicate = table_.first_duplicate(blocks.ids())) {
      return fail(Error{typename Error::DuplicateAssignedBlockId{*duplicate, std::move(blocks)}});
    }
    return adopt(std::move(blocks));
  }

  /// Names the first unassigned blocks, as many as there are of both, by `hashes`, that of the first one first.
  /// Returns how many. Errors  BlockSizeMismatch if blocks hold another number of tokens, with nothing changed.
  Result<std::uint32_t, BlockSizeMismatch> stage(std::span<const SequenceHash> hashes, std::uint32_t tokens) {
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(hashes.size(), unassigned_count()));
    if (count == 0) return 0;
    const std::uint32_t expected = unassigned_.tokens_per_block();
    if (tokens != expected) return fail(BlockSizeMismatch{expected, tokens});
    stage_first(hashes.first(count));
    return count;
  }
  /// The same, block by block: blocks of the right size stay staged when one of the wrong size follows them.
  /// Errors  BlockSizeMismatch, with the block that was to take it inside the refusal, and no longer here.
  Result<std::uint32_t, Refused<MutableBlock<Tier>, BlockSizeMismatch>> stage(std::span<const TokenBlock> blocks) {
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(blocks.size(), unassigned_count()));
    if (count == 0) return 0;
    const std::uint32_t expected = unassigned_.tokens_per_block();
    std::vector<SequenceHash> hashes;
    for (std::uint32_t i = 0; i < count && blocks[i].block_size() == expected; ++i) hashes.push_back(blocks[i].hash());
    if (!hashes.empty()) stage_first(hashes);
    if (hashes.size() == count) return count;
    const auto actual = static_cast<std::uint32_t>(blocks[hashes.size()].block_size());
    return fail(Refused<MutableBlock<Tier>, BlockSizeMismatch>{{expected, actual}, take_first_unassigned()});
  }

  /// Registers all staged blocks at once. Returns how many. Errors  what the source throws, with everything let go.
  template <BlockSource<Tier> Source>
  std::uint32_t register_staged(Source& source) {
    const std::uint32_t count = staged_count();
    if (count == 0) return 0;
    or_clear([&] {
      ImmutableRun registered = source.register_blocks(std::exchange(staged_, none<CompleteRun>()));
      KVBM_ASSERT(registered.size() == count, "a source registers as many blocks as it is given");
      if (assigned_id_ == AssignedId::Effective) {
        table_.assign_staged(registered.ids());
      } else {
        table_.assign_staged();
      }
      assigned_.append(std::move(registered));
    });
    return count;
  }

  /// The last unassigned block, which leaves. Errors  std::bad_alloc, with nothing changed.
  [[nodiscard]] std::optional<std::pair<BlockId, MutableBlock<Tier>>> pop_last_unassigned() {
    if (unassigned_count() == 0) return std::nullopt;
    MutableRun last = unassigned_.split_off(unassigned_count() - 1);
    table_.drop_unassigned(1);
    MutableBlock<Tier> block = std::move(std::move(last).into_blocks().front());
    const BlockId id = block.id();
    return std::pair(id, std::move(block));
  }
  /// Gives the last unassigned blocks back until `keep` are left. Returns how many. Errors  std::bad_alloc, with
  /// nothing changed.
  std::uint32_t drop_unassigned(std::uint32_t keep) {
    const std::uint32_t count = unassigned_count() - std::min(keep, unassigned_count());
    if (count == 0) return 0;
    const MutableRun dropped = unassigned_.split_off(keep);
    table_.drop_unassigned(count);
    return count;
  }

  /// The blocks of one phase, which leave.
  [[nodiscard]] ImmutableRun take_assigned() noexcept {
    table_.drop_assigned();
    return std::exchange(assigned_, none<ImmutableRun>());
  }
  [[nodiscard]] CompleteRun take_staged() noexcept {
    table_.drop_staged();
    return std::exchange(staged_, none<CompleteRun>());
  }
  [[nodiscard]] MutableRun take_unassigned() noexcept {
    table_.drop_unassigned(unassigned_count());
    return std::exchange(unassigned_, none<MutableRun>());
  }
  /// Gives everything back: assigned blocks, staged ones, unassigned ones.
  void clear() noexcept {
    table_.clear();
    assigned_ = none<ImmutableRun>();
    staged_ = none<CompleteRun>();
    unassigned_ = none<MutableRun>();
  }

  /// The assigned blocks once more, for another sequence with the same prefix. Errors  std::bad_alloc.
  [[nodiscard]] LogicalBlockAssignments share_assigned() const {
    LogicalBlockAssignments shared(assigned_id_);
    shared.table_.append_assigned(table_.assigned());
    shared.assigned_ = assigned_.share();
    return shared;
  }

 private:
  template <class>
  friend class RequestSequence;

  template <class Run>
  [[nodiscard]] static Run none() noexcept {
    return Run::of({});
  }
  /// Takes over blocks of which none can be here already. The same below. Errors  std::bad_alloc, nothing changed.
  std::size_t adopt(MutableRun&& blocks) {
    const std::size_t count = blocks.size();
    table_.reserve(table_.size() + count);
    unassigned_.append(std::move(blocks));
    table_.append_unassigned(unassigned_.ids().last(count));
    return count;
  }
  std::size_t adopt(ImmutableRun&& blocks) {
    const std::size_t count = blocks.size();
    table_.reserve(table_.size() + count);
    assigned_.append(std::move(blocks));
    table_.append_assigned(assigned_.ids().last(count));
    return count;
  }
  /// Precondition: not more hashes than unassigned blocks, and at least one.
  void stage_first(std::span<const SequenceHash> hashes) {
    or_clear([&] {
      MutableRun rest = unassigned_.split_off(static_cast<std::uint32_t>(hashes.size()));
      MutableRun first = std::exchange(unassigned_, std::move(rest));
      const std::uint32_t tokens = first.tokens_per_block();
      staged_.append(std::move(first).stage(hashes, tokens).value());
      table_.stage(static_cast<std::uint32_t>(hashes.size()));
    });
  }
  [[nodiscard]] MutableBlock<Tier> take_first_unassigned() {
    std::vector<MutableBlock<Tier>> blocks;
    or_clear([&] {
      const std::vector<BlockId> rest_ids(table_.unassigned().begin() + 1, table_.unassigned().end());
      MutableRun rest = unassigned_.split_off(1);
      blocks = std::exchange(unassigned_, std::move(rest)).into_blocks();
      table_.drop_unassigned(unassigned_count());
      table_.append_unassigned(rest_ids);
    });
    return std::move(blocks.front());
  }
  /// A change that is half done when memory runs out would leave blocks at wrong positions.
  template <class Change>
  void or_clear(Change&& change) {
    try {
      change();
    } catch (...) {
      clear();
      throw;
    }
  }

  PageTable table_;
  ImmutableRun assigned_ = none<ImmutableRun>();
  CompleteRun staged_ = none<CompleteRun>();
  MutableRun unassigned_ = none<MutableRun>();
  AssignedId assigned_id_;
};

}  // namespace kvbm
