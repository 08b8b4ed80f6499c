#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kvbm/layout/inner_order.hpp"
#include "kvbm/layout/layout_view.hpp"
#include "tests/transfer/planned_layouts.hpp"
#include "transfer/transfer_plan.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;

constexpr auto kFc = LayoutKind::FullyContiguous;
constexpr auto kBlockFirst = LayoutKind::LayerSeparateBlockFirst;
constexpr auto kOuterFirst = LayoutKind::LayerSeparateOuterFirst;

/// Llama-3.1-70B: cells of 32 KiB, pages of 5 MiB.
LayoutConfig llama() {
  return {.blocks = 64, .layers = 80, .outer = 2, .tokens = 16, .inner = 1024, .heads = 8, .element_bytes = 2};
}

class Plan : public testing::Test {
 protected:
  [[nodiscard]] std::shared_ptr<const BlockLayout> layout(LayoutKind kind, MemoryKind memory,
                                                          LayoutConfig config = llama()) {
    start_ += std::uintptr_t{1} << 36;
    return test::planned_layout(device_, config, kind, memory, start_);
  }
  [[nodiscard]] Result<TransferPlan, TransferError> plan(const TransferRequest& request) {
    return plan_transfer(request, {device_->capabilities(), table_, slot_bytes_});
  }
  /// Copy calls that a transfer of `blocks` comes to.
  [[nodiscard]] std::uint64_t spans(LayoutKind from, LayoutKind to, const std::vector<BlockPair>& blocks,
                                    std::optional<LayerRange> layers = {}) {
    const TransferRequest request{.source = layout(from, MemoryKind::Device),
                                  .target = layout(to, MemoryKind::Device),
                                  .blocks = blocks,
                                  .layers = layers};
    const TransferPlan planned = plan(request).value();
    return count_spans(planned.direct_shape(planned.layers), static_cast<std::uint32_t>(blocks.size()),
                       [&](std::uint32_t i) { return blocks[i]; });
  }

  std::shared_ptr<Device> device_ = std::make_shared<test::IdleDevice>();
  MechanismTable table_ = MechanismTable::built_in();
  std::size_t slot_bytes_ = 8u << 20;
  std::uintptr_t start_ = std::uintptr_t{1} << 40;
};

const std::vector<BlockPair> kScattered{{5, 9}, {2, 1}, {7, 7}, {3, 4}};
const std::vector<BlockPair> kOneRun{{5, 1}, {6, 2}, {7, 3}, {8, 4}};

TEST_F(Plan, WholeContiguousBlocksAreOneSpanEach) {
  EXPECT_EQ(spans(kFc, kFc, kScattered), 4u);
  EXPECT_EQ(spans(kFc, kFc, kScattered, LayerRange{0, 80}), 4u);
}

TEST_F(Plan, SomeLayersOfContiguousBlocksAreOneSpanEach) {
  EXPECT_EQ(spans(kFc, kFc, kScattered, LayerRange{3, 10}), 4u);
  EXPECT_EQ(spans(kFc, kFc, kOneRun, LayerRange{3, 10}), 4u);  // their ends do not meet
}

TEST_F(Plan, NeighboursThatStepByOneOnBothSidesAreOneSpan) {
  EXPECT_EQ(spans(kFc, kFc, kOneRun), 1u);
  EXPECT_EQ(spans(kFc, kFc, {{5, 1}, {6, 2}, {7, 9}, {8, 10}, {1, 20}}), 3u);
  EXPECT_EQ(spans(kFc, kFc, {{5, 1}, {4, 0}}), 2u);  // falling
  EXPECT_EQ(spans(kFc, kFc, {{5, 1}, {6, 0}}), 2u);
}

TEST_F(Plan, LayerSeparateRunsAreASpanForEachLayer) {
  EXPECT_EQ(spans(kBlockFirst, kBlockFirst, kScattered), 4u * 80);
  EXPECT_EQ(spans(kBlockFirst, kBlockFirst, kOneRun), 80u);
  EXPECT_EQ(spans(kOuterFirst, kOuterFirst, kScattered), 4u * 80 * 2);
  EXPECT_EQ(spans(kOuterFirst, kOuterFirst, kOneRun), 80u * 2);  // layers * outer, not blocks * layers * outer
  EXPECT_EQ(spans(kOuterFirst, kOuterFirst, kOneRun, LayerRange{79, 80}), 2u);
}

