#include "kvbm/sequence/page_table.hpp"

#include <algorithm>
#include <unordered_set>

#include "kvbm/base/assert.hpp"

namespace kvbm {

bool PageTable::contains(BlockId id) const noexcept { return std::find(ids_.begin(), ids_.end(), id) != ids_.end(); }

const BlockId* PageTable::first_duplicate(std::span<const BlockId> candidates) const {
  std::unordered_set<BlockId> seen(ids_.begin(), ids_.end());
  const auto repeated = std::find_if(candidates.begin(), candidates.end(),
                                     [&seen](BlockId candidate) { return !seen.insert(candidate).second; });
  return repeated == candidates.end() ? nullptr : &*repeated;
}

void PageTable::reserve(std::size_t count) {
  if (count > ids_.capacity()) ids_.reserve(std::max(count, 2 * ids_.capacity()));
}

void PageTable::append_unassigned(std::span<const BlockId> ids) {
  reserve(ids_.size() + ids.size());
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

void PageTable::append_assigned(std::span<const BlockId> ids) {
  reserve(ids_.size() + ids.size());
  ids_.insert(ids_.begin() + assigned_, ids.begin(), ids.end());
  assigned_ += static_cast<std::uint32_t>(ids.size());
}

void PageTable::stage(std::uint32_t count) noexcept {
  KVBM_ASSERT(count <= unassigned_count(), "more blocks are staged than wait");
  staged_ += count;
}

void PageTable::assign_staged() noexcept {
  assigned_ += staged_;
  staged_ = 0;
}

void PageTable::assign_staged(std::span<const BlockId> ids) noexcept {
  KVBM_ASSERT(ids.size() == staged_, "a block was lost on its way to being assigned");
  std::copy(ids.begin(), ids.end(), ids_.begin() + assigned_);
  assign_staged();
}

void PageTable::drop_unassigned(std::uint32_t count) noexcept {
  KVBM_ASSERT(count <= unassigned_count(), "more blocks are dropped than wait");
  ids_.resize(ids_.size() - count);
}

void PageTable::drop_staged() noexcept {
  ids_.erase(ids_.begin() + assigned_, ids_.begin() + assigned_ + staged_);
  staged_ = 0;
}

void PageTable::drop_assigned() noexcept {
  ids_.erase(ids_.begin(), ids_.begin() + assigned_);
  assigned_ = 0;
}

void PageTable::clear() noexcept {
  ids_.clear();
  assigned_ = staged_ = 0;
}

}  // namespace kvbm
