#include "transfer/transfer_box.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/transfer/planned_layouts.hpp"
#include "transfer/block_marks.hpp"
#include "transfer/check_request.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;
using enum Axis;

constexpr LayoutConfig kConfig{.blocks = 10,
                               .layers = 4,
                               .outer = 2,
                               .tokens = 6,
                               .inner = 40,
                               .heads = 8,
                               .element_bytes = 2,
                               .order = InnerOrder::Nhd};

class SlicedRequest : public testing::Test {
 protected:
  [[nodiscard]] std::shared_ptr<const BlockLayout> layout(const LayoutConfig& config, MemoryKind memory) {
    start_ += std::uintptr_t{1} << 30;
    return test::planned_layout(device_, config, LayoutKind::FullyContiguous, memory, start_);
  }
  /// What is wrong with slices between kConfig and a target that differs from it.
  template <class Change>
  [[nodiscard]] std::optional<TransferError> check(const std::vector<AxisSlice>& slices, const Change& change,
                                                   TransferRequest request = {}) {
    LayoutConfig target = kConfig;
    change(target);
    request.source = layout(source_config_, MemoryKind::Device);
    request.target = layout(target, MemoryKind::Pinned);
    request.slices = slices;
    auto checked = check_request(request, device_.get(), marks_);
    return checked ? std::nullopt : std::optional(checked.error());
  }
  [[nodiscard]] std::optional<TransferError> check(const std::vector<AxisSlice>& slices, TransferRequest request = {}) {
    return check(
        slices, [](LayoutConfig&) {}, std::move(request));
  }

  std::shared_ptr<Device> device_ = std::make_shared<test::IdleDevice>();
  LayoutConfig source_config_ = kConfig;
  std::uintptr_t start_ = std::uintptr_t{1} << 40;
  BlockMarks marks_;
};

void expect_error(const std::optional<TransferError>& error, Code code, const char* text) {
  ASSERT_TRUE(error) << text;
  EXPECT_EQ(error->code, code) << error->text;
  EXPECT_NE(error->text.find(text), std::string::npos) << error->text;
}

// 6.8: slices
TEST_F(SlicedRequest, LiesWithinBothSides) {
  EXPECT_FALSE(check({{Head, 0, 0, 8}}));
  EXPECT_FALSE(
      check({{Head, 7, 0, 1}, {Layer, 0, 3, 1}, {Outer, 1, 1, 1}, {TokenInBlock, 2, 0, 4}, {HeadDim, 4, 0, 1}}));
  expect_error(check({{Head, 1, 0, 8}}), Code::InvalidSlice, "axis head: 8 from 1 on, and the source has 8");
  expect_error(check({{HeadDim, 0, 3, 3}}), Code::InvalidSlice, "axis head_dim: 3 from 3 on, and the target has 5");
  expect_error(check({{TokenInBlock, 7, 0, 1}}), Code::InvalidSlice, "the source has 6");
  expect_error(check({{Outer, 0, 2, 1}}), Code::InvalidSlice, "the target has 2");
  expect_error(check({{Layer, 0, 0, 5}}), Code::InvalidSlice, "the source has 4");
  expect_error(check({{Layer, UINT64_MAX, 0, 2}}), Code::InvalidSlice, "the source has 4");
  expect_error(check({{Layer, 1, 0, UINT64_MAX}}), Code::InvalidSlice, "the source has 4");
}

TEST_F(SlicedRequest, NamesEachAxisOnceAndNotBlocks) {
  expect_error(check({{Block, 0, 0, 1}}), Code::InvalidSlice, "axis block");
  expect_error(check({{Head, 0, 0, 2}, {Head, 4, 4, 2}}), Code::InvalidSlice, "axis head is sliced twice");
  expect_error(check({{Head, 0, 0, 0}}), Code::InvalidSlice, "axis head is empty");
}

TEST_F(SlicedRequest, NamesLayersByARangeOrASlice) {
  expect_error(check({{Layer, 0, 0, 1}}, {.layers = LayerRange{0, 1}}), Code::InvalidSlice, "a range and by a slice");
  EXPECT_FALSE(check({{Head, 0, 0, 1}}, {.layers = LayerRange{0, 1}}));
  expect_error(check({{Head, 0, 0, 1}}, {.layers = LayerRange{0, 5}}), Code::LayerRangeOutOfRange, "[0, 5)");
}