TEST_F(Plan, NeighboursInPinnedMemoryMayBeRegisteredApart) {
  const TransferRequest request{
      .source = layout(kFc, MemoryKind::Pinned), .target = layout(kFc, MemoryKind::Device), .blocks = kOneRun};
  const TransferPlan planned = plan(request).value();
  EXPECT_EQ(count_spans(planned.direct_shape(planned.layers), 4, [](std::uint32_t i) { return kOneRun[i]; }), 4u);
}

TEST_F(Plan, KAndVAreOneFragmentWhereTheyLieTogether) {
  EXPECT_EQ(spans(kFc, kBlockFirst, kScattered), 4u * 80);
  EXPECT_EQ(spans(kFc, kOuterFirst, kScattered), 4u * 80 * 2);
  EXPECT_EQ(spans(kOuterFirst, kBlockFirst, kOneRun), 4u * 80 * 2);
  EXPECT_EQ(spans(kBlockFirst, kFc, kScattered), 4u * 80);
  EXPECT_EQ(spans(kOuterFirst, kFc, kScattered, LayerRange{3, 10}), 4u * 7 * 2);
}

TEST_F(Plan, FragmentsAreWhatLiesTogetherInBothViews) {
  for (const LayoutKind from : {kFc, kBlockFirst, kOuterFirst}) {
    for (const LayoutKind to : {kFc, kBlockFirst, kOuterFirst}) {
      const TransferRequest request{
          .source = layout(from, MemoryKind::Device), .target = layout(to, MemoryKind::Pinned), .blocks = kScattered};
      const TransferPlan planned = plan(request).value();
      EXPECT_EQ(planned.direct_shape(planned.layers).fragment_bytes,
                std::min(LayoutView::of(*request.source).run_bytes(), LayoutView::of(*request.target).run_bytes()));
    }
  }
}

// 6.8: every supported pair of orders at every width; others are an error that names both and the width
TEST_F(Plan, PermutationsThatExistAtEveryWidth) {
  constexpr InnerOrder kMoved[]{InnerOrder::Nhd, InnerOrder::Hnd, InnerOrder::UniversalTp};
  for (const std::uint32_t width : {1u, 2u, 4u, 8u}) {
    for (const InnerOrder from : kMoved) {
      for (const InnerOrder to : kMoved) {
        LayoutConfig source = llama(), target = llama();
        source.element_bytes = target.element_bytes = width;
        source.order = from;
        target.order = to;
        const auto planned = plan({.source = layout(kFc, MemoryKind::Device, source),
                                   .target = layout(kFc, MemoryKind::Device, target),
                                   .blocks = kScattered});
        ASSERT_TRUE(planned);
        EXPECT_EQ(planned->mechanism == Mechanism::PermuteKernel, from != to);
      }
    }
  }
}

constexpr InnerOrder kCustom = custom_order({Axis::Outer, Axis::Layer, Axis::TokenInBlock, Axis::Head}).value();
constexpr InnerOrder kOtherCustom = custom_order({Axis::Outer, Axis::Layer, Axis::Head, Axis::TokenInBlock}).value();

TEST_F(Plan, AMissingPermutationIsNeverACopy) {
  constexpr std::pair<InnerOrder, InnerOrder> kMissing[]{{InnerOrder::Unknown, InnerOrder::Nhd},
                                                         {InnerOrder::Hnd, InnerOrder::Unknown},
                                                         {InnerOrder::UniversalTp, InnerOrder::UniversalPp},
                                                         {InnerOrder::UniversalPp, InnerOrder::Nhd},
                                                         {InnerOrder::Nhd, kCustom},
                                                         {kCustom, InnerOrder::UniversalTp},
                                                         {kCustom, kOtherCustom}};
  for (const auto& [from, to] : kMissing) {
    LayoutConfig source = llama(), target = llama();
    source.order = from;
    target.order = to;
    const auto planned = plan({.source = layout(kFc, MemoryKind::Device, source),
                               .target = layout(kFc, MemoryKind::Pinned, target),
                               .blocks = kScattered});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().code, Code::NoKernel);
    EXPECT_NE(planned.error().text.find(to_text(from)), std::string::npos) << planned.error().text;
    EXPECT_NE(planned.error().text.find(to_text(to)), std::string::npos) << planned.error().text;
    EXPECT_NE(planned.error().text.find('2'), std::string::npos) << planned.error().text;
  }
}

