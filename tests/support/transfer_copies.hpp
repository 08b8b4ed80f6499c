#pragma once

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "tests/support/transfer_suite.hpp"

namespace kvbm::test {

/// What every engine moves, and how. Run by instantiating it.
class TransferCopies : public TransferWorld {
 protected:
  template <class Visit>
  void for_each_memory(const Visit& visit) {
    for (const MemoryKind source : kEveryMemory) {
      for (const MemoryKind target : kEveryMemory) visit(source, target);
    }
  }
  /// `count` of the ids below `blocks`, in random order.
  [[nodiscard]] std::vector<BlockId> random_ids(std::uint32_t blocks, std::uint32_t count) {
    std::vector<BlockId> ids;
    for (const BlockPair pair : random_pairs(blocks, count, random_)) ids.push_back(pair.source);
    return ids;
  }
  [[nodiscard]] static std::vector<BlockPair> paired(const std::vector<BlockId>& from, const std::vector<BlockId>& to) {
    std::vector<BlockPair> pairs;
    for (std::size_t i = 0; i < from.size(); ++i) pairs.push_back({from[i], to[i]});
    return pairs;
  }
};

TEST_P(TransferCopies, BetweenAllLayoutsInAllMemory) {
  TransferEngine engine(device_, small_options());
  for (const LayoutKind from : kEveryKind) {
    for (const LayoutKind to : kEveryKind) {
      for_each_memory([&](MemoryKind source_memory, MemoryKind target_memory) {
        GuardedPages source(device_, small_config(), {from, source_memory, 0});
        GuardedPages target(device_, small_config(), {to, target_memory, 0});
        SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()));
        expect_copied(engine, source, target, random_pairs(12, 10, random_));
      });
    }
  }
}

TEST_P(TransferCopies, OnlyTheNamedLayers) {
  TransferEngine engine(device_, small_options());
  for (const LayoutKind from : kEveryKind) {
    for (const LayoutKind to : kEveryKind) {
      for_each_memory([&](MemoryKind source_memory, MemoryKind target_memory) {
        GuardedPages source(device_, small_config(), {from, source_memory, 0});
        GuardedPages target(device_, small_config(), {to, target_memory, 0});
        for (const LayerRange layers : {LayerRange{0, 1}, {1, 2}, {2, 3}, {0, 2}, {1, 3}, {1, 1}}) {
          SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()) + " from layer " +
                       std::to_string(layers.begin) + " to " + std::to_string(layers.end));
          expect_copied(engine, source, target, random_pairs(12, 3, random_), {.layers = layers});
        }
      });
    }
  }
}

TEST_P(TransferCopies, LayerRangesInAnyOrderMakeUpTheWhole) {
  TransferEngine engine(device_, small_options());
  LayoutConfig config = small_config();
  config.layers = 7;
  GuardedPages source(device_, config, {LayoutKind::LayerSeparateOuterFirst, MemoryKind::Device, 0});
  GuardedPages target(device_, config, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
  const auto from = source.fill(random_);
  const auto to = target.fill(random_);
  const auto blocks = random_pairs(12, 12, random_);
  std::vector<LayerRange> parts{{0, 2}, {2, 3}, {3, 6}, {6, 7}};
  std::shuffle(parts.begin(), parts.end(), random_);

  std::vector<Completion> completions;
  for (const LayerRange layers : parts) {
    completions.push_back(
        engine.submit({.source = source.layout(), .target = target.layout(), .blocks = blocks, .layers = layers})
            .value());
  }
  ASSERT_FALSE(Completion::all(completions).wait().error);

  EXPECT_EQ(target.read(), copied(source, from, target, to, blocks, {0, 7}));
}

TEST_P(TransferCopies, IdsInAnyOrder) {
  TransferEngine engine(device_, small_options());
  const std::vector<std::vector<BlockPair>> lists{
      {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 6}, {7, 7}, {8, 8}, {9, 9}, {10, 10}, {11, 11}},  // one run
      {{11, 0}, {10, 1}, {9, 2}, {8, 3}},                                                                    // falling
      {{2, 7}, {3, 8}, {4, 9}, {0, 1}, {1, 2}, {9, 4}},                                                      // runs
      {{5, 0}, {5, 1}, {5, 2}, {6, 3}},  // one source for many
      {{11, 11}},
      {}};
  for (const LayoutKind from : kEveryKind) {
    for (const LayoutKind to : kEveryKind) {
      for_each_memory([&](MemoryKind source_memory, MemoryKind target_memory) {
        GuardedPages source(device_, small_config(), {from, source_memory, 0});
        GuardedPages target(device_, small_config(), {to, target_memory, 0});
        SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()));
        for (const auto& blocks : lists) expect_copied(engine, source, target, blocks);
      });
    }
  }
}

