#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "kvbm/device/device.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "kvbm/tiering/tiered_cache.hpp"

namespace engine {

struct CacheOptions {
  std::uint32_t tokens_per_block = 8;
  std::uint32_t g1_blocks = 0;
  std::uint32_t g2_blocks = 0;
};

/// What became of the blocks that requests asked for.
struct CacheCounts {
  std::uint64_t g1_hits = 0;
  std::uint64_t g2_hits = 0;    ///< found in G2; what could not be brought to G1 counts too
  std::uint64_t onboarded = 0;  ///< brought to G1
  std::uint64_t offloaded = 0;
  std::uint64_t evicted = 0;   ///< from G1
  std::uint64_t failures = 0;  ///< copies between the tiers
};

/// The KV cache of this engine: pages in device memory, a region per layer, and whole blocks in pinned memory behind
/// it. It is where the sequences have their blocks from (kvbm::BlockSource).
class Cache {
 public:
  using Blocks = kvbm::BlockRun<kvbm::MutableBlock<kvbm::G1>>;
  using CompleteBlocks = kvbm::BlockRun<kvbm::CompleteBlock<kvbm::G1>>;
  using Prefix = kvbm::BlockRun<kvbm::ImmutableBlock<kvbm::G1>>;

  /// `compute`: the stream whose kernels read and write the pages of G1.
  /// Errors  DeviceError; std::runtime_error naming what kvbm refused.
  Cache(const std::shared_ptr<kvbm::Device>& device, kvbm::StreamView compute, const CacheOptions& options);

  [[nodiscard]] const std::shared_ptr<const kvbm::BlockLayout>& g1_layout() const { return g1_layout_; }
  [[nodiscard]] std::uint32_t available_blocks() const { return tiers_.g1().available_blocks(); }
  [[nodiscard]] CacheCounts counts() const;

  /// Finds the longest prefix in both tiers and starts to bring up what is in G2.
  [[nodiscard]] kvbm::Onboarding onboard(std::span<const kvbm::SequenceHash> hashes);
  /// Waits until no page is on its way between the tiers.
  void settle() { tiers_.settle(); }
  /// Empties both tiers. False if somebody holds a block.
  [[nodiscard]] bool clear();

  // ---- BlockSource ----
  [[nodiscard]] std::uint32_t tokens_per_block() const { return tiers_.g1().tokens_per_block(); }
  [[nodiscard]] std::optional<Blocks> allocate(std::uint32_t count);
  [[nodiscard]] Prefix register_blocks(CompleteBlocks blocks) { return tiers_.register_blocks(std::move(blocks)); }
  [[nodiscard]] Prefix match_blocks(std::span<const kvbm::SequenceHash> hashes) {
    return onboard(hashes).finish().prefix;
  }

 private:
  std::shared_ptr<const kvbm::BlockLayout> g1_layout_;
  kvbm::TieredCache tiers_;
  std::uint64_t g1_hits_ = 0;
  std::uint64_t g2_hits_ = 0;
};

}  // namespace engine
