#include "tests/tiering/tiered_world.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <utility>

#include "kvbm/memory/memory.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm::test {
namespace {

constexpr std::uint32_t kTokens = 4;

LayoutConfig config_of(std::uint32_t blocks) {
  LayoutConfig config;
  config.blocks = blocks;
  config.layers = 2;
  config.outer = 2;
  config.tokens = kTokens;
  config.inner = 8;
  config.element_bytes = 2;
  return config;
}

std::shared_ptr<const BlockLayout> device_pages(const std::shared_ptr<Device>& device, std::uint32_t blocks,
                                                LayoutKind kind) {
  const LayoutConfig config = config_of(blocks);
  std::vector<Memory> regions;
  const std::size_t count = kind == LayoutKind::FullyContiguous ? 1 : config.layers;
  for (std::size_t i = 0; i < count; ++i) {
    regions.push_back(allocate_device(device, blocks * config.block_bytes() / count));
  }
  return BlockLayout::create(config, kind, std::move(regions), device).value();
}

std::shared_ptr<const BlockLayout> pinned_pages(const std::shared_ptr<Device>& device, std::uint32_t blocks) {
  const LayoutConfig config = config_of(blocks);
  return BlockLayout::create(config, LayoutKind::FullyContiguous,
                             {allocate_pinned(device, blocks * config.block_bytes())}, device)
      .value();
}

/// Calls visit(address, 8 bytes that belong there) all over a page.
template <class Visit>
void over_page(const BlockLayout& pages, BlockId block, const SequenceHash& hash, Visit&& visit) {
  std::uint64_t place = 0;
  for (std::uint32_t layer = 0; layer < pages.config().layers; ++layer) {
    for (std::uint32_t outer = 0; outer < pages.config().outer; ++outer) {
      std::byte* cell = pages.host_view().cell(block, layer, outer);
      for (std::size_t i = 0; i < pages.config().cell_bytes(); i += sizeof(std::uint64_t)) {
        visit(cell + i, (hash.high() ^ hash.low()) + ++place * 0x9E37'79B9'7F4A'7C15u);
      }
    }
  }
}

bool holds(const BlockLayout& pages, BlockId block, const SequenceHash& hash) {
  bool right = true;
  over_page(pages, block, hash, [&](const std::byte* address, std::uint64_t wanted) {
    right = right && std::memcmp(address, &wanted, sizeof wanted) == 0;
  });
  return right;
}

ManagerOptions manager_options(const TieredWorld::Options& options, std::uint32_t blocks,
                               const BlockRegistry& registry) {
  ManagerOptions made;
  made.blocks = blocks;
  made.tokens_per_block = kTokens;
  made.registry = registry;
  made.eviction = options.eviction;
  made.change_log = options.change_log;
  return made;
}

}  // namespace

TieredWorld::TieredWorld(const Options& options)
    : device_(EmulatedDevice::create(options.device)), registry_(options.registry.value_or(BlockRegistry())) {
  stream_.emplace(device_, StreamPriority::Normal, "test");
  if (options.gated) device_->launch(gate_.emplace().call(), stream_->view());
  const std::shared_ptr<Device> face = options.face ? options.face(device_) : device_;
  g1_layout_ = device_pages(face, options.g1_blocks, options.g1_layout);
  g2_layout_ = pinned_pages(face, options.g2_blocks);
  TransferEngineOptions engine;
  engine.staging_bytes = 64u << 10;
  engine.staging_slots = 2;
  engine.calibrate = false;
  engine.bytes_in_flight_max = options.bytes_in_flight_max;
  engine_ = std::make_shared<TransferEngine>(face, engine);
  TieringOptions tiering;
  tiering.g1_layout = g1_layout_;
  tiering.g2_layout = g2_layout_;
  tiering.engine = engine_;
  tiering.mode = options.mode;
  tiering.offload = options.offload;
  tiering.offload_blocks_max = options.offload_blocks_max;
  tiering.queue_max = options.queue_max;
  tiering.staging_bytes_max = options.staging_blocks * config_of(1).block_bytes();
  tiering.layer_events = options.layer_events;
  tiering.mechanism = options.mechanism;
  if (options.gated) tiering.after_streams = {stream_->view()};
  tiering.on_arrival = [this](const PagesArrived& pages) {
    for (std::size_t i = 0; i < pages.blocks.size(); ++i) {
      ++arrived_;
      const bool right = pages.tier == PagesArrived::Tier::G1 ? holds_g1(pages.blocks[i], pages.hashes[i])
                                                              : holds_g2(pages.blocks[i], pages.hashes[i]);
      if (!right) ++corrupt_;
    }
  };
  auto g1 = BlockManager<G1>::create(manager_options(options, options.g1_blocks, registry_));
  auto g2 = BlockManager<G2>::create(manager_options(options, options.g2_blocks, registry_));
  cache_ = TieredCache::create(std::move(*g1), std::move(*g2), std::move(tiering)).value();
}

void TieredWorld::fill(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) const {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    over_page(*g1_layout_, blocks[i], hashes[i],
              [](std::byte* address, std::uint64_t wanted) { std::memcpy(address, &wanted, sizeof wanted); });
  }
}