TEST_F(Plan, OverridesAreForContiguousLayouts) {
  LayoutConfig config = llama();
  config.order = InnerOrder::Nhd;
  TransferRequest request{.source = layout(kBlockFirst, MemoryKind::Device, config),
                          .target = layout(kFc, MemoryKind::Pinned, config),
                          .blocks = kScattered,
                          .source_order = InnerOrder::UniversalTp};
  EXPECT_EQ(plan(request).error().code, Code::Unsupported);
  request.source_order = InnerOrder::Nhd;  // what it is anyway
  request.target_order = InnerOrder::UniversalTp;
  const auto planned = plan(request);
  ASSERT_TRUE(planned);
  EXPECT_TRUE(planned->permutes());
}

TEST_F(Plan, APermutationNeedsHeads) {
  LayoutConfig config = llama();
  config.heads.reset();
  const auto planned = plan({.source = layout(kFc, MemoryKind::Device, config),
                             .target = layout(kFc, MemoryKind::Device, config),
                             .blocks = kScattered,
                             .source_order = InnerOrder::Nhd,
                             .target_order = InnerOrder::Hnd});
  EXPECT_EQ(planned.error().code, Code::ShapeMismatch);
}

TEST_F(Plan, TheLinkCarriesWholePagesToBePermuted) {
  LayoutConfig host = llama(), device = llama();
  host.order = InnerOrder::UniversalTp;
  device.order = InnerOrder::Nhd;
  const TransferRequest load{.source = layout(kFc, MemoryKind::Pinned, host),
                             .target = layout(kBlockFirst, MemoryKind::Device, device),
                             .blocks = kScattered};
  EXPECT_EQ(plan(load)->mechanism, Mechanism::Staged);
  slot_bytes_ = 0;
  EXPECT_EQ(plan(load)->mechanism, Mechanism::PermuteKernel);
}

TEST_F(Plan, SomeLayersAreASpanForEachIndexOfWhatIsSlower) {
  const auto spans_of = [&](InnerOrder order, LayerRange layers) {
    LayoutConfig config = llama();
    config.order = order;
    const auto planned = plan({.source = layout(kFc, MemoryKind::Device, config),
                               .target = layout(kFc, MemoryKind::Device, config),
                               .blocks = kScattered,
                               .layers = layers});
    return planned->direct_shape(layers).spans_per_block();
  };
  using enum Axis;
  const InnerOrder tokens_first = custom_order({TokenInBlock, Outer, Layer, Head}).value();
  const InnerOrder layers_first = custom_order({Layer, TokenInBlock, Outer, Head}).value();
  EXPECT_EQ(spans_of(InnerOrder::UniversalPp, {3, 10}), 1u);
  EXPECT_EQ(spans_of(InnerOrder::UniversalTp, {3, 10}), 8u);
  EXPECT_EQ(spans_of(tokens_first, {3, 10}), 16u * 2);
  EXPECT_EQ(spans_of(tokens_first, {0, 80}), 1u);
  EXPECT_EQ(spans_of(layers_first, {3, 10}), 1u);
}

TEST_F(Plan, SlicesOfLayersMoveLikeWholePages) {
  LayoutConfig more = llama();
  more.layers = 100;
  const std::vector<AxisSlice> slices{{Axis::Layer, 10, 90, 10}};
  const auto planned = plan({.source = layout(kFc, MemoryKind::Device),
                             .target = layout(kFc, MemoryKind::Device, more),
                             .blocks = kScattered,
                             .slices = slices});
  ASSERT_TRUE(planned);
  EXPECT_FALSE(planned->permutes());
  EXPECT_EQ(planned->layers, (LayerRange{90, 100}));
  EXPECT_EQ(planned->direct_shape(planned->layers).spans_per_block(), 1u);
}

