#include "transfer/check_request.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/transfer/planned_layouts.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;

constexpr LayoutConfig kConfig{
    .blocks = 100, .layers = 4, .outer = 2, .tokens = 4, .inner = 8, .heads = 2, .element_bytes = 2};

class CheckRequest : public testing::Test {
 protected:
  [[nodiscard]] std::shared_ptr<const BlockLayout> layout(const LayoutConfig& config, MemoryKind memory,
                                                          std::uintptr_t start,
                                                          LayoutKind kind = LayoutKind::FullyContiguous) {
    return test::planned_layout(device_, config, kind, memory, start);
  }
  [[nodiscard]] TransferRequest request(const std::vector<BlockPair>& blocks) {
    return {.source = source_, .target = target_, .blocks = blocks};
  }
  [[nodiscard]] std::optional<TransferError> check(const TransferRequest& checked) {
    auto result = check_request(checked, device_.get(), marks_);
    return result ? std::nullopt : std::optional(result.error());
  }
  [[nodiscard]] std::optional<Code> code(const TransferRequest& checked) {
    const auto error = check(checked);
    if (!error) return std::nullopt;
    EXPECT_FALSE(error->text.empty());
    return error->code;
  }

  std::shared_ptr<Device> device_ = std::make_shared<test::IdleDevice>();
  std::shared_ptr<const BlockLayout> source_ = layout(kConfig, MemoryKind::Device, 1u << 20);
  std::shared_ptr<const BlockLayout> target_ = layout(kConfig, MemoryKind::Pinned, 2u << 20);
  BlockMarks marks_;
};

// 6.4 throughout
TEST_F(CheckRequest, DistinctTargetsOfAnySourcesAreWell) {
  EXPECT_FALSE(code(request({{0, 99}, {1, 98}, {99, 0}})));
  EXPECT_FALSE(code(request({{7, 1}, {7, 2}, {7, 3}})));
  EXPECT_FALSE(code(request({{3, 3}, {4, 4}})));  // equal ids in two layouts
  EXPECT_FALSE(code(request({})));
}

TEST_F(CheckRequest, ReportsEveryTargetNamedTwice) {
  const auto error = check(request({{0, 5}, {1, 6}, {2, 5}, {3, 77}, {4, 77}, {5, 77}}));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Code::DuplicateTarget);
  EXPECT_NE(error->text.find("5, 77, 77"), std::string::npos) << error->text;
  EXPECT_FALSE(code(request({{0, 5}, {1, 77}}))) << "a refusal leaves nothing behind";
}

TEST_F(CheckRequest, IdsLieWithinTheLayouts) {
  EXPECT_EQ(code(request({{0, 0}, {100, 1}})), Code::BlockOutOfRange);
  EXPECT_EQ(code(request({{0, 100}})), Code::BlockOutOfRange);
  EXPECT_EQ(code(request({{0xFFFF'FFFF, 0}})), Code::BlockOutOfRange);
  const auto error = check(request({{0, 0xFFFF'FFFE}}));
  ASSERT_TRUE(error);
  EXPECT_NE(error->text.find("target block 4294967294 of a layout of 100"), std::string::npos) << error->text;
}

TEST_F(CheckRequest, OneLayoutIsSourceAndTargetOfDifferentBlocks) {
  target_ = source_;
  EXPECT_FALSE(code(request({{0, 1}, {2, 3}})));
  EXPECT_EQ(code(request({{0, 1}, {1, 2}})), Code::SourceIsTarget);
  EXPECT_EQ(code(request({{0, 1}, {1, 0}})), Code::SourceIsTarget);  // a swap
  EXPECT_EQ(code(request({{4, 4}})), Code::SourceIsTarget);
}

TEST_F(CheckRequest, TwoLayoutsOverTheSameMemoryAreRefused) {
  const std::size_t bytes = kConfig.blocks * kConfig.block_bytes();
  target_ = layout(kConfig, MemoryKind::Device, (1u << 20) + bytes - 64);
  EXPECT_EQ(code(request({{0, 1}})), Code::SourceIsTarget);
  target_ = layout(kConfig, MemoryKind::Device, (1u << 20) + bytes);
  EXPECT_FALSE(code(request({{0, 1}})));
  // Layers of one between those of the other.
  const std::size_t layer_bytes = bytes / kConfig.layers;
  source_ = layout(kConfig, MemoryKind::Device, 1u << 20, LayoutKind::LayerSeparateBlockFirst);
  target_ = layout(kConfig, MemoryKind::Device, (1u << 20) + layer_bytes, LayoutKind::LayerSeparateBlockFirst);
  EXPECT_FALSE(code(request({{0, 1}})));
  target_ = layout(kConfig, MemoryKind::Device, (1u << 20) + layer_bytes + 64, LayoutKind::LayerSeparateOuterFirst);
  EXPECT_EQ(code(request({{0, 1}})), Code::SourceIsTarget);
}

TEST_F(CheckRequest, PinnedAndPageableLayoutsMayLieOverTheSameMemoryToo) {
  source_ = layout(kConfig, MemoryKind::System, 1u << 20);
  target_ = layout(kConfig, MemoryKind::Pinned, 1u << 20);
  EXPECT_EQ(code(request({{0, 1}})), Code::SourceIsTarget);
}

TEST_F(CheckRequest, LayersLieWithinTheLayout) {
  const auto with = [&](LayerRange layers) {
    TransferRequest made = request({});
    made.layers = layers;
    return code(made);
  };
  EXPECT_FALSE(with({0, 4}));
  EXPECT_FALSE(with({3, 4}));
  EXPECT_FALSE(with({2, 2}));
  EXPECT_FALSE(with({4, 4}));
  EXPECT_EQ(with({0, 5}), Code::LayerRangeOutOfRange);
  EXPECT_EQ(with({3, 2}), Code::LayerRangeOutOfRange);
  EXPECT_EQ(with({5, 5}), Code::LayerRangeOutOfRange);
}

TEST_F(CheckRequest, ShapesAgree) {
  const auto with = [&](auto change) {
    LayoutConfig config = kConfig;
    change(config);
    target_ = layout(config, MemoryKind::Pinned, 2u << 20);
    return code(request({{0, 0}}));
  };
  EXPECT_FALSE(with([](LayoutConfig&) {}));
  EXPECT_FALSE(with([](LayoutConfig& config) { config.blocks = 7; }));
  EXPECT_FALSE(with([](LayoutConfig& config) { config.heads.reset(); }));
  EXPECT_EQ(with([](LayoutConfig& config) { config.layers = 5; }), Code::ShapeMismatch);
  EXPECT_EQ(with([](LayoutConfig& config) { config.outer = 1; }), Code::ShapeMismatch);
  EXPECT_EQ(with([](LayoutConfig& config) { config.tokens = 5; }), Code::ShapeMismatch);
  EXPECT_EQ(with([](LayoutConfig& config) { config.heads = 4; }), Code::ShapeMismatch);
  EXPECT_EQ(with([](LayoutConfig& config) {  // cells of as many bytes
              config.element_bytes = 4;
              config.tokens = 2;
            }),
            Code::ShapeMismatch);
}

TEST_F(CheckRequest, MemoryIsOfTheEnginesDevice) {
  const auto other = std::make_shared<test::IdleDevice>();
  target_ = test::planned_layout(other, kConfig, LayoutKind::FullyContiguous, MemoryKind::Pinned, 2u << 20);
  EXPECT_EQ(code(request({{0, 0}})), Code::Unsupported);
}

}  // namespace
}  // namespace kvbm