bool TieredWorld::holds_g1(BlockId block, const SequenceHash& hash) const { return holds(*g1_layout_, block, hash); }
bool TieredWorld::holds_g2(BlockId block, const SequenceHash& hash) const { return holds(*g2_layout_, block, hash); }

BlockRun<ImmutableBlock<G1>> TieredWorld::compute(std::span<const SequenceHash> hashes) {
  auto allocation = cache_->allocate(hashes);
  EXPECT_TRUE(allocation.has_value());
  BlockRun<MutableBlock<G1>> blocks = std::move(*allocation).take();
  fill(blocks.ids(), hashes);
  return cache_->register_blocks(std::move(std::move(blocks).stage(hashes, kTokens)).value());
}

void TieredWorld::put_in_g2(std::span<const SequenceHash> hashes) {
  auto blocks = std::move(*g2().allocate(static_cast<std::uint32_t>(hashes.size())));
  for (std::uint32_t i = 0; i < blocks.size(); ++i) {
    over_page(*g2_layout_, blocks.id(i), hashes[i],
              [](std::byte* address, std::uint64_t wanted) { std::memcpy(address, &wanted, sizeof wanted); });
  }
  static_cast<void>(g2().register_blocks(std::move(std::move(blocks).stage(hashes, kTokens)).value()));
}

Completion TieredWorld::fill_budget(PagesArrived::Tier towards) {
  const bool down = towards == PagesArrived::Tier::G2;
  const std::uint64_t before = device_->call_counts().launches;
  const BlockPair last{(down ? g1_layout_ : g2_layout_)->config().blocks - 1,
                       (down ? g2_layout_ : g1_layout_)->config().blocks - 1};
  const StreamView after[]{stream()};
  Completion filling = engine_
                           ->submit({.source = down ? g1_layout_ : g2_layout_,
                                     .target = down ? g2_layout_ : g1_layout_,
                                     .blocks = {&last, 1},
                                     .after_streams = after,
                                     .mechanism = Mechanism::CopyKernel})
                           .value();
  while (device_->call_counts().launches == before) std::this_thread::yield();
  return filling;
}

void TieredWorld::wait_for_launches(std::uint64_t count) const {
  while (device_->call_counts().launches < 1 + count) std::this_thread::yield();
}

Onboarded TieredWorld::fetch(std::span<const SequenceHash> hashes) {
  return cache_->onboard(cache_->match(hashes)).finish();
}

std::string TieredWorld::matched(std::span<const SequenceHash> hashes) {
  const TieredMatch match = cache_->match(hashes);
  std::string text;
  for (std::uint32_t i = 0; i < match.size(); ++i) text += match.in_g1(i) ? '1' : '2';
  return text;
}

void TieredWorld::expect_sound(std::span<const SequenceHash> universe) {
  EXPECT_EQ(g1().available_blocks(), g1().total_blocks());
  EXPECT_EQ(g2().available_blocks(), g2().total_blocks());
  g1().check_invariants();
  g2().check_invariants();
  const BlockRun<ImmutableBlock<G1>> in_g1 = g1().scan_matches(universe, false);
  for (std::uint32_t i = 0; i < in_g1.size(); ++i) EXPECT_TRUE(holds_g1(in_g1.id(i), in_g1.hash(i)));
  const BlockRun<ImmutableBlock<G2>> in_g2 = g2().scan_matches(universe, false);
  for (std::uint32_t i = 0; i < in_g2.size(); ++i) EXPECT_TRUE(holds_g2(in_g2.id(i), in_g2.hash(i)));
  EXPECT_EQ(corrupt(), 0u);
}

}  // namespace kvbm::test
