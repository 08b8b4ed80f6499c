#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/block_hint.hpp"
#include "kvbm/base/result.hpp"
#include "kvbm/blocks/run_hold.hpp"
#include "kvbm/events/change_log.hpp"
#include "kvbm/manager/manager_options.hpp"

namespace kvbm {

class BlockStore;

/// The untemplated half of BlockManager; see there.
class ManagerCore {
 public:
  [[nodiscard]] static Result<ManagerCore, InvalidOptions> create(ManagerOptions options, TierKey tier,
                                                                  const std::string& tier_label);
  ManagerCore(ManagerCore&& other) noexcept;
  ManagerCore& operator=(ManagerCore&& other) noexcept;
  ~ManagerCore();

  [[nodiscard]] std::optional<RunHold> allocate(std::uint32_t count) const;
  [[nodiscard]] std::optional<RunHold> allocate(std::uint32_t count, std::vector<SequenceHash>& evicted) const;
  /// kNoBlock if there is none.
  [[nodiscard]] BlockId allocate_block() const;
  [[nodiscard]] RunHold register_blocks(RunHold&& run) const;
  /// Takes over a staged block; the result is pinned once.
  [[nodiscard]] BlockId register_block(ExclusiveHold&& block) const {
    KVBM_ASSERT(block.store_head() == store_, "a block of another manager");
    return register_staged(block.detach());  // in line, so that the guards on the way here leave no trace
  }
  [[nodiscard]] RunHold match(std::span<const SequenceHash> hashes) const;
  [[nodiscard]] RunHold match_hinted(std::span<const SequenceHash> hashes, std::span<const BlockHint> hints) const;
  [[nodiscard]] RunHold match_scattered(std::span<const SequenceHash> hashes) const;
  [[nodiscard]] RunHold scan(std::span<const SequenceHash> hashes, bool touch) const;
  /// Pinned once, or kNoBlock.
  [[nodiscard]] BlockId match_block(const SequenceHash& hash) const;
  [[nodiscard]] StoreHead& head() const noexcept { return *store_; }

  struct Drained {
    std::uint32_t drained, free;
  };
  Drained drain_inactive() const;

  [[nodiscard]] ManagerId id() const noexcept;
  [[nodiscard]] std::uint32_t total_blocks() const noexcept;
  [[nodiscard]] std::uint32_t available_blocks() const noexcept;
  [[nodiscard]] std::uint32_t tokens_per_block() const noexcept { return store_->tokens_per_block; }
  [[nodiscard]] DuplicationPolicy duplication_policy() const noexcept { return duplication_; }
  [[nodiscard]] const BlockRegistry& registry() const noexcept { return registry_; }
  [[nodiscard]] std::shared_ptr<const ChangeLog> change_log() const noexcept;
  [[nodiscard]] RegisteredBlocks registered_blocks() const;
  [[nodiscard]] PoolMetrics metrics() const;
  void check_invariants() const;

 private:
  class Source;

  [[nodiscard]] BlockId register_staged(BlockId id) const;

  ManagerCore(BlockStore& store, BlockRegistry registry, DuplicationPolicy duplication, std::string label);
  void close() noexcept;

  [[nodiscard]] BlockStore& store() const noexcept;

  StoreHead* store_;  // a BlockStore; null: moved from
  BlockRegistry registry_;
  DuplicationPolicy duplication_;
  std::shared_ptr<Source> source_;
};

}  // namespace kvbm
