#include "kvbm/layout/layout_descriptor.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/support/host_memory.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;
using test::host_layout;
using test::kEveryLayoutKind;

constexpr LayoutConfig kDescribed{.blocks = 3,
                                  .layers = 4,
                                  .outer = 2,
                                  .tokens = 5,
                                  .inner = 8,
                                  .heads = 2,
                                  .element_bytes = 4,
                                  .alignment = 32,
                                  .order = InnerOrder::Hnd};

std::vector<std::byte> some_bytes() {
  return to_bytes(describe(*host_layout(kDescribed, LayoutKind::LayerSeparateBlockFirst)));
}

Code refused_bytes(const std::vector<std::byte>& bytes) { return parse_layout_descriptor(bytes).error().code; }

TEST(LayoutDescriptor, ReadsBackWhatItWrites) {
  for (LayoutKind kind : kEveryLayoutKind) {
    const LayoutDescriptor descriptor = describe(*host_layout(kDescribed, kind));

    const auto parsed = parse_layout_descriptor(to_bytes(descriptor));

    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(*parsed, descriptor);
  }
}

TEST(LayoutDescriptor, KeepsEveryField) {
  LayoutDescriptor descriptor{.config = {.blocks = 1, .layers = 1, .outer = 1, .tokens = 1, .inner = 1},
                              .memory_kind = MemoryKind::Device,
                              .device = 7,
                              .block_format = 3,
                              .regions = {{0xFFFF'FFFF'FFFF'0000u, 2}}};

  EXPECT_EQ(parse_layout_descriptor(to_bytes(descriptor)).value(), descriptor);
  EXPECT_EQ(LayoutDescriptor().block_format, 0u);
}

TEST(LayoutDescriptor, ReadsEveryOrderBackAndNoOther) {
  LayoutConfig config = kDescribed;
  config.alignment = 1;
  for (std::size_t order = 0; order < kInnerOrders; ++order) {
    config.order = static_cast<InnerOrder>(order);
    const LayoutDescriptor descriptor = describe(*host_layout(config, LayoutKind::FullyContiguous));
    const auto parsed = parse_layout_descriptor(to_bytes(descriptor));
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(*parsed, descriptor);
  }
  LayoutDescriptor beyond = describe(*host_layout(config, LayoutKind::FullyContiguous));
  beyond.config.order = static_cast<InnerOrder>(kInnerOrders);
  EXPECT_EQ(refused_bytes(to_bytes(beyond)), Code::Malformed);
}

TEST(LayoutDescriptor, ComputesTheAddressesOfItsLayout) {
  for (LayoutKind kind : kEveryLayoutKind) {
    const auto layout = host_layout(kDescribed, kind);
    const LayoutDescriptor parsed = parse_layout_descriptor(to_bytes(describe(*layout))).value();
    for (BlockId block = 0; block < 3; ++block) {
      for (std::uint32_t layer = 0; layer < 4; ++layer) {
        for (std::uint32_t outer = 0; outer < 2; ++outer) {
          EXPECT_EQ(parsed.cell_address(block, layer, outer).value(),
                    reinterpret_cast<std::uintptr_t>(layout->cell(block, layer, outer).value()));
        }
      }
    }
    EXPECT_EQ(parsed.cell_address(0, 4, 0).error().text, "layer 4 is out of range, limit 4");
  }
}

TEST(LayoutDescriptor, OtherVersionsAreRefusedNamingBoth) {
  std::vector<std::byte> bytes = some_bytes();
  bytes[4] = std::byte{999 % 256};
  bytes[5] = std::byte{999 / 256};

  const auto parsed = parse_layout_descriptor(bytes);

  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::UnknownVersion);
  EXPECT_EQ(parsed.error().text, "layout descriptor version: needed 1, got 999");
}

TEST(LayoutDescriptor, EveryTruncationIsRefused) {
  const std::vector<std::byte> bytes = some_bytes();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    ASSERT_FALSE(parse_layout_descriptor(std::span(bytes).first(length))) << length << " of " << bytes.size();
  }
}

TEST(LayoutDescriptor, BytesBehindTheEndAreRefused) {
  std::vector<std::byte> bytes = some_bytes();
  bytes.push_back(std::byte{0});

  EXPECT_EQ(refused_bytes(bytes), Code::Malformed);
}

// No byte of the frame and the shape can turn into another without a refusal or another descriptor, and none crashes.
TEST(LayoutDescriptor, EveryOtherByteIsRefusedOrReadAsIs) {
  const std::vector<std::byte> bytes = some_bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::vector<std::byte> changed = bytes;
      changed[i] = static_cast<std::byte>(value);
      const auto parsed = parse_layout_descriptor(changed);
      if (!parsed) continue;
      ASSERT_EQ(to_bytes(*parsed), changed) << "byte " << i << " = " << value;
    }
  }
}

TEST(LayoutDescriptor, AWrongShapeIsRefusedAsALayoutWouldBe) {
  LayoutDescriptor descriptor = describe(*host_layout(kDescribed, LayoutKind::LayerSeparateBlockFirst));
  LayoutDescriptor zero = descriptor, few = descriptor, small = descriptor;
  zero.config.tokens = 0;
  few.regions.pop_back();
  --small.regions[1].bytes;

  EXPECT_EQ(refused_bytes(to_bytes(zero)), Code::DimensionZero);
  EXPECT_EQ(refused_bytes(to_bytes(few)), Code::RegionCountMismatch);
  EXPECT_EQ(refused_bytes(to_bytes(small)), Code::RegionTooSmall);
}

}  // namespace
}  // namespace kvbm
