#include "kvbm/manager/manager_core.hpp"

#include <bit>
#include <utility>

#include "kvbm/base/mutex.hpp"
#include "src/host/base/nvtx.hpp"
#include "src/host/pools/block_store.hpp"
#include "src/host/pools/make_backend.hpp"

namespace kvbm {
namespace {

using Code = InvalidOptions::Code;

std::optional<InvalidOptions> check_eviction(const ManagerOptions& options) {
  if (const auto* custom = std::get_if<CustomEviction>(&options.eviction); custom != nullptr && !custom->make) {
    return InvalidOptions{Code::BackendMissing, "custom eviction needs a function that makes the backend"};
  }
  const auto* multi_lru = std::get_if<MultiLruEviction>(&options.eviction);
  if (multi_lru == nullptr) return std::nullopt;
  const auto& thresholds = multi_lru->thresholds;
  if (thresholds[0] >= thresholds[1] || thresholds[1] >= thresholds[2]) {
    return InvalidOptions{Code::ThresholdsNotAscending, "multi-LRU thresholds must be in ascending order"};
  }
  if (thresholds[2] > 15) return InvalidOptions{Code::ThresholdTooHigh, "multi-LRU thresholds must be <= 15"};
  if (thresholds[0] < 1) return InvalidOptions{Code::ThresholdTooLow, "multi-LRU thresholds must be >= 1"};
  if (!options.registry->has_frequency_tracking()) {
    return InvalidOptions{Code::TrackerMissing, "multi-LRU needs a registry with frequency tracking"};
  }
  return std::nullopt;
}

std::optional<InvalidOptions> check(const ManagerOptions& options) {
  if (!options.registry) return InvalidOptions{Code::RegistryMissing, "registry is required"};
  if (!options.blocks) return InvalidOptions{Code::BlocksMissing, "block_count is required"};
  if (*options.blocks == 0) return InvalidOptions{Code::BlocksZero, "block_count must be greater than 0"};
  if (*options.blocks > ManagerOptions::kMostBlocks) {
    return InvalidOptions{Code::TooManyBlocks,
                          "block_count must be at most " + std::to_string(ManagerOptions::kMostBlocks)};
  }
  if (options.tokens_per_block < 1 || options.tokens_per_block > ManagerOptions::kMostTokensPerBlock) {
    return InvalidOptions{Code::TokensPerBlockOutOfRange, "block_size must be between 1 and 1024"};
  }
  if (!std::has_single_bit(options.tokens_per_block)) {
    return InvalidOptions{Code::TokensPerBlockNotPowerOfTwo, "block_size must be a power of 2"};
  }
  if (options.change_log > ManagerOptions::kMostChanges) {
    return InvalidOptions{Code::TooManyChanges,
                          "change_log must be at most " + std::to_string(ManagerOptions::kMostChanges)};
  }
  return check_eviction(options);
}

}  // namespace

/// What aggregators hold: answers for the store as long as the manager lives, then with its last figures.
class ManagerCore::Source final : public MetricsSource {
 public:
  Source(const BlockStore& store, std::string label) : store_(&store), label_(std::move(label)) {}

  [[nodiscard]] std::string label() const override { return label_; }
  [[nodiscard]] PoolMetrics snapshot() const override {
    MutexLock lock(mutex_);
    return store_ != nullptr ? store_->metrics() : last_;
  }
  void close() {
    MutexLock lock(mutex_);
    last_ = store_->metrics();
    store_ = nullptr;
  }

 private:
  mutable Mutex mutex_;
  const BlockStore* store_ KVBM_GUARDED_BY(mutex_);
  PoolMetrics last_ KVBM_GUARDED_BY(mutex_);
  const std::string label_;
};

Result<ManagerCore, InvalidOptions> ManagerCore::create(ManagerOptions options, TierKey tier,
                                                        const std::string& tier_label) {
  if (std::optional<InvalidOptions> invalid = check(options)) return fail(std::move(*invalid));
  std::unique_ptr<EvictionBackend> backend = make_backend(options.eviction, options.registry->tracker());
  if (backend == nullptr) return fail(InvalidOptions{Code::BackendMissing, "custom eviction made no backend"});

  std::shared_ptr<ChangeLog> log;
  if (options.change_log != 0) log = std::make_shared<ChangeLog>(options.change_log);
  std::string label = options.label.empty() ? tier_label : options.label;  // before the store, since it may throw
  auto* store =
      new BlockStore({*options.blocks, options.tokens_per_block, tier, options.duplication, options.reset_on_release,
                      std::move(backend), options.registry->state(), std::move(log)});
  ManagerCore core(*store, *options.registry, options.duplication, std::move(label));
  if (options.metrics) options.metrics->register_source(core.source_);
  return core;
}

ManagerCore::ManagerCore(BlockStore& store, BlockRegistry registry, DuplicationPolicy duplication, std::string label)
    : store_(&store), registry_(std::move(registry)), duplication_(duplication) {
  try {
    source_ = std::make_shared<Source>(store, std::move(label));
  } catch (...) {
    store.close();
    throw;
  }
}

ManagerCore::ManagerCore(ManagerCore&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)),
      registry_(std::move(other.registry_)),
      duplication_(other.duplication_),
      source_(std::move(other.source_)) {}

