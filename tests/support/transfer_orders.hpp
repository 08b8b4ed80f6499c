#pragma once

#include "tests/support/transfer_suite.hpp"

namespace kvbm::test {

/// Transfers between orders, within their layers, and behind and before the work of others. Run by instantiating it.
class TransferOrders : public TransferWorld {
 protected:
  void expect_permuted(TransferEngine& engine, GuardedPages& source, InnerOrder source_order, GuardedPages& target,
                       InnerOrder target_order, TransferRequest request) {
    const auto from = source.fill(random_);
    const auto to = target.fill(random_);
    const auto blocks = random_pairs(12, 7, random_);
    const LayerRange layers = request.layers.value_or(LayerRange{0, 3});
    request.source = source.layout();
    request.target = target.layout();
    request.blocks = blocks;
    auto completion = engine.submit(std::move(request));
    ASSERT_TRUE(completion) << completion.error().text;
    ASSERT_FALSE(completion->wait().error) << completion->wait().error->text;
    EXPECT_EQ(source.read(), from);
    EXPECT_EQ(target.read(), permuted(source, source_order, from, target, target_order, to, blocks, layers));
  }
  [[nodiscard]] static LayoutConfig config_in(InnerOrder order, std::uint32_t element_bytes) {
    return {.blocks = 12,
            .layers = 3,
            .outer = 2,
            .tokens = 4,
            .inner = 15,
            .heads = 3,
            .element_bytes = element_bytes,
            .order = order};
  }
  static constexpr InnerOrder kMoved[]{InnerOrder::Nhd, InnerOrder::Hnd, InnerOrder::UniversalTp};
};

TEST_P(TransferOrders, EveryWidthInAllMemory) {
  TransferEngine engine(device_, small_options());
  for (const std::uint32_t width : {1u, 2u, 4u, 8u}) {
    for (const InnerOrder from : kMoved) {
      for (const InnerOrder to : kMoved) {
        for (const MemoryKind source_memory : kEveryMemory) {
          for (const MemoryKind target_memory : kEveryMemory) {
            GuardedPages source(device_, config_in(from, width), {LayoutKind::FullyContiguous, source_memory, 0});
            GuardedPages target(device_, config_in(to, width), {LayoutKind::FullyContiguous, target_memory, 0});
            SCOPED_TRACE(text_of(source.place()) + " order " + std::to_string(int(from)) + " to " +
                         text_of(target.place()) + " order " + std::to_string(int(to)));
            expect_permuted(engine, source, from, target, to, {});
          }
        }
      }
    }
  }
}

TEST_P(TransferOrders, SomeLayersOfThem) {
  TransferEngine engine(device_, small_options());
  for (const InnerOrder from : kMoved) {
    for (const InnerOrder to : kMoved) {
      for (const MemoryKind source_memory : kEveryMemory) {
        for (const MemoryKind target_memory : kEveryMemory) {
          GuardedPages source(device_, config_in(from, 2), {LayoutKind::FullyContiguous, source_memory, 0});
          GuardedPages target(device_, config_in(to, 2), {LayoutKind::FullyContiguous, target_memory, 0});
          for (const LayerRange layers : {LayerRange{0, 1}, {1, 3}}) {
            SCOPED_TRACE(text_of(source.place()) + " order " + std::to_string(int(from)) + " to " +
                         text_of(target.place()) + " order " + std::to_string(int(to)) + " from layer " +
                         std::to_string(layers.begin));
            expect_permuted(engine, source, from, target, to, {.layers = layers});
            expect_permuted(engine, source, from, target, to, {.layers = layers, .layer_events = true});
          }
        }
      }
    }
  }
}

TEST_P(TransferOrders, LayerSeparatePagesToUniversalOnesAndBack) {
  TransferEngine engine(device_, small_options());
  for (const LayoutKind kind : {LayoutKind::LayerSeparateBlockFirst, LayoutKind::LayerSeparateOuterFirst}) {
    for (const InnerOrder order : {InnerOrder::Nhd, InnerOrder::Hnd}) {
      for (const MemoryKind host : {MemoryKind::System, MemoryKind::Pinned}) {
        GuardedPages cache(device_, config_in(order, 2), {kind, MemoryKind::Device, 0});
        GuardedPages store(device_, config_in(InnerOrder::UniversalTp, 2), {LayoutKind::FullyContiguous, host, 0});
        SCOPED_TRACE(text_of(cache.place()) + " and " + text_of(store.place()));
        expect_permuted(engine, cache, order, store, InnerOrder::UniversalTp, {});
        expect_permuted(engine, store, InnerOrder::UniversalTp, cache, order, {});
        expect_permuted(engine, store, InnerOrder::UniversalTp, cache, order, {.layers = LayerRange{1, 2}});
      }
    }
  }
}

TEST_P(TransferOrders, ForcedPermutations) {
  TransferEngine engine(device_, small_options());
  GuardedPages store(device_, config_in(InnerOrder::UniversalTp, 2),
                     {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
  GuardedPages cache(device_, config_in(InnerOrder::Nhd, 2),
                     {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0});
  for (const Mechanism mechanism : {Mechanism::PermuteKernel, Mechanism::Staged}) {
    expect_permuted(engine, store, InnerOrder::UniversalTp, cache, InnerOrder::Nhd, {.mechanism = mechanism});
    expect_permuted(engine, cache, InnerOrder::Nhd, store, InnerOrder::UniversalTp, {.mechanism = mechanism});
  }
}

TEST_P(TransferOrders, AnOverrideTakesThePlaceOfTheDeclaredOrder) {
  TransferEngine engine(device_, small_options());
  GuardedPages source(device_, config_in(InnerOrder::Unknown, 2), {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
  GuardedPages target(device_, config_in(InnerOrder::Nhd, 2), {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
  expect_permuted(engine, source, InnerOrder::Hnd, target, InnerOrder::UniversalTp,
                  {.source_order = InnerOrder::Hnd, .target_order = InnerOrder::UniversalTp});
  expect_permuted(engine, source, InnerOrder::Nhd, target, InnerOrder::Nhd,
                  {.source_order = InnerOrder::Nhd, .target_order = InnerOrder::Nhd});
}

/// Changes what the source holds, on a stream, before the transfer; and reads the target on another, after it.
TEST_P(TransferOrders, BehindTheWriterAndBeforeTheReader) {
  TransferEngine engine(device_, small_options());
  for (int round = 0; round < 8; ++round) {
    for (const bool by_event : {false, true}) {
      GuardedPages source(device_, small_config(), {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
      GuardedPages between(device_, small_config(), {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
      GuardedPages target(device_, small_config(), {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
      static_cast<void>(source.fill(random_));
      static_cast<void>(between.fill(random_));
      static_cast<void>(target.fill(random_));
      const Stream writer(device_, StreamPriority::Normal, "test.writer");
      const Stream reader(device_, StreamPriority::Normal, "test.reader");
      const Event written(device_);
      std::byte* const source_bytes = source.layout()->cell(3, 0, 0).value();
      std::byte* const target_bytes = target.layout()->cell(5, 0, 0).value();
      const std::size_t bytes = small_config().block_bytes();
      const std::vector<BlockPair> save{{3, 1}};
      const std::vector<BlockPair> load{{1, 5}};
      const StreamView writers[]{writer.view()};
      const EventView events[]{written.view()};

      device_->fill(source_bytes, 0xA5, bytes, writer.view());
      device_->record(written.view(), writer.view());
      TransferRequest saving{.source = source.layout(), .target = between.layout(), .blocks = save};
      by_event ? saving.after_events = events : saving.after_events = {};
      if (!by_event) saving.after_streams = writers;
      const Completion saved = engine.submit(std::move(saving)).value();
      saved.wait_on(reader.view());
      const StreamView readers[]{reader.view()};
      const Completion loaded = engine
                                    .submit({.source = between.layout(),
                                             .target = target.layout(),
                                             .blocks = load,
                                             .after_streams = readers,
                                             .priority = TransferPriority::OnDemand})
                                    .value();
      loaded.wait_on(writer.view());
      device_->copy(source_bytes, target_bytes, bytes, writer.view());
      device_->fill(target_bytes, 0, bytes, writer.view());
      device_->synchronize(writer.view());

      ASSERT_FALSE(loaded.wait().error);
      const auto content = source.read();
      const std::size_t offset = source.cell(3, 0, 0).offset;
      EXPECT_EQ(GuardedPages::Bytes(bytes, 0xA5),
                GuardedPages::Bytes(content[0].begin() + static_cast<std::ptrdiff_t>(offset),
                                    content[0].begin() + static_cast<std::ptrdiff_t>(offset + bytes)));
    }
  }
}

/// A stream that waits for each layer in turn sees it as it will be.
TEST_P(TransferOrders, EachLayerIsThereBehindItsEvent) {
  TransferEngine engine(device_, small_options());
  for (const Mechanism mechanism : {Mechanism::Copies, Mechanism::CopyKernel, Mechanism::Staged}) {
    GuardedPages source(device_, small_config(), {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
    GuardedPages target(device_, small_config(), {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0});
    GuardedPages seen(device_, small_config(), {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0});
    const auto from = source.fill(random_);
    static_cast<void>(target.fill(random_));
    const auto before = seen.fill(random_);
    const auto blocks = random_pairs(12, 12, random_);
    const Stream reader(device_, StreamPriority::Normal, "test.reader");

    const Completion completion = engine
                                      .submit({.source = source.layout(),
                                               .target = target.layout(),
                                               .blocks = blocks,
                                               .layer_events = true,
                                               .mechanism = mechanism})
                                      .value();
    for (std::uint32_t layer = 0; layer < 3; ++layer) {
      completion.wait_for_layer(layer, reader.view());
      device_->copy(seen.layout()->cell(0, layer, 0).value(), target.layout()->cell(0, layer, 0).value(),
                    12 * small_config().block_bytes() / 3, reader.view());
    }
    device_->synchronize(reader.view());

    ASSERT_FALSE(completion.wait().error);
    EXPECT_EQ(seen.read(), copied(source, from, seen, before, blocks, {0, 3}));
  }
}

}  // namespace kvbm::test