TEST_P(TransferCopies, WithinOneLayout) {
  TransferEngine engine(device_, small_options());
  for (const MemoryKind memory : kEveryMemory) {
    GuardedPages pages(device_, small_config(), {LayoutKind::LayerSeparateBlockFirst, memory, 0});
    const auto before = pages.fill(random_);
    const std::vector<BlockPair> blocks{{2, 7}, {5, 0}, {6, 1}};
    auto completion = engine.submit({.source = pages.layout(), .target = pages.layout(), .blocks = blocks}).value();
    ASSERT_FALSE(completion.wait().error);
    EXPECT_EQ(pages.read(), copied(pages, before, pages, before, blocks, {0, 3}));
  }
}

TEST_P(TransferCopies, CellsOfAnySizeAtAnyAddress) {
  TransferEngineOptions options = small_options();
  options.staging_bytes = 1u << 20;
  TransferEngine engine(device_, options);
  for (const std::uint32_t cell_bytes : {1u, 2u, 3u, 15u, 16u, 17u, 999u, 4096u}) {
    const LayoutConfig config{
        .blocks = 6, .layers = 2, .outer = 2, .tokens = 1, .inner = cell_bytes, .element_bytes = 1};
    for (const std::size_t shift : {0u, 1u, 2u, 4u, 8u}) {
      for_each_memory([&](MemoryKind source_memory, MemoryKind target_memory) {
        GuardedPages source(device_, config, {LayoutKind::LayerSeparateBlockFirst, source_memory, shift});
        GuardedPages target(device_, config, {LayoutKind::FullyContiguous, target_memory, 8 - shift});
        SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()) + ", cells of " +
                     std::to_string(cell_bytes));
        expect_copied(engine, source, target, random_pairs(6, 5, random_));
      });
    }
  }
}

TEST_P(TransferCopies, LargeCells) {
  TransferEngineOptions options = small_options();
  options.staging_slots = 2;
  options.staging_bytes = 1u << 20;
  TransferEngine engine(device_, options);
  for (const std::uint32_t cell_bytes : {32u << 10, 128u << 10, 1u << 20, 5u << 20}) {
    const std::uint32_t blocks = cell_bytes < 1u << 20 ? 3 : 1;
    const LayoutConfig config{
        .blocks = blocks, .layers = 1, .outer = 1, .tokens = 1, .inner = cell_bytes, .element_bytes = 1};
    for (const auto& [from, to] : {std::pair(MemoryKind::Pinned, MemoryKind::Device),
                                   {MemoryKind::Device, MemoryKind::Pinned},
                                   {MemoryKind::System, MemoryKind::Device}}) {
      if (from == MemoryKind::System && cell_bytes > 128u << 10) continue;  // by the same pieces
      GuardedPages source(device_, config, {LayoutKind::LayerSeparateBlockFirst, from, 0});
      GuardedPages target(device_, config, {LayoutKind::FullyContiguous, to, 0});
      SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()) + ", cells of " +
                   std::to_string(cell_bytes));
      expect_copied(engine, source, target, {{0, blocks - 1}});
    }
  }
}