ManagerCore& ManagerCore::operator=(ManagerCore&& other) noexcept {
  if (this != &other) {
    close();
    store_ = std::exchange(other.store_, nullptr);
    registry_ = std::move(other.registry_);
    duplication_ = other.duplication_;
    source_ = std::move(other.source_);
  }
  return *this;
}

ManagerCore::~ManagerCore() { close(); }

void ManagerCore::close() noexcept {
  if (store_ == nullptr) return;
  source_->close();
  store_of(*std::exchange(store_, nullptr)).close();
}

BlockStore& ManagerCore::store() const noexcept { return store_of(*store_); }

// Operations on runs are NVTX ranges; those on one block cost too little themselves.

std::optional<RunHold> ManagerCore::allocate(std::uint32_t count) const {
  return KVBM_NVTX_OVER("kvbm.allocate", NvtxCategory::None, count, store().allocate(count));
}

std::optional<RunHold> ManagerCore::allocate(std::uint32_t count, std::vector<SequenceHash>& evicted) const {
  return KVBM_NVTX_OVER("kvbm.allocate_with_evictions", NvtxCategory::Evict, count, store().allocate(count, evicted));
}

BlockId ManagerCore::allocate_block() const { return store().allocate_one(); }

RunHold ManagerCore::register_blocks(RunHold&& run) const {
  KVBM_ASSERT(run.store_head() == nullptr || run.store_head() == store_, "blocks of another manager");
  return KVBM_NVTX_OVER("kvbm.register_blocks", NvtxCategory::None, run.size(), store().register_run(std::move(run)));
}

BlockId ManagerCore::register_staged(BlockId id) const { return store().register_one(id); }

RunHold ManagerCore::match(std::span<const SequenceHash> hashes) const {
  return KVBM_NVTX_OVER("kvbm.match_blocks", NvtxCategory::Lookup, hashes.size(), store().match(hashes));
}

RunHold ManagerCore::match_hinted(std::span<const SequenceHash> hashes, std::span<const BlockHint> hints) const {
  return store().match_hinted(hashes, hints);
}

RunHold ManagerCore::match_scattered(std::span<const SequenceHash> hashes) const {
  return KVBM_NVTX_OVER("kvbm.match_scattered", NvtxCategory::Lookup, hashes.size(), store().match_scattered(hashes));
}

RunHold ManagerCore::scan(std::span<const SequenceHash> hashes, bool touch) const {
  return KVBM_NVTX_OVER("kvbm.scan_matches", NvtxCategory::Lookup, hashes.size(), store().scan(hashes, touch));
}

BlockId ManagerCore::match_block(const SequenceHash& hash) const { return store().match_one(hash); }

ManagerCore::Drained ManagerCore::drain_inactive() const {
  KVBM_NVTX_RANGE("kvbm.reset_inactive_pool", NvtxCategory::Evict);
  const BlockStore::Drained drained = store().drain_inactive();
  return {drained.drained, drained.free};
}

ManagerId ManagerCore::id() const noexcept { return store().id(); }
std::uint32_t ManagerCore::total_blocks() const noexcept { return store().blocks(); }
std::uint32_t ManagerCore::available_blocks() const noexcept { return store().available(); }
std::shared_ptr<const ChangeLog> ManagerCore::change_log() const noexcept { return store().log(); }
RegisteredBlocks ManagerCore::registered_blocks() const { return store().registered_blocks(); }
PoolMetrics ManagerCore::metrics() const { return store().metrics(); }
void ManagerCore::check_invariants() const { store().check_invariants(); }

}  // namespace kvbm