TEST_F(Plan, APartOfCellsIsPermutedAndStagedIfTheHostsPagesAreWhole) {
  LayoutConfig all = llama(), half = llama();
  all.order = half.order = InnerOrder::Nhd;
  half.heads = 4;
  half.inner = 512;
  const std::vector<AxisSlice> save_half{{Axis::Head, 4, 0, 4}}, load_half{{Axis::Head, 0, 4, 4}};
  const auto with = [&](const LayoutConfig& device, const LayoutConfig& host, const std::vector<AxisSlice>& slices,
                        std::optional<Mechanism> forced = {}) {
    return plan({.source = layout(kBlockFirst, MemoryKind::Device, device),
                 .target = layout(kFc, MemoryKind::Pinned, host),
                 .blocks = kScattered,
                 .slices = slices,
                 .mechanism = forced});
  };
  EXPECT_EQ(with(all, half, save_half)->mechanism, Mechanism::Staged);
  EXPECT_EQ(with(half, all, load_half)->mechanism, Mechanism::PermuteKernel);
  EXPECT_EQ(with(all, half, save_half)->block_bytes(), half.block_bytes());
  for (const Mechanism forced : {Mechanism::Staged, Mechanism::Copies, Mechanism::CopyKernel, Mechanism::HostCopy}) {
    const auto refused = with(half, all, load_half, forced);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::Unsupported);
    EXPECT_NE(refused.error().text.find(to_text(forced)), std::string::npos) << refused.error().text;
  }
}

TEST_F(Plan, SlicesBetweenOrdersWithoutKernelAreNone) {
  LayoutConfig source = llama(), target = llama();
  source.order = InnerOrder::UniversalTp;
  target.order = InnerOrder::UniversalPp;
  const std::vector<AxisSlice> slices{{Axis::Head, 0, 0, 4}};
  EXPECT_EQ(plan({.source = layout(kFc, MemoryKind::Device, source),
                  .target = layout(kFc, MemoryKind::Device, target),
                  .blocks = kScattered,
                  .slices = slices})
                .error()
                .code,
            Code::NoKernel);
}

TEST_F(Plan, RowsThatAKernelCannotCountAreRefused) {
  LayoutConfig wide = llama();
  wide.blocks = wide.layers = wide.outer = wide.tokens = 1;
  wide.heads = 1;
  wide.inner = 1u << 31;
  wide.element_bytes = 8;
  const std::vector<AxisSlice> slices{{Axis::Payload, 0, 0, (1u << 31) - 1}};
  const auto planned = plan({.source = layout(kFc, MemoryKind::Device, wide),
                             .target = layout(kFc, MemoryKind::Device, wide),
                             .blocks = std::vector<BlockPair>{{0, 0}},
                             .slices = slices});
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().code, Code::Unsupported);
  EXPECT_NE(planned.error().text.find("too much for a kernel"), std::string::npos) << planned.error().text;
}

TEST_F(Plan, TheTableChoosesByWhatTheSpansAre) {
  const auto chosen = [&](LayoutKind from, MemoryKind source, LayoutKind to, MemoryKind target,
                          const std::vector<BlockPair>& blocks) {
    return plan({.source = layout(from, source), .target = layout(to, target), .blocks = blocks})->mechanism;
  };
  EXPECT_EQ(chosen(kFc, MemoryKind::Pinned, kFc, MemoryKind::Device, kScattered), Mechanism::BatchedCopy);
  const std::vector<BlockPair> one{{5, 9}};
  EXPECT_EQ(chosen(kFc, MemoryKind::Pinned, kBlockFirst, MemoryKind::Device, one), Mechanism::BulkCopyKernel);
  EXPECT_EQ(chosen(kBlockFirst, MemoryKind::Device, kFc, MemoryKind::Pinned, one), Mechanism::BulkCopyKernel);
  std::vector<BlockPair> many, run;
  for (BlockId block = 0; block < 32; ++block) {
    many.push_back({2 * block, 63 - block});
    run.push_back({block + 8, block + 3});
  }
  EXPECT_EQ(chosen(kFc, MemoryKind::Pinned, kBlockFirst, MemoryKind::Device, many), Mechanism::Staged);
  EXPECT_EQ(chosen(kBlockFirst, MemoryKind::Device, kFc, MemoryKind::Pinned, many), Mechanism::Staged);
  EXPECT_EQ(chosen(kFc, MemoryKind::Device, kFc, MemoryKind::Device, many), Mechanism::BulkCopyKernel);
  EXPECT_EQ(chosen(kFc, MemoryKind::Device, kFc, MemoryKind::Device, run), Mechanism::Copies);
}

