#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/support/policies.hpp"
#include "bench/support/replay.hpp"
#include "bench/support/tiered_options.hpp"
#include "bench/support/tiered_pages.hpp"
#include "kvbm/tiering/tiered_cache.hpp"

namespace kvbm::bench {

struct TieredReplayCounts {
  ReplayCounts requests;  ///< hit_blocks of both tiers; a page counts as verified each time it is read, in either tier
  std::uint64_t g1_hit_blocks = 0;
  std::uint64_t g2_hit_blocks = 0;
};

/// Serves requests one after another from two tiers, as Replay does from one: match over both, make the prefix resident
/// in G1, take up what else is there, allocate and fill what is missing, register it, and let go, tail first. Between
/// its steps it waits until every page under way has arrived, so that the counts are those of a serial cache. Every
/// page is verified where it arrives and whenever it is used.
///
/// Threads  one at a time.
class TieredReplay {
 public:
  /// Errors  DeviceError; std::bad_alloc; std::runtime_error without the GPU that is wanted.
  TieredReplay(const Policy& policy, std::uint32_t g1_blocks, const TieredOptions& options);

  void serve(std::span<const SequenceHash> request);

  [[nodiscard]] const TieredReplayCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] const TieredCache& cache() const noexcept { return cache_; }
  [[nodiscard]] const std::string& device_name() const noexcept { return device_->capabilities().name; }
  /// What failed so far, once each.
  [[nodiscard]] std::vector<TieringFailure> take_failures();

 private:
  using Run = BlockRun<ImmutableBlock<G1>>;

  [[nodiscard]] TieredCache make_cache(const Policy& policy, std::uint32_t g1_blocks, const TieredOptions& options);
  [[nodiscard]] Run onboard(TieredMatch match, std::span<const SequenceHash> hashes);
  [[nodiscard]] Run obtain(std::span<const SequenceHash> hashes);
  [[nodiscard]] Run add(std::span<const SequenceHash> hashes);
  void verify(PagesArrived::Tier tier, std::span<const BlockId> blocks, std::span<const SequenceHash> hashes);

  const TierMode mode_;
  const std::shared_ptr<Device> device_;
  TieredPages pages_;
  TieredReplayCounts counts_;
  std::vector<TieringFailure> failures_;
  const TieredCache cache_;
};

}  // namespace kvbm::bench
