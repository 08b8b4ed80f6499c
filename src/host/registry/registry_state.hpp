#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/registry/block_registry.hpp"
#include "src/host/base/hash_index.hpp"
#include "src/host/base/lineage.hpp"

namespace kvbm {

/// A store as the registry sees it: something that carries hashes in one tier. Every call locks the store.
class HashHolder {
 public:
  [[nodiscard]] virtual TierKey tier() const noexcept = 0;
  [[nodiscard]] virtual bool holds(const SequenceHash& hash) const noexcept = 0;
  /// holds(), and from now on the store reports when it gives the hash up.
  virtual bool watch(const SequenceHash& hash) noexcept = 0;
  [[nodiscard]] virtual std::size_t held_count() const noexcept = 0;
  /// All hashes it carries. Errors  std::bad_alloc.
  [[nodiscard]] virtual std::vector<SequenceHash> held_hashes() const = 0;

 protected:
  ~HashHolder() = default;
};

/// What a registry writes down about one hash once somebody asks for it.
struct RegistrationRecord {
  SequenceHash hash;
  std::size_t references = 0;  // handles and weak blocks; under the shard's mutex
  bool announced = false;      // the hook has run for it; under the shard's mutex
  std::unique_ptr<Attachments> attachments;
  Mutex callbacks_mutex;
  std::vector<std::function<void(const SequenceHash&)>> callbacks KVBM_GUARDED_BY(callbacks_mutex);
};

/// The records of a registry, and the stores that carry hashes.
///
/// A record goes when nothing refers to it and no store carries its hash. Stores report hashes they give up only if
/// they were told to watch them, or gained them while any record existed.
///
/// Threads  any. Locks: attachments, shard, holders, store, in this order.
class RegistryState : public std::enable_shared_from_this<RegistryState> {
 public:
  explicit RegistryState(RegistryOptions options) : options_(std::move(options)) {}

  [[nodiscard]] const std::shared_ptr<FrequencyTracker>& tracker() const noexcept { return options_.tracker; }
  [[nodiscard]] bool has_hook() const noexcept { return options_.on_registered != nullptr; }

  // For stores. None may be called with a store locked, except has_records().
  void attach(HashHolder& holder) KVBM_EXCLUDES(holders_mutex_);
  void detach(HashHolder& holder) noexcept KVBM_EXCLUDES(holders_mutex_);
  /// Whether a record may exist. A store that gains a hash while this is true watches it.
  [[nodiscard]] bool has_records() const noexcept { return record_count_.load(std::memory_order_relaxed) != 0; }
  /// Whether anything but `holder` may have an opinion on whether a hash is registered.
  [[nodiscard]] bool has_others() const noexcept {
    return has_records() || holder_count_.load(std::memory_order_relaxed) > 1;
  }
  /// Whether a record, or a store other than `holder`, says that `hash` is registered.
  [[nodiscard]] bool live_elsewhere(const SequenceHash& hash, const HashHolder* holder) const;
  /// `hash` became registered: hook, then count. Called after the store published it.
  void became_registered(const SequenceHash& hash);
  /// A watched hash was given up by a store.
  void given_up(const SequenceHash& hash) noexcept;

  // For handles.
  [[nodiscard]] Registration reference(const SequenceHash& hash);
  /// A handle of a hash that counts as announced without hook and count.
  [[nodiscard]] Registration transfer(const SequenceHash& hash);
  [[nodiscard]] std::vector<Registration> register_hashes(std::span<const SequenceHash> hashes);
  [[nodiscard]] std::optional<Registration> find(const SequenceHash& hash);
  void add_reference(RegistrationRecord& record) noexcept;
  void drop_reference(RegistrationRecord& record) noexcept;

  [[nodiscard]] bool is_registered(const SequenceHash& hash) const;
  [[nodiscard]] std::size_t registered_count() const;
  [[nodiscard]] bool has_any_block(const SequenceHash& hash, std::span<const TierKey> tiers) const;

 private:
  struct Shard {
    mutable Mutex mutex;
    HashIndex index KVBM_GUARDED_BY(mutex);
    std::uint32_t index_capacity KVBM_GUARDED_BY(mutex) = 0;
    std::deque<RegistrationRecord> records KVBM_GUARDED_BY(mutex);
    std::vector<std::uint32_t> unused KVBM_GUARDED_BY(mutex);
    std::uint32_t live KVBM_GUARDED_BY(mutex) = 0;
  };
  static constexpr std::size_t kShards = 16;
  static constexpr std::uint32_t kNone = 0xFFFF'FFFFu;

  /// What a removed record leaves to destroy once no lock is held.
  struct Remains {
    std::unique_ptr<Attachments> attachments;
    std::vector<std::function<void(const SequenceHash&)>> callbacks;
  };

  [[nodiscard]] Shard& shard_of(const SequenceHash& hash) const noexcept {
    return shards_[(lineage_tag(hash) * 0x9E37'79B9u) >> 28];
  }
  /// A handle of a registration made by hand or by a store. `first`: hook and count are the caller's to run.
  [[nodiscard]] Registration claim(const SequenceHash& hash, bool& first);
  void announce(const Registration& registration);
  [[nodiscard]] std::uint32_t find_record(Shard& shard, const SequenceHash& hash) const KVBM_REQUIRES(shard.mutex);
  RegistrationRecord& find_or_make(Shard& shard, const SequenceHash& hash) KVBM_REQUIRES(shard.mutex);
  [[nodiscard]] Remains remove_if_dead(Shard& shard, std::uint32_t id) KVBM_REQUIRES(shard.mutex);
  [[nodiscard]] bool any_holds(const SequenceHash& hash, const HashHolder* except) const;
  Registration handle(RegistrationRecord& record) { return Registration(shared_from_this(), &record); }

  RegistryOptions options_;
  mutable std::array<Shard, kShards> shards_;
  std::atomic<std::size_t> record_count_{0};
  std::atomic<std::size_t> holder_count_{0};
  mutable Mutex holders_mutex_;
  std::vector<HashHolder*> holders_ KVBM_GUARDED_BY(holders_mutex_);
};

}  // namespace kvbm
