#pragma once

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <tuple>

#include "kvbm/layout/layout_view.hpp"
#include "tests/support/transfer_suite.hpp"

namespace kvbm::test {

/// Extents of a page.
struct PageExtents {
  std::uint32_t layers = 3;
  std::uint32_t outer = 2;
  std::uint32_t tokens = 5;
  std::uint32_t heads = 3;
  std::uint32_t head_dim = 5;
};

/// Pages that differ on the axes that are sliced.
struct SliceCase {
  const char* name;
  PageExtents source;
  PageExtents target;
  std::vector<AxisSlice> slices;
};

[[nodiscard]] inline std::vector<SliceCase> slice_cases() {
  using enum Axis;
  return {{"layers", {.layers = 4}, {.layers = 5}, {{Layer, 1, 2, 3}}},
          {"outer", {.outer = 2}, {.outer = 1}, {{Outer, 1, 0, 1}}},
          {"tokens", {.tokens = 5}, {.tokens = 7}, {{TokenInBlock, 2, 1, 3}}},
          {"heads of a page into a whole one", {.heads = 4}, {.heads = 2}, {{Head, 2, 0, 2}}},
          {"a whole page into heads of one", {.heads = 2}, {.heads = 5}, {{Head, 0, 3, 2}}},
          {"head_dim", {.head_dim = 5}, {.head_dim = 4}, {{HeadDim, 1, 2, 2}}},
          {"a part of an axis of equal extents", {}, {}, {{Head, 0, 1, 2}}},
          {"all of every axis", {}, {}, {{HeadDim, 0, 0, 5}, {Head, 0, 0, 3}, {TokenInBlock, 0, 0, 5}}},
          {"all axes",
           {.layers = 3, .outer = 1, .tokens = 4, .heads = 2, .head_dim = 5},
           {.layers = 2, .outer = 2, .tokens = 6, .heads = 5, .head_dim = 7},
           {{Head, 0, 3, 2}, {Layer, 2, 0, 1}, {HeadDim, 1, 3, 3}, {Outer, 0, 1, 1}, {TokenInBlock, 1, 2, 3}}}};
}

/// Transfers of a part of each page. Run by instantiating it.
class TransferSlices : public TransferWorld {
 protected:
  static constexpr std::uint32_t kBlocks = 12;
  static constexpr InnerOrder kMoved[]{InnerOrder::Nhd, InnerOrder::Hnd, InnerOrder::UniversalTp};
  static constexpr std::uint32_t kWidths[]{1, 2, 4, 8};

  /// Requests are cut into pieces, slices and batches, and a layer fits a slot of the ring.
  [[nodiscard]] static TransferEngineOptions options() {
    TransferEngineOptions made = small_options();
    made.staging_bytes = 6u * 4096;
    return made;
  }
  [[nodiscard]] GuardedPages pages(const PageExtents& extents, InnerOrder order, std::uint32_t width, Place place) {
    const LayoutConfig config{.blocks = kBlocks,
                              .layers = extents.layers,
                              .outer = extents.outer,
                              .tokens = extents.tokens,
                              .inner = extents.heads * extents.head_dim,
                              .heads = extents.heads,
                              .element_bytes = width,
                              .order = order};
    return GuardedPages(device_, config, place);
  }
  /// A trace of what is moved.
  [[nodiscard]] static std::string text_of_sides(const GuardedPages& source, const GuardedPages& target) {
    const auto of = [](const GuardedPages& side) {
      return text_of(side.place()) + " " + std::string(to_text(side.config().order)) + " of " +
             std::to_string(side.config().element_bytes) + " bytes";
    };
    return of(source) + " to " + of(target);
  }
  /// Moves the slices and compares every byte of both sides with the model's.
  void expect_sliced(TransferEngine& engine, GuardedPages& source, GuardedPages& target,
                     const std::vector<AxisSlice>& slices, TransferRequest request = {}, std::uint32_t count = 10) {
    const auto from = source.fill(random_);
    const auto to = target.fill(random_);
    const auto blocks = random_pairs(kBlocks, count, random_);
    request.source = source.layout();
    request.target = target.layout();
    request.blocks = blocks;
    request.slices = slices;
    auto completion = engine.submit(std::move(request));
    ASSERT_TRUE(completion) << completion.error().text;
    const TransferOutcome& outcome = completion->wait();
    ASSERT_FALSE(outcome.error) << outcome.error->text;
    EXPECT_EQ(outcome.bytes, count * bytes_of(source, slices));
    EXPECT_EQ(source.read(), from);
    EXPECT_EQ(target.read(), sliced(source, from, target, to, blocks, slices));
  }

