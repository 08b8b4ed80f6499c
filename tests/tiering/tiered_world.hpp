#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/tiering/tiered_cache.hpp"
#include "tests/support/kernel_gate.hpp"

namespace kvbm::test {

/// Two small tiers on an emulated device, with pages whose bytes follow from their hashes. Everything that arrives in a
/// tier is read and compared.
class TieredWorld {
 public:
  struct Options {
    EvictionOptions eviction = LruEviction{};
    std::optional<BlockRegistry> registry{};
    std::uint32_t g1_blocks = 4;
    std::uint32_t g2_blocks = 8;
    TierMode mode = TierMode::Exclusive;
    OffloadPolicy offload = OffloadPolicy::OnEviction;
    std::uint32_t offload_blocks_max = 1024;
    std::uint32_t queue_max = 1024;
    std::uint32_t staging_blocks = 16;
    LayoutKind g1_layout = LayoutKind::FullyContiguous;
    bool layer_events = false;
    bool gated = false;  ///< copies wait for open_gate()
    std::optional<Mechanism> mechanism{};
    std::size_t bytes_in_flight_max = 32u << 20;  ///< a page has 256 bytes
    std::uint32_t change_log = 0;                 ///< of both managers
    EmulatedDeviceOptions device{};
    /// What stands between the engine and the device; null: nothing.
    std::function<std::shared_ptr<Device>(const std::shared_ptr<EmulatedDevice>&)> face{};
  };

  /// Errors  DeviceError.
  TieredWorld() : TieredWorld(Options{}) {}
  explicit TieredWorld(const Options& options);

  [[nodiscard]] TieredCache& cache() noexcept { return *cache_; }
  [[nodiscard]] const BlockManager<G1>& g1() const noexcept { return cache_->g1(); }
  [[nodiscard]] const BlockManager<G2>& g2() const noexcept { return cache_->g2(); }
  [[nodiscard]] const BlockRegistry& registry() const noexcept { return registry_; }
  [[nodiscard]] const std::shared_ptr<EmulatedDevice>& device() const noexcept { return device_; }
  [[nodiscard]] StreamView stream() const noexcept { return stream_->view(); }
  [[nodiscard]] TransferEngine& engine() noexcept { return *engine_; }
  void drop_cache() noexcept { cache_.reset(); }
  void drop_engine() noexcept { engine_.reset(); }

  void fill(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) const;
  [[nodiscard]] bool holds_g1(BlockId block, const SequenceHash& hash) const;
  [[nodiscard]] bool holds_g2(BlockId block, const SequenceHash& hash) const;
  /// Pages that arrived with a wrong byte, and those found so by audit().
  [[nodiscard]] std::uint64_t corrupt() const noexcept { return corrupt_; }
  [[nodiscard]] std::uint64_t arrived() const noexcept { return arrived_; }

  /// Computes these blocks and registers them in G1. Waits for its victims' pages, not for all else.
  BlockRun<ImmutableBlock<G1>> compute(std::span<const SequenceHash> hashes);
  /// Puts blocks into G2 without any copy.
  void put_in_g2(std::span<const SequenceHash> hashes);
  /// A page on its way that fills a budget of one page until open_gate(): down to G2, or up from there.
  [[nodiscard]] Completion fill_budget(PagesArrived::Tier towards);
  /// Returns when the device has been given so many kernels since the gate's.
  void wait_for_launches(std::uint64_t count) const;
  /// Brings the cached prefix into G1 and returns it.
  Onboarded fetch(std::span<const SequenceHash> hashes);
  /// match() with its answer as text: 1 or 2 for each block.
  [[nodiscard]] std::string matched(std::span<const SequenceHash> hashes);
  [[nodiscard]] bool in_g1(const SequenceHash& hash) const { return is_in<G1>(hash); }
  [[nodiscard]] bool in_g2(const SequenceHash& hash) const { return is_in<G2>(hash); }

  /// Everything is idle or reset, adds up, and carries its own bytes. Registered blocks change places in the orders.
  void expect_sound(std::span<const SequenceHash> universe);

  void open_gate() { gate_->open(); }
  void wait_until_gate_holds() { gate_->wait_until_held(); }

 private:
  template <class Tier>
  [[nodiscard]] bool is_in(const SequenceHash& hash) const {
    return registry_.check_presence<Tier>({&hash, 1}).front().second;
  }

  const std::shared_ptr<EmulatedDevice> device_;
  const BlockRegistry registry_;
  std::optional<Stream> stream_;
  std::optional<KernelGate> gate_;
  std::shared_ptr<const BlockLayout> g1_layout_;
  std::shared_ptr<const BlockLayout> g2_layout_;
  std::shared_ptr<TransferEngine> engine_;
  std::atomic<std::uint64_t> arrived_{0};
  std::atomic<std::uint64_t> corrupt_{0};
  std::optional<TieredCache> cache_;
};

}  // namespace kvbm::test