TEST_P(TransferCopies, PagesComeBackFromLowerTiersAsTheyWere) {
  TransferEngine engine(device_, small_options());
  using enum MemoryKind;
  const std::vector<std::vector<MemoryKind>> ways{{Pinned}, {System}, {Pinned, System}, {System, Pinned, Device}};
  for (const std::vector<MemoryKind>& way : ways) {
    GuardedPages cache(device_, small_config(), {LayoutKind::LayerSeparateOuterFirst, Device, 0});
    auto expected = cache.fill(random_);
    std::vector<BlockId> ids = random_ids(12, 5);
    const std::vector<BlockId> first_ids = ids;
    std::vector<GuardedPages> stores;
    for (const MemoryKind memory : way) {
      stores.emplace_back(device_, small_config(), Place{LayoutKind::FullyContiguous, memory, 0});
    }
    GuardedPages* at = &cache;
    for (std::size_t stage = 0; stage <= stores.size(); ++stage) {  // the last one leads back
      GuardedPages* const next = stage < stores.size() ? &stores[stage] : &cache;
      const std::vector<BlockId> next_ids = random_ids(12, 5);
      const std::vector<BlockPair> blocks = paired(ids, next_ids);
      ASSERT_FALSE(
          engine.submit({.source = at->layout(), .target = next->layout(), .blocks = blocks}).value().wait().error);
      at = next;
      ids = next_ids;
    }
    const auto before = expected;
    expected = copied(cache, before, cache, expected, paired(first_ids, ids), {0, 3});
    EXPECT_EQ(cache.read(), expected) << way.size() << " tiers";
  }
}

TEST_P(TransferCopies, EveryMechanismGivesTheSameBytes) {
  TransferEngine engine(device_, small_options());
  std::size_t moved = 0;
  for (const LayoutKind from : kEveryKind) {
    for (const LayoutKind to : kEveryKind) {
      for_each_memory([&](MemoryKind source_memory, MemoryKind target_memory) {
        GuardedPages source(device_, small_config(), {from, source_memory, 0});
        GuardedPages target(device_, small_config(), {to, target_memory, 0});
        for (const Mechanism mechanism :
             {Mechanism::HostCopy, Mechanism::Copies, Mechanism::BatchedCopy, Mechanism::CopyKernel,
              Mechanism::BulkCopyKernel, Mechanism::PermuteKernel, Mechanism::Staged}) {
          SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()) + " by " + to_text(mechanism));
          const auto one = random_pairs(12, 1, random_);
          auto probe = engine.submit(
              {.source = source.layout(), .target = target.layout(), .blocks = one, .mechanism = mechanism});
          if (!probe) {
            EXPECT_EQ(probe.error().code, TransferError::Code::Unsupported);
            EXPECT_NE(probe.error().text.find(to_text(mechanism)), std::string::npos) << probe.error().text;
            continue;
          }
          EXPECT_EQ(probe->wait().mechanism, mechanism);
          ++moved;
          expect_copied(engine, source, target, random_pairs(12, 11, random_), {.mechanism = mechanism});
          expect_copied(engine, source, target, random_pairs(12, 11, random_),
                        {.layers = LayerRange{1, 3}, .mechanism = mechanism});
        }
      });
    }
  }
  const DeviceCapabilities& can = device_->capabilities();
  const std::size_t calls = can.batched_copy ? 2 : 1;
  const std::size_t kernels = can.bulk_copy ? 2 : 1;
  const std::size_t pageable = can.coherent_host ? kernels : 1;
  const std::size_t pinned = calls + kernels + 1;
  EXPECT_EQ(moved, 9 * (4 + 2 * pageable + 2 * pinned + calls + kernels));
}

TEST_P(TransferCopies, RingsOfAnySizeGiveTheSameBytes) {
  const std::size_t block_bytes = small_config().block_bytes();
  const std::size_t layer_bytes = block_bytes / small_config().layers;
  for (const std::uint32_t slots : {1u, 2u, 3u, 12u}) {
    for (const std::size_t slot_bytes :
         {layer_bytes, 2 * layer_bytes, block_bytes, 2 * block_bytes + 16, 64 * block_bytes}) {
      TransferEngineOptions options = small_options();
      options.staging_slots = slots;
      options.staging_bytes = 2 * slots * slot_bytes;
      TransferEngine engine(device_, options);
      for_each_memory([&](MemoryKind source_memory, MemoryKind target_memory) {
        if ((source_memory == MemoryKind::Device) == (target_memory == MemoryKind::Device)) return;
        if (device_->capabilities().coherent_host) return;
        GuardedPages source(device_, small_config(), {LayoutKind::LayerSeparateOuterFirst, source_memory, 0});
        GuardedPages target(device_, small_config(), {LayoutKind::FullyContiguous, target_memory, 0});
        SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()) + " by " + std::to_string(slots) +
                     " slots of " + std::to_string(slot_bytes));
        expect_copied(engine, source, target, random_pairs(12, 12, random_), {.mechanism = Mechanism::Staged});
      });
    }
  }
}

