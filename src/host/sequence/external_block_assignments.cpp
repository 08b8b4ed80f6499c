#include "kvbm/sequence/external_block_assignments.hpp"

#include <algorithm>

#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

using Error = BlockSequenceError;

bool is_within(std::size_t position, BlockRange range) noexcept {
  return position >= range.begin && position < range.end;
}

/// Blocks of both at the positions that two ranges share; `ids_a` and `ids_b` belong to the ranges' positions.
std::vector<ZippedBlock> zip(BlockRange a, std::span<const BlockId> ids_a, BlockRange b,
                             std::span<const BlockId> ids_b) {
  std::vector<ZippedBlock> blocks;
  const std::size_t begin = std::max(a.begin, b.begin);
  const std::size_t end = std::min(a.end, b.end);
  if (begin < end) blocks.reserve(end - begin);
  for (std::size_t position = begin; position < end; ++position) {
    blocks.push_back({position, ids_a[position - a.begin], ids_b[position - b.begin]});
  }
  return blocks;
}

}  // namespace

std::span<const SequenceHash> ExternalBlockAssignments::assigned_hashes() const noexcept {
  return std::span(hashes_).first(assigned_count());
}

std::span<const SequenceHash> ExternalBlockAssignments::staged_hashes() const noexcept {
  return std::span(hashes_).subspan(assigned_count());
}

std::optional<NamedBlock> ExternalBlockAssignments::get_assigned(std::size_t index) const noexcept {
  if (index >= assigned_count()) return std::nullopt;
  return NamedBlock{table_.assigned()[index], assigned_hashes()[index]};
}

std::optional<NamedBlock> ExternalBlockAssignments::get_staged(std::size_t index) const noexcept {
  if (index >= staged_count()) return std::nullopt;
  return NamedBlock{table_.staged()[index], staged_hashes()[index]};
}

std::optional<NamedBlock> ExternalBlockAssignments::get_at_position(std::size_t position) const noexcept {
  if (!is_within(position, assigned_positions())) return std::nullopt;
  return get_assigned(position - offset_);
}

std::optional<BlockId> ExternalBlockAssignments::get_pending_at_position(std::size_t position) const noexcept {
  if (!is_within(position, pending_positions())) return std::nullopt;
  return table_.unassigned()[position - next_position()];
}

Result<void, BlockSequenceError> ExternalBlockAssignments::extend_block_ids(std::span<const BlockId> ids) {
  // Mostly the list repeats what is known, in order, before it goes on.
  const std::span<const BlockId> all = table_.ids();
  const auto unlike = std::mismatch(ids.begin(), ids.end(), all.begin(), all.end()).first;
  std::unordered_set<BlockId> fresh;
  std::vector<BlockId> appended;
  std::size_t first_new = 0;
  for (std::size_t i = static_cast<std::size_t>(unlike - ids.begin()); i < ids.size(); ++i) {
    if (contains(ids[i])) {
      if (appended.empty()) continue;
      return fail(Error{Error::OrderingViolation{ids[i], appended.front(), i, first_new}});
    }
    if (!fresh.insert(ids[i]).second) return fail(Error{Error::DuplicateBlockId{ids[i]}});
    if (appended.empty()) first_new = i;
    appended.push_back(ids[i]);
  }
  known_.reserve(known_.size() + fresh.size());
  table_.append_unassigned(appended);
  known_.merge(fresh);
  return {};
}

Result<std::size_t, BlockSequenceError> ExternalBlockAssignments::extend_assigned(std::span<const NamedBlock> blocks) {
  std::unordered_set<BlockId> fresh;
  std::vector<BlockId> ids;
  std::vector<SequenceHash> hashes;
  for (const NamedBlock& block : blocks) {
    if (contains(block.id) || !fresh.insert(block.id).second) return fail(Error{Error::DuplicateBlockId{block.id}});
    ids.push_back(block.id);
    hashes.push_back(block.hash);
  }
  KVBM_ASSERT(blocks.empty() || staged_count() == 0, "assigned blocks would push staged ones to other positions");
  known_.reserve(known_.size() + fresh.size());
  hashes_.reserve(hashes_.size() + hashes.size());
  table_.append_assigned(ids);
  hashes_.insert(hashes_.end(), hashes.begin(), hashes.end());
  known_.merge(fresh);
  return blocks.size();
}

Result<BlockRange, BlockSequenceError> ExternalBlockAssignments::stage_pending(std::span<const SequenceHash> hashes) {
  const std::size_t start = next_position();
  const std::size_t there = hashes.size() - std::min(start, hashes.size());
  const std::size_t count = std::min<std::size_t>(unassigned_count(), there);
  const std::span<const SequenceHash> mine = hashes.subspan(hashes.size() - there, count);
  for (std::size_t i = 0; i < count; ++i) {
    if (mine[i].position() == start + i) continue;
    return fail(Error{Error::PositionMismatch{start + i, mine[i].position(), table_.unassigned()[i]}});
  }
  const std::size_t staged = staged_count();
  hashes_.insert(hashes_.end(), mine.begin(), mine.end());
  table_.stage(static_cast<std::uint32_t>(count));
  return BlockRange{staged, staged + count};
}

BlockRange ExternalBlockAssignments::commit_staged() noexcept {
  const std::size_t assigned = assigned_count();
  table_.assign_staged();
  return {assigned, assigned_count()};
}

Result<BlockRange, BlockSequenceError> ExternalBlockAssignments::assign_pending(std::span<const SequenceHash> hashes) {
  if (auto staged = stage_pending(hashes); !staged) return staged;
  return commit_staged();
}

std::vector<NamedBlock> ExternalBlockAssignments::take_staged() {
  std::vector<NamedBlock> taken;
  taken.reserve(staged_count());
  for (std::size_t i = 0; i < staged_count(); ++i) taken.push_back(*get_staged(i));
  for (const NamedBlock& block : taken) known_.erase(block.id);
  hashes_.resize(assigned_count());
  table_.drop_staged();
  return taken;
}

void ExternalBlockAssignments::clear() noexcept {
  table_.clear();
  hashes_.clear();
  known_.clear();
}

std::string ExternalBlockAssignments::text() const {
  return "ExternalBlockAssignments(offset " + std::to_string(offset_) + ", assigned " +
         std::to_string(assigned_count()) + ", staged " + std::to_string(staged_count()) + ", unassigned " +
         std::to_string(unassigned_count()) + ")";
}

std::vector<ZippedBlock> zip_assigned(const ExternalBlockAssignments& a, const ExternalBlockAssignments& b) {
  return zip(a.assigned_positions(), a.table().assigned(), b.assigned_positions(), b.table().assigned());
}

std::vector<ZippedBlock> zip_assigned_pending(const ExternalBlockAssignments& source,
                                              const ExternalBlockAssignments& target) {
  return zip(source.assigned_positions(), source.table().assigned(), target.pending_positions(),
             target.table().unassigned());
}

}  // namespace kvbm
