#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/transfer/transfer_engine.hpp"
#include "tests/support/guarded_pages.hpp"
#include "tests/support/held_stream.hpp"

namespace kvbm::test {

/// A cache on an emulated device, a store in pinned memory, and an engine between them.
struct EngineWorld {
  static constexpr LayoutConfig kConfig{
      .blocks = 12, .layers = 3, .outer = 2, .tokens = 4, .inner = 8, .heads = 2, .element_bytes = 2};

  [[nodiscard]] static TransferEngineOptions options() {
    return {.transfers_max = 8,
            .blocks_max = 16,
            .bytes_in_flight_max = 2 * kConfig.block_bytes(),
            .staging_bytes = 16 * kConfig.block_bytes(),
            .staging_slots = 2,
            .calibrate = false};
  }

  explicit EngineWorld(EmulatedDeviceOptions on = {}, TransferEngineOptions with = options())
      : device(EmulatedDevice::create(std::move(on))),
        cache(device, kConfig, {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0}),
        store(device, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0}),
        engine(std::in_place, device, with) {
    in_cache = cache.fill(random);
    in_store = store.fill(random);
  }

  [[nodiscard]] TransferRequest save(std::span<const BlockPair> blocks, TransferRequest request = {}) const {
    request.source = cache.layout();
    request.target = store.layout();
    request.blocks = blocks;
    return request;
  }
  [[nodiscard]] TransferRequest load(std::span<const BlockPair> blocks, TransferRequest request = {}) const {
    request.source = store.layout();
    request.target = cache.layout();
    request.blocks = blocks;
    return request;
  }
  [[nodiscard]] std::vector<GuardedPages::Bytes> saved(std::span<const BlockPair> blocks) const {
    return copied(cache, in_cache, store, in_store, blocks, {0, kConfig.layers});
  }

  std::mt19937_64 random{7};
  std::shared_ptr<EmulatedDevice> device;
  GuardedPages cache;
  GuardedPages store;
  std::vector<GuardedPages::Bytes> in_cache;
  std::vector<GuardedPages::Bytes> in_store;
  std::optional<TransferEngine> engine;
};

/// A guard that says when it goes.
class Witness {
 public:
  [[nodiscard]] Keepalive guard() { return Keepalive(std::exchange(held_, nullptr)); }
  [[nodiscard]] bool gone() const { return watched_.expired(); }

 private:
  std::shared_ptr<int> held_ = std::make_shared<int>();
  std::weak_ptr<int> watched_ = held_;
};

}  // namespace kvbm::test
