#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "kvbm/memory/memory.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

using Code = InvalidTiering::Code;

constexpr LayoutConfig kPages{.blocks = 4, .layers = 1, .outer = 1, .tokens = 4, .inner = 2, .element_bytes = 2};

std::shared_ptr<const BlockLayout> pages(const std::shared_ptr<Device>& device, const LayoutConfig& config,
                                         MemoryKind kind) {
  const std::size_t bytes = config.blocks * config.block_bytes();
  Memory memory = kind == MemoryKind::Device ? allocate_device(device, bytes) : allocate_pinned(device, bytes);
  return BlockLayout::create(config, LayoutKind::FullyContiguous, {std::move(memory)}, device).value();
}

/// What create() says of two managers and options that go together, but for what `spoil` does to them.
struct Parts {
  std::shared_ptr<Device> device = EmulatedDevice::create();
  ManagerOptions g1{.blocks = 4, .tokens_per_block = 4, .registry = BlockRegistry()};
  ManagerOptions g2 = g1;
  TieringOptions options{};

  Parts() {
    options.g1_layout = pages(device, kPages, MemoryKind::Device);
    options.g2_layout = pages(device, kPages, MemoryKind::Pinned);
    options.engine = std::make_shared<TransferEngine>(
        device, TransferEngineOptions{.staging_bytes = 4096, .staging_slots = 1, .calibrate = false});
  }
};

Result<TieredCache, InvalidTiering> made(const std::function<void(Parts&)>& spoil) {
  Parts parts;
  spoil(parts);
  return TieredCache::create(BlockManager<G1>::create(parts.g1).value(), BlockManager<G2>::create(parts.g2).value(),
                             parts.options);
}

void expect_refused(Code code, const std::string& text, const std::function<void(Parts&)>& spoil) {
  const auto cache = made(spoil);
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code, code);
  EXPECT_NE(cache.error().text.find(text), std::string::npos) << cache.error().text;
}

TEST(TieringOptions, ThatGoTogetherMakeACache) {
  EXPECT_TRUE(made([](Parts&) {}));
}

TEST(TieringOptions, NeedAnEngine) {
  expect_refused(Code::EngineMissing, "engine", [](Parts& parts) { parts.options.engine.reset(); });
}

TEST(TieringOptions, NeedBothLayouts) {
  expect_refused(Code::LayoutMissing, "G1", [](Parts& parts) { parts.options.g1_layout.reset(); });
  expect_refused(Code::LayoutMissing, "G2", [](Parts& parts) { parts.options.g2_layout.reset(); });
}

TEST(TieringOptions, NeedAPageForEachBlock) {
  expect_refused(Code::LayoutTooSmall, "G1 has 4 blocks, its manager 5", [](Parts& parts) { parts.g1.blocks = 5; });
  expect_refused(Code::LayoutTooSmall, "G2 has 4 blocks, its manager 6", [](Parts& parts) { parts.g2.blocks = 6; });
}

TEST(TieringOptions, NeedDeviceMemoryAboveAndPinnedMemoryBelow) {
  expect_refused(Code::WrongMemory, "G1", [](Parts& parts) { parts.options.g1_layout = parts.options.g2_layout; });
  expect_refused(Code::WrongMemory, "G2", [](Parts& parts) { parts.options.g2_layout = parts.options.g1_layout; });
}

TEST(TieringOptions, NeedPagesOfOneShape) {
  expect_refused(Code::ShapeMismatch, "layers", [](Parts& parts) {
    LayoutConfig other = kPages;
    other.layers = 2;
    parts.options.g2_layout = pages(parts.device, other, MemoryKind::Pinned);
  });
}

TEST(TieringOptions, NeedBlocksOfOneSize) {
  expect_refused(Code::TokensPerBlockDiffer, "4 tokens", [](Parts& parts) { parts.g2.tokens_per_block = 8; });
}

TEST(TieringOptions, NeedOneRegistry) {
  expect_refused(Code::RegistriesDiffer, "one registry", [](Parts& parts) { parts.g2.registry = BlockRegistry(); });
}

TEST(TieringOptions, OfExclusiveTiersOffloadOnEviction) {
  for (const OffloadPolicy offload : {OffloadPolicy::WriteBehind, OffloadPolicy::WhenAsked}) {
    expect_refused(Code::PolicyNeedsInclusive, "evicted", [&](Parts& parts) { parts.options.offload = offload; });
  }
}

TEST(TieringOptions, LimitsAreNotZero) {
  expect_refused(Code::LimitZero, "offload_blocks_max", [](Parts& parts) { parts.options.offload_blocks_max = 0; });
  expect_refused(Code::LimitZero, "queue_max", [](Parts& parts) { parts.options.queue_max = 0; });
}

TEST(TieringOptions, StagingIsAtLeastAPageAndAtMostG1) {
  EXPECT_EQ(made([](Parts& parts) { parts.options.staging_bytes_max = 0; })->staging_blocks(), 1u);
  EXPECT_EQ(made([](Parts&) {})->staging_blocks(), 4u);
  EXPECT_EQ(made([](Parts& parts) {
              parts.options.mode = TierMode::Inclusive;
              parts.options.offload = OffloadPolicy::WhenAsked;
            })->staging_blocks(),
            0u);
}

}  // namespace
}  // namespace kvbm::test
