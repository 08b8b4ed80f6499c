#include <gtest/gtest.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "kvbm/layout/block_layout.hpp"
#include "tests/support/host_memory.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;
using test::host_memory;
using test::host_regions;
using test::kEveryLayoutKind;

constexpr LayoutConfig kPadded{.blocks = 3, .layers = 4, .outer = 2, .tokens = 4, .inner = 8, .alignment = 64};
constexpr LayoutKind kLayerSeparate[]{LayoutKind::LayerSeparateBlockFirst, LayoutKind::LayerSeparateOuterFirst};

auto made_of(LayoutKind kind, std::vector<Memory> regions) {
  return BlockLayout::create(kPadded, kind, std::move(regions), nullptr);
}

TEST(LayoutRegions, OneByteShortIsTooSmall) {
  for (LayoutKind kind : kEveryLayoutKind) {
    std::vector<Memory> regions = host_regions(kPadded, kind);
    const std::size_t needed = regions.back().bytes();
    EXPECT_TRUE(made_of(kind, regions));
    regions.back() = host_memory(needed - 1);

    const auto layout = made_of(kind, regions);

    ASSERT_FALSE(layout);
    EXPECT_EQ(layout.error().code, Code::RegionTooSmall);
    EXPECT_EQ(layout.error().needed, needed);
    EXPECT_EQ(layout.error().got, needed - 1);
    EXPECT_EQ(layout.error().text, "bytes of region " + std::to_string(regions.size() - 1) + ": needed " +
                                       std::to_string(needed) + ", got " + std::to_string(needed - 1));
  }
}

TEST(LayoutRegions, NoRegionIsRefused) {
  for (LayoutKind kind : kEveryLayoutKind) EXPECT_EQ(made_of(kind, {}).error().code, Code::NoRegion);
}

TEST(LayoutRegions, FullyContiguousTakesOneRegion) {
  const Memory region = host_regions(kPadded, LayoutKind::FullyContiguous)[0];

  const auto layout = made_of(LayoutKind::FullyContiguous, {region, region});

  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().code, Code::RegionCountMismatch);
  EXPECT_EQ(layout.error().text, "regions: needed 1, got 2");
}

TEST(LayoutRegions, LayerSeparateTakesOneRegionPerLayer) {
  for (LayoutKind kind : kLayerSeparate) {
    std::vector<Memory> fewer = host_regions(kPadded, kind);
    std::vector<Memory> more = fewer;
    fewer.pop_back();
    more.push_back(host_regions(kPadded, kind)[0]);

    EXPECT_EQ(made_of(kind, fewer).error().text, "regions: needed 4, got 3");
    EXPECT_EQ(made_of(kind, more).error().text, "regions: needed 4, got 5");
  }
}

TEST(LayoutRegions, KindsOfMemoryAreNotMixed) {
  for (LayoutKind kind : kLayerSeparate) {
    std::vector<Memory> regions = host_regions(kPadded, kind);
    const std::size_t bytes = regions[2].bytes();

    regions[2] = host_memory(bytes, 0, MemoryKind::Pinned);
    EXPECT_EQ(made_of(kind, regions).error().code, Code::MixedMemoryKinds);
  }
}

TEST(LayoutRegions, DevicesAreNotMixed) {
  std::vector<Memory> regions;
  for (int layer = 0; layer < 4; ++layer) regions.push_back(host_memory(4096, 0, MemoryKind::Device, layer / 3));

  const auto layout = made_of(LayoutKind::LayerSeparateBlockFirst, regions);

  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().text, "region 3 is of another kind or device than region 0");
}

TEST(LayoutRegions, PinnedAndDeviceMemoryNeedTheDevice) {
  for (MemoryKind kind : {MemoryKind::Pinned, MemoryKind::Device}) {
    const auto layout = made_of(LayoutKind::FullyContiguous, {host_memory(1 << 20, 0, kind, 0)});
    ASSERT_FALSE(layout);
    EXPECT_EQ(layout.error().code, Code::NoDevice);
  }
}

TEST(LayoutRegions, BasesLieOnTheAlignment) {
  for (LayoutKind kind : kEveryLayoutKind) {
    EXPECT_TRUE(made_of(kind, host_regions(kPadded, kind, 64)));

    const auto layout = made_of(kind, host_regions(kPadded, kind, 32));

    ASSERT_FALSE(layout);
    EXPECT_EQ(layout.error().code, Code::Misaligned);
    EXPECT_EQ(layout.error().text, "alignment of region 0: needed 64, got 32");
  }
}

TEST(LayoutRegions, LayersDoNotOverlap) {
  const std::size_t bytes = kPadded.blocks * kPadded.block_bytes() / kPadded.layers;
  for (std::size_t overlap : {std::size_t{0}, std::size_t{64}, bytes}) {
    const Memory whole = host_memory(8 * bytes);
    std::vector<Memory> regions;
    for (std::size_t layer : {3u, 0u, 1u, 2u}) {  // in any order
      const std::size_t offset = layer * bytes - (layer == 3 ? overlap : 0);
      regions.emplace_back(Region{whole.address() + offset, bytes}, nullptr);
    }

    const auto layout = made_of(LayoutKind::LayerSeparateBlockFirst, regions);

    ASSERT_EQ(layout.has_value(), overlap == 0);
    if (!layout.has_value()) {
      EXPECT_EQ(layout.error().code, Code::RegionsOverlap);
    }
  }
}

TEST(LayoutRegions, ABadShapeIsRefusedBeforeItsRegions) {
  LayoutConfig config = kPadded;
  config.layers = 0;

  EXPECT_EQ(BlockLayout::create(config, LayoutKind::LayerSeparateBlockFirst, {}, nullptr).error().code,
            Code::DimensionZero);
}

}  // namespace
}  // namespace kvbm