TEST_F(SlicedRequest, NamesAxesThatBothSidesHave) {
  expect_error(check({{Payload, 0, 0, 1}}), Code::InvalidSlice, "axis payload, which pages of the source");
  const auto no_heads = [](LayoutConfig& target) { target.heads.reset(); };
  expect_error(check({{Head, 0, 0, 1}}, no_heads), Code::InvalidSlice, "axis head, which pages of the target");
  EXPECT_FALSE(check({{Layer, 0, 0, 1}}, no_heads));
  source_config_.order = InnerOrder::Unknown;
  const auto unknown = [](LayoutConfig& target) { target.order = InnerOrder::Unknown; };
  EXPECT_FALSE(check({{Payload, 0, 200, 40}}, unknown));
  expect_error(check({{Payload, 0, 200, 41}}, unknown), Code::InvalidSlice, "the target has 240");
  expect_error(check({{TokenInBlock, 0, 0, 1}}, unknown), Code::InvalidSlice, "in order unknown do not have");
  EXPECT_FALSE(check({{TokenInBlock, 0, 0, 1}}, unknown,
                     {.source_order = InnerOrder::Hnd, .target_order = InnerOrder::UniversalTp}));
}

TEST_F(SlicedRequest, ExtentsDifferOnSlicedAxesOnly) {
  const auto half_the_heads = [](LayoutConfig& target) {
    target.heads = 4;
    target.inner = 20;
  };
  EXPECT_FALSE(check({{Head, 4, 0, 4}}, half_the_heads));
  expect_error(check({{Layer, 0, 0, 1}}, half_the_heads), Code::ShapeMismatch, "axis head differ: source 8, target 4");
  expect_error(check({}, half_the_heads), Code::ShapeMismatch, "cell bytes differ");
  const std::vector<AxisSlice> heads{{Head, 0, 0, 1}};
  expect_error(check(heads, [](LayoutConfig& target) { target.layers = 5; }), Code::ShapeMismatch, "axis layer differ");
  expect_error(check(heads, [](LayoutConfig& target) { target.outer = 1; }), Code::ShapeMismatch, "axis outer differ");
  expect_error(check(heads, [](LayoutConfig& target) { target.tokens = 5; }), Code::ShapeMismatch, "axis token differ");
  expect_error(check(heads, [](LayoutConfig& target) { target.inner = 48; }), Code::ShapeMismatch,
               "axis head_dim differ");
  expect_error(check({{Layer, 0, 0, 1}},
                     [](LayoutConfig& target) {
                       target.heads.reset();
                       target.tokens = 5;
                     }),
               Code::ShapeMismatch, "cell bytes differ");
}

TEST_F(SlicedRequest, ElementsAreOfOneWidth) {
  expect_error(check({{Head, 0, 0, 1}}, [](LayoutConfig& target) { target.element_bytes = 4; }), Code::ShapeMismatch,
               "element widths differ: source 2, target 4");
}

TEST_F(SlicedRequest, IsABoxOfRowsInBothSides) {
  const std::vector<AxisSlice> slices{{HeadDim, 1, 2, 3}, {Head, 4, 0, 4}, {Layer, 0, 3, 1}};
  LayoutConfig target = kConfig;
  target.heads = 4;
  target.inner = 20;
  const TransferBox box = box_of(
      {.source = layout(kConfig, MemoryKind::Device), .target = layout(target, MemoryKind::Pinned), .slices = slices});

  EXPECT_EQ(box.source_rows, (kernels::RowGrid{6, 8, 10}));
  EXPECT_EQ(box.target_rows, (kernels::RowGrid{6, 4, 10}));
  EXPECT_EQ(box.rows(), (kernels::RowGrid{6, 4, 6}));
  EXPECT_EQ(box.row.source_start, 2u);  // bytes
  EXPECT_EQ(box.row.target_start, 4u);
  EXPECT_EQ(box.heads.source_start, 4u);
  EXPECT_EQ(box.layers.target_start, 3u);
  EXPECT_EQ(box.outer.length, 2u);
}

TEST_F(SlicedRequest, OfWholeCellsHasOneRowForEach) {
  const std::vector<AxisSlice> slices{{Layer, 1, 0, 2}};
  const TransferBox box = box_of(
      {.source = layout(kConfig, MemoryKind::Device), .target = layout(kConfig, MemoryKind::Pinned), .slices = slices});

  EXPECT_EQ(box.rows(), (kernels::RowGrid{1, 1, kConfig.cell_bytes()}));
  EXPECT_EQ(box.source_rows, box.rows());
  EXPECT_EQ(box.target_rows, box.rows());
}

}  // namespace
}  // namespace kvbm