TEST_F(Plan, PagesThatTheLinkWouldCarryInPiecesAreNotStaged) {
  std::vector<BlockPair> many;
  for (BlockId block = 0; block < 32; ++block) many.push_back({2 * block, 63 - block});
  for (const MemoryKind source : {MemoryKind::Pinned, MemoryKind::Device}) {
    const MemoryKind target = source == MemoryKind::Pinned ? MemoryKind::Device : MemoryKind::Pinned;
    TransferRequest request{
        .source = layout(kOuterFirst, source), .target = layout(kOuterFirst, target), .blocks = many};
    EXPECT_EQ(plan(request)->mechanism, Mechanism::BulkCopyKernel);
    request.mechanism = Mechanism::Staged;
    EXPECT_EQ(plan(request)->mechanism, Mechanism::Staged);
  }
}

TEST_F(Plan, BulkCopiesNeedWholeWords) {
  LayoutConfig odd = llama();
  odd.inner = 1023;
  odd.tokens = 1;
  odd.heads.reset();
  const auto forced = [&](LayoutConfig config) {
    return plan({.source = layout(kBlockFirst, MemoryKind::Device, config),
                 .target = layout(kFc, MemoryKind::Pinned, config),
                 .blocks = kScattered,
                 .mechanism = Mechanism::BulkCopyKernel});
  };
  EXPECT_TRUE(forced(llama()));
  EXPECT_EQ(forced(odd).error().code, Code::Unsupported);
}

TEST_F(Plan, AForcedMechanismIsTakenOrRefusedByName) {
  TransferRequest request{.source = layout(kFc, MemoryKind::Device),
                          .target = layout(kFc, MemoryKind::Device),
                          .blocks = kScattered,
                          .mechanism = Mechanism::BatchedCopy};
  EXPECT_EQ(plan(request)->mechanism, Mechanism::BatchedCopy);
  request.mechanism = Mechanism::Staged;  // there is no link to be spared
  ASSERT_FALSE(plan(request));
  EXPECT_EQ(plan(request).error().code, Code::Unsupported);
  EXPECT_NE(plan(request).error().text.find("Staged"), std::string::npos);
  EXPECT_NE(plan(request).error().text.find("from Device to Device"), std::string::npos);
}

TEST_F(Plan, ABatchIsAsMuchOfThePagesAsASlotHolds) {
  const auto batch = [&](std::size_t slot_bytes, bool layer_events) {
    slot_bytes_ = slot_bytes;
    const StagingBatch planned = plan({.source = layout(kFc, MemoryKind::Pinned),
                                       .target = layout(kBlockFirst, MemoryKind::Device),
                                       .blocks = kScattered,
                                       .layer_events = layer_events})
                                     ->batch;
    return std::pair(planned.layers, planned.blocks);
  };
  EXPECT_EQ(batch(15u << 20, false), std::pair(80u, 3u));
  EXPECT_EQ(batch(5u << 20, false), std::pair(80u, 1u));
  EXPECT_EQ(batch((5u << 20) - 1, false), std::pair(79u, 1u));
  EXPECT_EQ(batch(64u << 10, false), std::pair(1u, 1u));
  EXPECT_EQ(batch((64u << 10) - 1, false).first, 0u);
  EXPECT_EQ(batch(5u << 20, true), std::pair(1u, 80u));
}

}  // namespace
}  // namespace kvbm