TEST_P(TransferCopies, RequestsLargerThanASlotAreMovedInPieces) {
  TransferEngineOptions options = small_options();
  options.blocks_max = 3;
  options.transfers_max = 4;
  TransferEngine engine(device_, options);
  for_each_memory([&](MemoryKind source_memory, MemoryKind target_memory) {
    GuardedPages source(device_, small_config(), {LayoutKind::FullyContiguous, source_memory, 0});
    GuardedPages target(device_, small_config(), {LayoutKind::LayerSeparateBlockFirst, target_memory, 0});
    SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()));
    for (const std::uint32_t count : {3u, 4u, 6u, 7u, 12u}) {
      expect_copied(engine, source, target, random_pairs(12, count, random_));
      expect_copied(engine, source, target, random_pairs(12, count, random_), {.layer_events = true});
    }
  });
}

TEST_P(TransferCopies, ThousandsOfBlocks) {
  TransferEngine engine(device_, {.transfers_max = 4, .bytes_in_flight_max = 1u << 20, .calibrate = false});
  const LayoutConfig config{.blocks = 16384, .layers = 1, .outer = 1, .tokens = 1, .inner = 16, .element_bytes = 1};
  GuardedPages source(device_, config, {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0});
  GuardedPages target(device_, config, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
  for (const std::uint32_t count : {1u, 2u, 1024u, 4096u, 8192u, 16384u}) {
    SCOPED_TRACE(std::to_string(count) + " blocks");
    expect_copied(engine, source, target, random_pairs(16384, count, random_));
  }
}

TEST_P(TransferCopies, EightThreadsSubmit) {
  constexpr std::uint32_t kThreads = 8;
  TransferEngine engine(device_, small_options());
  LayoutConfig config = small_config();
  config.blocks = 8 * kThreads;
  GuardedPages device_pages(device_, config, {LayoutKind::LayerSeparateOuterFirst, MemoryKind::Device, 0});
  GuardedPages host_pages(device_, config, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
  const auto on_device = device_pages.fill(random_);
  const auto on_host = host_pages.fill(random_);
  const auto all = random_pairs(config.blocks, config.blocks, random_);
  const std::span<const BlockPair> saves = std::span(all).first(4 * kThreads);  // the others go the other way

  std::vector<BlockPair> loads;
  for (const BlockPair pair : std::span(all).subspan(4 * kThreads)) loads.push_back({pair.target, pair.source});
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        std::vector<Completion> completions;
        for (std::uint32_t i = 0; i < 4; ++i) {
          completions.push_back(engine
                                    .submit({.source = device_pages.layout(),
                                             .target = host_pages.layout(),
                                             .blocks = saves.subspan(4 * thread + i, 1),
                                             .priority = TransferPriority::WriteBehind})
                                    .value());
          completions.push_back(engine
                                    .submit({.source = host_pages.layout(),
                                             .target = device_pages.layout(),
                                             .blocks = std::span(loads).subspan(4 * thread + i, 1),
                                             .priority = TransferPriority::OnDemand})
                                    .value());
        }
        for (const Completion& completion : completions) EXPECT_FALSE(completion.wait().error);
      });
    }
  }
  EXPECT_EQ(host_pages.read(), copied(device_pages, on_device, host_pages, on_host, saves, {0, 3}));
  EXPECT_EQ(device_pages.read(), copied(host_pages, on_host, device_pages, on_device, loads, {0, 3}));
}

}  // namespace kvbm::test
