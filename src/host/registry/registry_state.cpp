#include "src/host/registry/registry_state.hpp"

#include <algorithm>
#include <unordered_set>

#include "kvbm/base/assert.hpp"

namespace kvbm {

void RegistryState::attach(HashHolder& holder) {
  MutexLock lock(holders_mutex_);
  holders_.push_back(&holder);
  holder_count_.store(holders_.size(), std::memory_order_relaxed);  // relaxed: a hint, see has_others()
}

void RegistryState::detach(HashHolder& holder) noexcept {
  MutexLock lock(holders_mutex_);
  std::erase(holders_, &holder);
  holder_count_.store(holders_.size(), std::memory_order_relaxed);
}

bool RegistryState::any_holds(const SequenceHash& hash, const HashHolder* except) const {
  MutexLock lock(holders_mutex_);
  return std::any_of(holders_.begin(), holders_.end(),
                     [&](const HashHolder* holder) { return holder != except && holder->holds(hash); });
}

std::uint32_t RegistryState::find_record(Shard& shard, const SequenceHash& hash) const {
  if (shard.live == 0) return kNone;
  const auto same = [&](std::uint32_t id) KVBM_NO_THREAD_SAFETY_ANALYSIS { return shard.records[id].hash == hash; };
  return shard.index.find(lineage_tag(hash), kNone, same);
}

RegistrationRecord& RegistryState::find_or_make(Shard& shard, const SequenceHash& hash) {
  if (const std::uint32_t found = find_record(shard, hash); found != kNone) return shard.records[found];
  if (shard.live == shard.index_capacity) {
    const std::uint32_t larger = std::max<std::uint32_t>(16, 2 * shard.index_capacity);
    shard.index.grow(larger);
    shard.index_capacity = larger;
  }
  if (shard.unused.empty()) {
    if (shard.unused.capacity() <= shard.records.size()) {
      shard.unused.reserve(2 * shard.records.size() + 16);  // so that giving the record back cannot fail
    }
    shard.records.emplace_back();
    shard.unused.push_back(static_cast<std::uint32_t>(shard.records.size() - 1));
  }
  const std::uint32_t id = shard.unused.back();
  RegistrationRecord& record = shard.records[id];
  record.attachments = std::make_unique<Attachments>();
  shard.unused.pop_back();
  record.hash = hash;
  record.references = 0;
  record.announced = false;
  shard.index.find_or_insert(lineage_tag(hash), id, kNone, [](std::uint32_t) { return false; });
  ++shard.live;
  // Counted before the stores are told: one that gains the hash unseen by watch() has the count in view, since it takes
  // its lock after watch() released it.
  record_count_.fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(holders_mutex_);
  for (HashHolder* holder : holders_) holder->watch(hash);
  return record;
}

RegistryState::Remains RegistryState::remove_if_dead(Shard& shard, std::uint32_t id) {
  Remains remains;
  RegistrationRecord& record = shard.records[id];
  if (record.references != 0 || any_holds(record.hash, nullptr)) return remains;
  shard.index.erase(lineage_tag(record.hash), id);
  remains.attachments = std::move(record.attachments);
  {
    MutexLock lock(record.callbacks_mutex);
    remains.callbacks = std::exchange(record.callbacks, {});
  }
  shard.unused.push_back(id);
  --shard.live;
  record_count_.fetch_sub(1, std::memory_order_relaxed);
  return remains;
}

bool RegistryState::live_elsewhere(const SequenceHash& hash, const HashHolder* holder) const {
  {
    Shard& shard = shard_of(hash);
    MutexLock lock(shard.mutex);
    if (find_record(shard, hash) != kNone) return true;
  }
  return any_holds(hash, holder);
}

void RegistryState::became_registered(const SequenceHash& hash) {
  bool first = true;
  if (has_hook()) {
    const Registration registration = claim(hash, first);
    if (first) announce(registration);
  } else {
    options_.tracker->touch(hash);
  }
}

void RegistryState::given_up(const SequenceHash& hash) noexcept {
  Remains remains;  // dies after the lock
  Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  if (const std::uint32_t id = find_record(shard, hash); id != kNone) remains = remove_if_dead(shard, id);
}

Registration RegistryState::reference(const SequenceHash& hash) {
  Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  RegistrationRecord& record = find_or_make(shard, hash);
  ++record.references;
  return handle(record);
}

/// With a hook each registered hash has a record, which knows whether the hook has run; without one, a hash is new if
/// there is neither a record nor a block.
Registration RegistryState::claim(const SequenceHash& hash, bool& first) {
  Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  const bool known = !has_hook() && (find_record(shard, hash) != kNone || any_holds(hash, nullptr));
  RegistrationRecord& record = find_or_make(shard, hash);
  const bool announced = std::exchange(record.announced, true);
  first = has_hook() ? !announced : !known;
  ++record.references;
  return handle(record);
}

Registration RegistryState::transfer(const SequenceHash& hash) {
  Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  const bool unknown = find_record(shard, hash) == kNone && !any_holds(hash, nullptr);
  RegistrationRecord& record = find_or_make(shard, hash);
  if (unknown) record.announced = true;  // of a known hash, the store that published it may be about to announce it
  ++record.references;
  return handle(record);
}

void RegistryState::announce(const Registration& registration) {
  if (options_.on_registered) options_.on_registered(registration);
  if (options_.tracker) options_.tracker->touch(registration.hash());
}

std::vector<Registration> RegistryState::register_hashes(std::span<const SequenceHash> hashes) {
  std::vector<Registration> registrations;
  std::vector<std::size_t> fresh;
  registrations.reserve(hashes.size());
  for (const SequenceHash& hash : hashes) {
    bool first = false;
    registrations.push_back(claim(hash, first));
    if (first) fresh.push_back(registrations.size() - 1);
  }
  for (const std::size_t i : fresh) announce(registrations[i]);  // once all of them are to be found
  return registrations;
}

std::optional<Registration> RegistryState::find(const SequenceHash& hash) {
  Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  if (find_record(shard, hash) == kNone && !any_holds(hash, nullptr)) return std::nullopt;
  RegistrationRecord& record = find_or_make(shard, hash);
  ++record.references;
  return handle(record);
}

void RegistryState::add_reference(RegistrationRecord& record) noexcept {
  Shard& shard = shard_of(record.hash);
  MutexLock lock(shard.mutex);
  ++record.references;
}

void RegistryState::drop_reference(RegistrationRecord& record) noexcept {
  Remains remains;  // dies after the lock
  Shard& shard = shard_of(record.hash);
  MutexLock lock(shard.mutex);
  KVBM_ASSERT(record.references > 0, "registration dropped twice");
  if (--record.references != 0) return;
  const std::uint32_t id = find_record(shard, record.hash);
  KVBM_ASSERT(id != kNone, "registration lost its record");
  remains = remove_if_dead(shard, id);
}

bool RegistryState::is_registered(const SequenceHash& hash) const { return live_elsewhere(hash, nullptr); }

std::size_t RegistryState::registered_count() const {
  std::vector<SequenceHash> recorded;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    for (const RegistrationRecord& record : shard.records) {
      if (record.attachments != nullptr) recorded.push_back(record.hash);
    }
  }
  MutexLock lock(holders_mutex_);
  if (holders_.size() == 1) {
    const HashHolder& only = *holders_.front();
    const auto unheld =
        std::count_if(recorded.begin(), recorded.end(), [&](const SequenceHash& hash) { return !only.holds(hash); });
    return only.held_count() + static_cast<std::size_t>(unheld);
  }
  std::unordered_set<SequenceHash> all(recorded.begin(), recorded.end());
  for (const HashHolder* holder : holders_) {
    const std::vector<SequenceHash> held = holder->held_hashes();
    all.insert(held.begin(), held.end());
  }
  return all.size();
}

bool RegistryState::has_any_block(const SequenceHash& hash, std::span<const TierKey> tiers) const {
  MutexLock lock(holders_mutex_);
  return std::any_of(holders_.begin(), holders_.end(), [&](const HashHolder* holder) {
    return std::find(tiers.begin(), tiers.end(), holder->tier()) != tiers.end() && holder->holds(hash);
  });
}

}  // namespace kvbm
