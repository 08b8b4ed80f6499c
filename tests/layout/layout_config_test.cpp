#include "kvbm/layout/layout_config.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

namespace kvbm {
namespace {

using Code = LayoutError::Code;

constexpr LayoutConfig kGood{.blocks = 3, .layers = 2, .outer = 2, .tokens = 4, .inner = 15, .heads = 3};

std::optional<LayoutError> refusal(const std::function<void(LayoutConfig&)>& change,
                                   LayoutKind kind = LayoutKind::FullyContiguous) {
  LayoutConfig config = kGood;
  change(config);
  auto checked = check_config(config, kind);
  if (checked) return std::nullopt;
  return checked.error();
}

TEST(LayoutConfig, CountsItsBytes) {
  EXPECT_EQ(kGood.cell_bytes(), 4u * 15 * 2);
  EXPECT_EQ(kGood.block_bytes(), 2u * 2 * 120);
  EXPECT_EQ(kGood.head_dim(), 5u);
}

TEST(LayoutConfig, AGoodShapeOfEveryKindPasses) {
  for (LayoutKind kind :
       {LayoutKind::FullyContiguous, LayoutKind::LayerSeparateBlockFirst, LayoutKind::LayerSeparateOuterFirst}) {
    EXPECT_FALSE(refusal([](LayoutConfig&) {}, kind));
  }
}

TEST(LayoutConfig, EachDimensionMustBePositiveAndIsNamed) {
  const std::pair<const char*, std::uint32_t LayoutConfig::*> dimensions[]{{"blocks", &LayoutConfig::blocks},
                                                                           {"layers", &LayoutConfig::layers},
                                                                           {"tokens", &LayoutConfig::tokens},
                                                                           {"inner", &LayoutConfig::inner}};
  for (const auto& [name, dimension] : dimensions) {
    const auto error = refusal([dimension = dimension](LayoutConfig& config) { config.*dimension = 0; });
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->code, Code::DimensionZero);
    EXPECT_EQ(error->text, std::string(name) + " must be positive");
  }
}

TEST(LayoutConfig, OuterIsOneOrTwo) {
  EXPECT_FALSE(refusal([](LayoutConfig& config) { config.outer = 1; }));
  for (std::uint32_t outer : {0u, 3u, 0xFFFF'FFFFu}) {
    const auto error = refusal([outer](LayoutConfig& config) { config.outer = outer; });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Code::OuterOutOfRange);
    EXPECT_EQ(error->got, outer);
  }
}

TEST(LayoutConfig, AlignmentIsAPowerOfTwo) {
  EXPECT_FALSE(refusal([](LayoutConfig& config) { config.alignment = 1; }));
  EXPECT_FALSE(refusal([](LayoutConfig& config) { config.alignment = 4096, config.inner = 1024 * 3; }));
  for (std::size_t alignment : {0u, 3u, 4097u}) {
    const auto error = refusal([alignment](LayoutConfig& config) { config.alignment = alignment; });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Code::AlignmentNotPowerOfTwo);
  }
}

TEST(LayoutConfig, CellsThatWouldLieOffTheAlignmentAreRefused) {
  const auto error = refusal([](LayoutConfig& config) { config.alignment = 16; });

  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::Misaligned);
  EXPECT_EQ(error->text, "alignment of a cell's bytes: needed 16, got 120");
}

TEST(LayoutConfig, ElementWidthsAreOneTwoFourAndEight) {
  for (std::uint32_t width : {1u, 2u, 4u, 8u}) {
    EXPECT_FALSE(refusal([width](LayoutConfig& config) { config.element_bytes = width; })) << width;
  }
  for (std::uint32_t width : {0u, 3u, 16u, 0x8000'0000u}) {
    const auto error = refusal([width](LayoutConfig& config) { config.element_bytes = width; });
    ASSERT_TRUE(error) << width;
    EXPECT_EQ(error->code, Code::ElementWidthUnsupported);
  }
}

constexpr InnerOrder kOuterBeforeLayers =
    custom_order({Axis::Outer, Axis::Layer, Axis::Head, Axis::TokenInBlock}).value();
constexpr InnerOrder kWithoutCells[]{InnerOrder::UniversalTp, InnerOrder::UniversalPp, kOuterBeforeLayers};

TEST(LayoutConfig, HeadsMayBeAbsentUnlessTheOrderNeedsThem) {
  for (InnerOrder order : {InnerOrder::Unknown, InnerOrder::Nhd, InnerOrder::Hnd}) {
    EXPECT_FALSE(refusal([order](LayoutConfig& config) { config.heads.reset(), config.order = order; }));
  }
  for (InnerOrder order : kWithoutCells) {
    const auto error = refusal([order](LayoutConfig& config) { config.heads.reset(), config.order = order; });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Code::HeadsRequired);
  }
}

TEST(LayoutConfig, HeadsArePositiveAndDivideInner) {
  EXPECT_EQ(refusal([](LayoutConfig& config) { config.heads = 0; })->code, Code::HeadsZero);
  const auto error = refusal([](LayoutConfig& config) { config.heads = 4; });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::InnerNotDivisibleByHeads);
  EXPECT_EQ(error->text, "inner 15 is no multiple of heads 4");
}

TEST(LayoutConfig, OrdersWithoutCellsAreFullyContiguous) {
  for (InnerOrder order : kWithoutCells) {
    const auto declare = [order](LayoutConfig& config) { config.order = order; };
    EXPECT_FALSE(refusal(declare));
    for (LayoutKind kind : {LayoutKind::LayerSeparateBlockFirst, LayoutKind::LayerSeparateOuterFirst}) {
      EXPECT_EQ(refusal(declare, kind)->code, Code::OrderNotPossible);
    }
  }
}

TEST(LayoutConfig, SizesThatOverflow64BitsAreRefused) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  const auto of = [](std::uint32_t blocks, std::uint32_t layers, std::uint32_t tokens, std::uint32_t inner) {
    return refusal([=](LayoutConfig& config) {
      config = {.blocks = blocks, .layers = layers, .outer = 1, .tokens = tokens, .inner = inner, .element_bytes = 1};
    });
  };

  EXPECT_FALSE(of(1, 1, kMax, kMax));                  // 2^64 - 2^33 + 1
  EXPECT_FALSE(of(0x8000'0000u, 1, 0x8000'0000u, 3));  // 3 * 2^62
  EXPECT_EQ(of(2, 1, kMax, kMax)->code, Code::SizeOverflow);
  EXPECT_EQ(of(1, 2, kMax, kMax)->code, Code::SizeOverflow);
  EXPECT_EQ(of(0x8000'0000u, 2, 0x8000'0000u, 2)->code, Code::SizeOverflow);  // 2^64 wraps to 0
  EXPECT_EQ(of(kMax, kMax, kMax, kMax)->code, Code::SizeOverflow);
}

}  // namespace
}  // namespace kvbm
