#include "tests/model/store_model.hpp"

#include <set>

#include "kvbm/base/assert.hpp"

namespace kvbm::test {

std::optional<BlockId> StoreModel::evict() {
  const std::optional<BlockId> id = idle_->evict();
  if (!id) return std::nullopt;
  --idle_count_;
  primary_.erase(slots_[*id].hash);
  return id;
}

std::optional<std::vector<BlockId>> StoreModel::allocate(std::size_t count, std::vector<SequenceHash>* evicted) {
  if (count > available()) return std::nullopt;
  std::vector<BlockId> ids;
  for (; ids.size() < count && !free_.empty(); free_.pop_front()) ids.push_back(free_.front());
  metrics_.allocations_from_reset += ids.size();
  while (ids.size() < count) {
    ids.push_back(evict().value());
    if (evicted != nullptr) evicted->push_back(slots_[ids.back()].hash);
    ++metrics_.evictions;
  }
  for (const BlockId id : ids) slots_[id] = Slot{.hash = {}, .reset = options_.reset_on_release, .primary = {}};
  metrics_.allocations += count;
  metrics_.inflight_mutable += static_cast<std::int64_t>(count);
  settle_gauges();
  return ids;
}

void StoreModel::stage(BlockId id, const SequenceHash& hash) {
  slots_[id].hash = hash;
  ++metrics_.stagings;
  --metrics_.inflight_mutable;
}

void StoreModel::unstage(BlockId id) {
  slots_[id].hash = {};
  ++metrics_.inflight_mutable;
}

/// A mutable block has no hash here, a staged one has; no hash of a test is zero.
void StoreModel::drop_exclusive(BlockId id) {
  if (slots_[id].hash == SequenceHash()) --metrics_.inflight_mutable;
  free_.push_back(id);
  settle_gauges();
}

std::optional<BlockId> StoreModel::look_up(const SequenceHash& hash) {
  const auto found = primary_.find(hash);
  if (found == primary_.end()) return std::nullopt;
  Slot& slot = slots_[found->second];
  if (slot.holders == 0) {
    idle_->remove(hash, found->second);
    --idle_count_;
    settle_gauges();
  }
  ++slot.holders;
  return found->second;
}

BlockId StoreModel::register_one(BlockId id, std::vector<BlockId>& rejected) {
  Slot& slot = slots_[id];
  ++metrics_.registrations;
  ++metrics_.inflight_immutable;
  const bool known = registered(slot.hash);
  const std::optional<BlockId> found = look_up(slot.hash);
  if (found && options_.duplication == DuplicationPolicy::Reject) {
    ++metrics_.registration_dedup;
    rejected.push_back(id);
    return *found;
  }
  slot.registered = true;
  slot.holders = 1;
  slot.tenancy = ++tenancies_;
  slot.primary = found;  // whose hold from look_up() the duplicate keeps
  if (found) {
    ++metrics_.duplicate_blocks;
  } else {
    primary_[slot.hash] = id;
  }
  if (!known) touch(slot.hash);
  return id;
}

std::vector<BlockId> StoreModel::register_blocks(const std::vector<BlockId>& ids) {
  std::vector<BlockId> result, rejected;
  for (const BlockId id : ids) result.push_back(register_one(id, rejected));
  for (const BlockId id : rejected) free_.push_back(id);
  settle_gauges();
  return result;
}

std::vector<BlockId> StoreModel::match(const std::vector<SequenceHash>& hashes) {
  std::vector<BlockId> ids;
  for (const SequenceHash& hash : hashes) {
    const std::optional<BlockId> id = look_up(hash);
    if (!id) break;
    ids.push_back(*id);
    touch(hash);
  }
  metrics_.match_hashes_requested += hashes.size();
  metrics_.match_blocks_returned += ids.size();
  metrics_.inflight_immutable += static_cast<std::int64_t>(ids.size());
  return ids;
}

std::vector<BlockId> StoreModel::match_scattered(const std::vector<SequenceHash>& hashes) {
  std::vector<BlockId> ids;
  for (const SequenceHash& hash : hashes) {
    const std::optional<BlockId> id = look_up(hash);
    ids.push_back(id.value_or(kNoBlock));
    if (!id) continue;
    touch(hash);
    ++metrics_.match_blocks_returned;
    ++metrics_.inflight_immutable;
  }
  metrics_.match_hashes_requested += hashes.size();
  return ids;
}

std::vector<BlockId> StoreModel::scan(const std::vector<SequenceHash>& hashes, bool touched) {
  std::vector<BlockId> ids;
  std::set<SequenceHash> seen;
  for (const SequenceHash& hash : hashes) {
    if (touched && registered(hash)) touch(hash);
    if (seen.contains(hash)) continue;
    const std::optional<BlockId> id = look_up(hash);
    if (!id) continue;
    seen.insert(hash);
    ids.push_back(*id);
  }
  metrics_.scan_hashes_requested += hashes.size();
  metrics_.scan_blocks_returned += ids.size();
  metrics_.inflight_immutable += static_cast<std::int64_t>(ids.size());
  return ids;
}

void StoreModel::copy(BlockId id, bool pin) {
  ++slots_[id].holders;
  metrics_.inflight_immutable += pin ? 0 : 1;
}

void StoreModel::drop(BlockId id, bool pin) {
  metrics_.inflight_immutable -= pin ? 0 : 1;
  release(id);
  settle_gauges();
}

void StoreModel::release(BlockId id) {
  Slot& slot = slots_[id];
  if (--slot.holders != 0) return;
  if (slot.primary) {
    const BlockId primary = *slot.primary;
    leave(id);
    return release(primary);
  }
  if (slot.reset) {
    primary_.erase(slot.hash);
    return leave(id);
  }
  idle_->insert(slot.hash, id);
  ++idle_count_;
}

void StoreModel::leave(BlockId id) {
  slots_[id] = Slot{};
  free_.push_back(id);
}

StoreModel::Weak StoreModel::downgrade(BlockId id) {
  copy_reference(slots_[id].hash);
  return {slots_[id].hash, id, slots_[id].tenancy};
}

std::optional<BlockId> StoreModel::upgrade(const Weak& weak) {
  Slot& slot = slots_[weak.id];
  std::optional<BlockId> id;
  if (slot.registered && slot.tenancy == weak.tenancy && slot.holders != 0) {
    ++slot.holders;
    id = weak.id;
  } else {
    id = look_up(weak.hash);
  }
  metrics_.inflight_immutable += id ? 1 : 0;
  return id;
}

void StoreModel::register_hash(const SequenceHash& hash) {
  if (!registered(hash)) touch(hash);
  copy_reference(hash);
}

std::size_t StoreModel::reset_inactive_pool() {
  std::size_t drained = 0;
  while (const std::optional<BlockId> id = evict()) {
    leave(*id);
    ++drained;
  }
  settle_gauges();
  return drained;
}

std::size_t StoreModel::registered_count() const {
  std::size_t count = primary_.size();
  for (const auto& [hash, references] : references_) count += references != 0 && !present(hash) ? 1 : 0;
  return count;
}

}  // namespace kvbm::test
