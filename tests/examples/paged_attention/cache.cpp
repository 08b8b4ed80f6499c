#include "cache.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "kvbm/memory/memory.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "kvbm/transfer/transfer_engine.hpp"
#include "model.hpp"

namespace engine {
namespace {

/// The value, or what kvbm says against it as an exception: options that this program sets are not wrong.
template <class T, class E>
T value_of(kvbm::Result<T, E> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}

kvbm::LayoutConfig config_of(std::uint32_t blocks, std::uint32_t tokens_per_block) {
  return {.blocks = blocks,
          .layers = kLayers,
          .outer = 2,
          .tokens = tokens_per_block,
          .inner = kWidth,
          .heads = kHeads,
          .element_bytes = sizeof(float),
          .alignment = 16,
          .order = kvbm::InnerOrder::Nhd};
}

/// A region per layer, as engines allocate their caches.
std::shared_ptr<const kvbm::BlockLayout> device_layout(const std::shared_ptr<kvbm::Device>& device,
                                                       const kvbm::LayoutConfig& config) {
  std::vector<kvbm::Memory> layers;
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    layers.push_back(kvbm::allocate_device(device, config.block_bytes() / config.layers * config.blocks));
  }
  return value_of(
      kvbm::BlockLayout::create(config, kvbm::LayoutKind::LayerSeparateOuterFirst, std::move(layers), device));
}

std::shared_ptr<const kvbm::BlockLayout> pinned_layout(const std::shared_ptr<kvbm::Device>& device,
                                                       const kvbm::LayoutConfig& config) {
  const kvbm::Memory memory =
      kvbm::allocate_pinned(device, config.block_bytes() * config.blocks, {.block_bytes = config.block_bytes()});
  return value_of(kvbm::BlockLayout::create(config, kvbm::LayoutKind::FullyContiguous, {memory}, device));
}

kvbm::TieredCache tiers(const std::shared_ptr<kvbm::Device>& device, kvbm::StreamView compute,
                        std::shared_ptr<const kvbm::BlockLayout> g1_layout, const CacheOptions& options) {
  const kvbm::BlockRegistry registry;
  auto g1 = value_of(kvbm::BlockManager<kvbm::G1>::create(
      {.blocks = options.g1_blocks, .tokens_per_block = options.tokens_per_block, .registry = registry}));
  auto g2 = value_of(kvbm::BlockManager<kvbm::G2>::create({.blocks = options.g2_blocks,
                                                           .tokens_per_block = options.tokens_per_block,
                                                           .registry = registry,
                                                           .duplication = kvbm::DuplicationPolicy::Reject}));
  const bool worth_measuring = !device->capabilities().emulated;
  auto engine = std::make_shared<kvbm::TransferEngine>(
      device, kvbm::TransferEngineOptions{.staging_bytes = 1u << 20, .calibrate = worth_measuring});
  return value_of(kvbm::TieredCache::create(
      std::move(g1), std::move(g2),
      {.g1_layout = std::move(g1_layout),
       .g2_layout = pinned_layout(device, config_of(options.g2_blocks, options.tokens_per_block)),
       .engine = std::move(engine),
       .after_streams = {compute}}));
}

}  // namespace

Cache::Cache(const std::shared_ptr<kvbm::Device>& device, kvbm::StreamView compute, const CacheOptions& options)
    : g1_layout_(device_layout(device, config_of(options.g1_blocks, options.tokens_per_block))),
      tiers_(tiers(device, compute, g1_layout_, options)) {}

kvbm::Onboarding Cache::onboard(std::span<const kvbm::SequenceHash> hashes) {
  kvbm::TieredMatch match = tiers_.match(hashes);
  g1_hits_ += match.g1_blocks();
  g2_hits_ += match.g2_blocks();
  return tiers_.onboard(std::move(match));
}

/// Pages that still have to be read before they may be written are waited for here.
std::optional<Cache::Blocks> Cache::allocate(std::uint32_t count) {
  std::optional<kvbm::TieredAllocation> blocks = tiers_.allocate(count);
  if (!blocks) return std::nullopt;
  return std::move(*blocks).take();
}

CacheCounts Cache::counts() const {
  const kvbm::TieringCounts moved = tiers_.counts();
  return {.g1_hits = g1_hits_,
          .g2_hits = g2_hits_,
          .onboarded = moved.onboarded_blocks,
          .offloaded = moved.offloaded_blocks,
          .evicted = tiers_.g1().metrics().evictions,
          .failures = moved.failures};
}

bool Cache::clear() {
  settle();
  return tiers_.g1().reset_inactive_pool().all_free() && tiers_.g2().reset_inactive_pool().all_free();
}

}  // namespace engine
