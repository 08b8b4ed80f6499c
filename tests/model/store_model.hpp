#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "kvbm/pools/pool_metrics.hpp"
#include "tests/model/idle_model.hpp"

namespace kvbm::test {

/// A manager with its registry, said as simply as possible: maps, lists, and no thought of speed or threads.
class StoreModel {
 public:
  struct Options {
    std::uint32_t blocks;
    DuplicationPolicy duplication;
    bool reset_on_release;
    EvictionOptions eviction;
  };
  struct Weak {
    SequenceHash hash;
    BlockId id;
    std::uint64_t tenancy;
  };

  explicit StoreModel(const Options& options)
      : options_(options), slots_(options.blocks), idle_(idle_model(options_.eviction, uses_)) {
    for (BlockId id = 0; id < options.blocks; ++id) free_.push_back(id);
    settle_gauges();
  }

  // Blocks nobody can look up.
  std::optional<std::vector<BlockId>> allocate(std::size_t count, std::vector<SequenceHash>* evicted = nullptr);
  void stage(BlockId id, const SequenceHash& hash);
  void unstage(BlockId id);
  void drop_exclusive(BlockId id);

  // Registered blocks. A hold is counted by whoever is given an id here.
  std::vector<BlockId> register_blocks(const std::vector<BlockId>& ids);
  std::vector<BlockId> match(const std::vector<SequenceHash>& hashes);
  std::vector<BlockId> match_scattered(const std::vector<SequenceHash>& hashes);
  std::vector<BlockId> scan(const std::vector<SequenceHash>& hashes, bool touch);
  void copy(BlockId id, bool pin = false);
  void drop(BlockId id, bool pin = false);
  void set_reset(BlockId id, bool reset) { slots_[id].reset = reset; }

  Weak downgrade(BlockId id);
  std::optional<BlockId> upgrade(const Weak& weak);
  void copy_reference(const SequenceHash& hash) { ++references_[hash]; }
  void drop_reference(const SequenceHash& hash) { --references_[hash]; }
  /// A registration asked of the registry: counts a use if the hash is new.
  void register_hash(const SequenceHash& hash);
  void touch(const SequenceHash& hash) { ++uses_[hash]; }

  std::size_t reset_inactive_pool();

  [[nodiscard]] const PoolMetrics& metrics() const { return metrics_; }
  [[nodiscard]] std::size_t available() const { return free_.size() + idle_count_; }
  [[nodiscard]] std::size_t free() const { return free_.size(); }
  [[nodiscard]] bool present(const SequenceHash& hash) const { return primary_.contains(hash); }
  [[nodiscard]] bool registered(const SequenceHash& hash) const { return present(hash) || referenced(hash); }
  [[nodiscard]] std::size_t registered_count() const;
  [[nodiscard]] std::uint32_t uses(const SequenceHash& hash) const { return uses_.contains(hash) ? uses_.at(hash) : 0; }
  [[nodiscard]] std::size_t use_count(BlockId id) const { return slots_[id].holders; }

 private:
  struct Slot {
    SequenceHash hash;
    std::size_t holders = 0;  // guards, run elements, pins, duplicates that rely on it
    bool registered = false;
    bool reset = false;
    std::uint64_t tenancy = 0;
    std::optional<BlockId> primary;  // of a duplicate
  };

  void settle_gauges() {
    metrics_.reset_pool_size = static_cast<std::int64_t>(free_.size());
    metrics_.inactive_pool_size = static_cast<std::int64_t>(idle_count_);
  }
  [[nodiscard]] bool referenced(const SequenceHash& hash) const {
    return references_.contains(hash) && references_.at(hash) != 0;
  }
  std::optional<BlockId> look_up(const SequenceHash& hash);
  BlockId register_one(BlockId id, std::vector<BlockId>& rejected);
  void release(BlockId id);
  void leave(BlockId id);
  std::optional<BlockId> evict();

  Options options_;
  std::vector<Slot> slots_;
  std::deque<BlockId> free_;
  std::map<SequenceHash, BlockId> primary_;  // in use and idle
  std::map<SequenceHash, std::uint32_t> uses_;
  std::map<SequenceHash, std::size_t> references_;  // registrations held, weak blocks included
  std::unique_ptr<IdleModel> idle_;
  std::size_t idle_count_ = 0;
  std::uint64_t tenancies_ = 0;
  PoolMetrics metrics_;
};

}  // namespace kvbm::test