  /// Of all cases one in `share`, each value of an inner loop with each of an outer one; fewer under ThreadSanitizer,
  /// since one thread submits; all with KVBM_LONG_TESTS.
  [[nodiscard]] static bool its_turn(std::size_t turn, std::size_t share) {
#if defined(__SANITIZE_THREAD__)
    share *= 5;
#endif
    static const bool all = std::getenv("KVBM_LONG_TESTS") != nullptr;
    return all || (turn + turn / 6 + turn / 9 + turn / 81) % share == 0;
  }
  /// Whether that mechanism can, if one is named.
  [[nodiscard]] bool can_move(TransferEngine& engine, const GuardedPages& source, const GuardedPages& target,
                              const std::vector<AxisSlice>& slices, std::optional<Mechanism> mechanism) {
    const std::vector<BlockPair> none;
    return engine
        .submit({.source = source.layout(),
                 .target = target.layout(),
                 .blocks = none,
                 .slices = slices,
                 .mechanism = mechanism})
        .has_value();
  }

 private:
  /// That move of one block.
  [[nodiscard]] static std::uint64_t bytes_of(const GuardedPages& source, const std::vector<AxisSlice>& slices) {
    LayoutView view = LayoutView::of(*source.layout());
    for (const AxisSlice& slice : slices) view = view.slice(slice.axis, slice.source_start, slice.length).value();
    std::uint64_t bytes = view.element_bytes();
    for (const ViewAxis& axis : view.axes()) bytes *= axis.axis == Axis::Block ? 1 : axis.extent;
    return bytes;
  }
};

// 6.8
TEST_P(TransferSlices, EveryAxisBetweenAllOrdersInAllMemory) {
  TransferEngine engine(device_, options());
  std::size_t turn = 0;
  for (const SliceCase& c : slice_cases()) {
    for (const InnerOrder from : kMoved) {
      for (const InnerOrder to : kMoved) {
        for (const MemoryKind source_memory : kEveryMemory) {
          for (const MemoryKind target_memory : kEveryMemory) {
            if (!its_turn(turn++, 1)) continue;
            const std::uint32_t width = kWidths[turn % 4];
            GuardedPages source = pages(c.source, from, width, {LayoutKind::FullyContiguous, source_memory, 0});
            GuardedPages target = pages(c.target, to, width, {LayoutKind::FullyContiguous, target_memory, 0});
            SCOPED_TRACE(c.name + (": " + text_of_sides(source, target)));
            expect_sliced(engine, source, target, c.slices);
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST_P(TransferSlices, EveryAxisOfLayerSeparatePages) {
  TransferEngine engine(device_, options());
  std::size_t turn = 0;
  for (const SliceCase& c : slice_cases()) {
    for (const LayoutKind from : kEveryKind) {
      for (const LayoutKind to : kEveryKind) {
        for (const MemoryKind source_memory : kEveryMemory) {
          for (const MemoryKind target_memory : kEveryMemory) {
            if (!its_turn(turn++, 3)) continue;
            const InnerOrder orders[]{InnerOrder::Nhd, InnerOrder::Hnd};
            GuardedPages source = pages(c.source, orders[turn % 2], 2, {from, source_memory, 0});
            GuardedPages target = pages(c.target, orders[turn / 2 % 2], 2, {to, target_memory, 0});
            SCOPED_TRACE(c.name + (": " + text_of_sides(source, target)));
            expect_sliced(engine, source, target, c.slices);
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST_P(TransferSlices, EveryWidthAtAnyAddress) {
  TransferEngine engine(device_, options());
  const PageExtents wide{.layers = 2, .tokens = 3, .heads = 3, .head_dim = 24};
  const std::vector<std::vector<AxisSlice>> parts{{{Axis::HeadDim, 8, 16, 8}}, {{Axis::HeadDim, 3, 0, 17}}};
  for (const std::uint32_t width : kWidths) {
    for (const std::size_t shift : {1u, 8u}) {
      for (const InnerOrder from : kMoved) {
        for (const InnerOrder to : kMoved) {
          for (const bool save : {false, true}) {
            const MemoryKind memory[]{MemoryKind::Pinned, MemoryKind::Device};
            GuardedPages source = pages(wide, from, width, {LayoutKind::FullyContiguous, memory[save], shift});
            GuardedPages target = pages(wide, to, width, {LayoutKind::FullyContiguous, memory[!save], 0});
            SCOPED_TRACE(text_of_sides(source, target));
            for (const auto& slices : parts) expect_sliced(engine, source, target, slices, {}, 3);
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST_P(TransferSlices, PayloadOfPagesInNoDeclaredOrder) {
  TransferEngine engine(device_, options());
  for (const LayoutKind from : kEveryKind) {
    for (const LayoutKind to : kEveryKind) {
      for (const MemoryKind source_memory : kEveryMemory) {
        for (const MemoryKind target_memory : kEveryMemory) {
          GuardedPages source = pages({.tokens = 4}, InnerOrder::Unknown, 2, {from, source_memory, 0});
          GuardedPages target = pages({.heads = 5}, InnerOrder::Unknown, 2, {to, target_memory, 0});
          SCOPED_TRACE(text_of_sides(source, target));
          expect_sliced(engine, source, target, {{Axis::Payload, 7, 64, 11}});
          expect_sliced(engine, source, target, {{Axis::Outer, 1, 0, 1}, {Axis::Payload, 0, 1, 60}});
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST_P(TransferSlices, OfSomeLayersWithAnEventForEach) {
  TransferEngine engine(device_, options());
  for (const SliceCase& c : slice_cases()) {
    for (const InnerOrder from : kMoved) {
      for (const InnerOrder to : kMoved) {
        for (const MemoryKind host : {MemoryKind::System, MemoryKind::Pinned}) {
          const LayoutKind separate = LayoutKind::LayerSeparateOuterFirst, contiguous = LayoutKind::FullyContiguous;
          GuardedPages cache =
              pages(c.target, to, 2, {is_operational(to) ? separate : contiguous, MemoryKind::Device, 0});
          GuardedPages store = pages(c.source, from, 2, {contiguous, host, 0});
          SCOPED_TRACE(c.name + (": " + text_of_sides(store, cache)));
          expect_sliced(engine, store, cache, c.slices, {.layer_events = true});
          if (HasFailure()) return;
        }
      }
    }
  }
}

/// Layers are counted as the target does.
TEST_P(TransferSlices, EachLayerOfTheTargetIsThereBehindItsEvent) {
  TransferEngine engine(device_, options());
  const PageExtents in_cache{.layers = 6, .heads = 2};
  const Place separate{LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0};
  const std::vector<AxisSlice> slices{{Axis::Layer, 1, 3, 3}, {Axis::Head, 2, 0, 2}};
  for (const Mechanism mechanism : {Mechanism::PermuteKernel, Mechanism::Staged}) {
    const bool staged = mechanism == Mechanism::Staged;  // whole pages of the host
    GuardedPages store = pages({.layers = 4, .heads = staged ? 2u : 4u}, InnerOrder::Hnd, 2,
                               {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
    GuardedPages cache = pages(in_cache, InnerOrder::Nhd, 2, separate);
    GuardedPages seen = pages(in_cache, InnerOrder::Nhd, 2, separate);
    const auto from = store.fill(random_);
    static_cast<void>(cache.fill(random_));
    const auto before = seen.fill(random_);
    const auto blocks = random_pairs(kBlocks, kBlocks, random_);
    const std::span<const AxisSlice> moved = staged ? std::span(slices).first(1) : std::span(slices);
    const Stream reader(device_, StreamPriority::Normal, "test.reader");

    const Completion completion = engine
                                      .submit({.source = store.layout(),
                                               .target = cache.layout(),
                                               .blocks = blocks,
                                               .slices = moved,
                                               .layer_events = true,
                                               .mechanism = mechanism})
                                      .value();
    for (std::uint32_t layer = 3; layer < 6; ++layer) {
      completion.wait_for_layer(layer, reader.view());
      device_->copy(seen.layout()->cell(0, layer, 0).value(), cache.layout()->cell(0, layer, 0).value(),
                    kBlocks * cache.config().block_bytes() / 6, reader.view());
    }
    device_->synchronize(reader.view());

    ASSERT_FALSE(completion.wait().error);
    EXPECT_EQ(seen.read(), sliced(store, from, seen, before, blocks, moved));
  }
}

/// The link carries whole pages of the host, which are a part of those on the device.
TEST_P(TransferSlices, ThroughTheRingWhereTheHostsPagesAreWhole) {
  TransferEngine engine(device_, options());
  const PageExtents all{.heads = 6}, half{.heads = 3};
  for (const InnerOrder on_device : kMoved) {
    for (const InnerOrder on_host : kMoved) {
      GuardedPages cache = pages(all, on_device, 2, {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
      GuardedPages store = pages(half, on_host, 2, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
      SCOPED_TRACE(text_of_sides(cache, store));
      for (const bool layer_events : {false, true}) {
        const auto staged = [&] {
          return TransferRequest{.layer_events = layer_events, .mechanism = Mechanism::Staged};
        };
        expect_sliced(engine, cache, store, {{Axis::Head, 3, 0, 3}}, staged());
        expect_sliced(engine, store, cache, {{Axis::Head, 0, 3, 3}}, staged());
        expect_sliced(engine, store, cache, {{Axis::Layer, 1, 0, 2}, {Axis::Head, 0, 1, 3}}, staged());
      }
    }
  }
}

TEST_P(TransferSlices, OfPagesWhoseOrderIsOverridden) {
  TransferEngine engine(device_, options());
  GuardedPages unknown = pages({.heads = 4}, InnerOrder::Unknown, 2, {LayoutKind::FullyContiguous, MemoryKind::Pinned});
  GuardedPages named = pages({.heads = 4}, InnerOrder::Hnd, 2, {LayoutKind::FullyContiguous, MemoryKind::Pinned});
  GuardedPages cache = pages({.heads = 2}, InnerOrder::Nhd, 2, {LayoutKind::FullyContiguous, MemoryKind::Device});
  const auto content = unknown.fill(random_);
  named.write(content);
  const auto before = cache.fill(random_);
  const std::vector<BlockPair> blocks{{3, 1}, {1, 4}};
  const std::vector<AxisSlice> slices{{Axis::Head, 1, 0, 2}};

  auto completion = engine.submit({.source = unknown.layout(),
                                   .target = cache.layout(),
                                   .blocks = blocks,
                                   .slices = slices,
                                   .source_order = InnerOrder::Hnd});

  ASSERT_TRUE(completion) << completion.error().text;
  ASSERT_FALSE(completion->wait().error);
  EXPECT_EQ(cache.read(), sliced(named, content, cache, before, blocks, slices));
}

/// Whatever is slower than layers: a part of them is never taken for another.
TEST_P(TransferSlices, OfPagesInEveryOrderToTheSame) {
  TransferEngineOptions with = options();
  with.staging_bytes = 6u * 1024;  // slots of a layer or two
  TransferEngine engine(device_, with);
  const PageExtents extents{.layers = 4, .tokens = 3, .heads = 3, .head_dim = 8};
  using enum MemoryKind;
  const std::vector<std::optional<Mechanism>> any{std::nullopt};
  const std::vector<std::optional<Mechanism>> each{std::nullopt, Mechanism::Staged, Mechanism::Copies,
                                                   Mechanism::CopyKernel, Mechanism::BulkCopyKernel};
  std::size_t turn = 0;
  for (std::size_t number = 1; number < kInnerOrders; ++number) {
    const auto order = static_cast<InnerOrder>(number);
    for (const auto& [source_memory, target_memory, mechanisms] : {std::tuple(Pinned, Device, each),
                                                                   {Device, Pinned, each},
                                                                   {Device, Device, any},
                                                                   {System, Device, any},
                                                                   {Device, System, any},
                                                                   {System, Pinned, any}}) {
      if (!its_turn(turn++, 3)) continue;
      GuardedPages source = pages(extents, order, 2, {LayoutKind::FullyContiguous, source_memory, 0});
      GuardedPages target = pages(extents, order, 2, {LayoutKind::FullyContiguous, target_memory, 0});
      SCOPED_TRACE(text_of_sides(source, target));
      for (const std::optional<Mechanism> mechanism : mechanisms) {
        for (const std::vector<AxisSlice>& slices :
             {std::vector<AxisSlice>{}, {{Axis::Layer, 1, 0, 2}}, {{Axis::Layer, 3, 3, 1}}}) {
          if (!can_move(engine, source, target, slices, mechanism)) continue;
          expect_sliced(engine, source, target, slices, {.mechanism = mechanism});
        }
      }
      expect_sliced(engine, source, target, {{Axis::Layer, 1, 0, 3}}, {.layer_events = true});
      for (const Axis axis : {Axis::Outer, Axis::TokenInBlock, Axis::Head, Axis::HeadDim}) {
        expect_sliced(engine, source, target, {{axis, 1, 0, 1}, {Axis::Layer, 1, 2, 2}});
      }
      if (HasFailure()) return;
    }
  }
}

/// Slices that share out two axes, in any order.
TEST_P(TransferSlices, DisjointOnesMakeUpTheWhole) {
  TransferEngine engine(device_, options());
  for (const MemoryKind host : {MemoryKind::System, MemoryKind::Pinned}) {
    GuardedPages source = pages({}, InnerOrder::Hnd, 2, {LayoutKind::FullyContiguous, host, 0});
    GuardedPages target = pages({}, InnerOrder::Nhd, 2, {LayoutKind::LayerSeparateOuterFirst, MemoryKind::Device, 0});
    const auto from = source.fill(random_);
    const auto to = target.fill(random_);
    const auto blocks = random_pairs(kBlocks, kBlocks, random_);
    std::vector<std::vector<AxisSlice>> parts;
    for (const auto& [heads, length] : {std::pair(0u, 2u), {2u, 1u}}) {
      parts.push_back({{Axis::Head, heads, heads, length}, {Axis::Layer, 0, 0, 1}});
      parts.push_back({{Axis::Layer, 1, 1, 2}, {Axis::Head, heads, heads, length}, {Axis::TokenInBlock, 0, 0, 4}});
      parts.push_back({{Axis::Layer, 1, 1, 2}, {Axis::Head, heads, heads, length}, {Axis::TokenInBlock, 4, 4, 1}});
    }
    std::shuffle(parts.begin(), parts.end(), random_);

    std::vector<Completion> completions;
    for (const auto& slices : parts) {
      completions.push_back(
          engine.submit({.source = source.layout(), .target = target.layout(), .blocks = blocks, .slices = slices})
              .value());
    }
    ASSERT_FALSE(Completion::all(completions).wait().error);

    EXPECT_EQ(target.read(), sliced(source, from, target, to, blocks, {}));
  }
}

}  // namespace kvbm::test
