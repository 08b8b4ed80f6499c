#include "bench/support/tiered_pages.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/page_pattern.cuh"
#include "kvbm/base/assert.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm::bench {
namespace {

using kernels::PagePattern;
using kernels::PatternWord;

constexpr std::uint32_t kScratchBlocks = 256;
constexpr std::uint32_t kOuter = 2;

LayoutConfig config_of(std::uint32_t blocks, const TieredPages::Shape& shape) {
  LayoutConfig config;
  config.blocks = blocks;
  config.layers = shape.layers;
  config.outer = kOuter;
  config.tokens = 1;
  config.element_bytes = 2;
  config.inner = static_cast<std::uint32_t>(shape.page_bytes / shape.layers / kOuter / config.element_bytes);
  config.alignment = sizeof(PatternWord);
  return config;
}

std::shared_ptr<const BlockLayout> made(const LayoutConfig& config, LayoutKind kind, std::vector<Memory> regions,
                                        const std::shared_ptr<Device>& device) {
  auto layout = BlockLayout::create(config, kind, std::move(regions), device);
  KVBM_ASSERT(layout.has_value(), "pages of a checked size have a layout");
  return std::move(*layout);
}

std::shared_ptr<const BlockLayout> device_layout(const std::shared_ptr<Device>& device, std::uint32_t blocks,
                                                 const TieredPages::Shape& shape) {
  const LayoutConfig config = config_of(blocks, shape);
  const std::size_t regions = shape.g1_layout == LayoutKind::FullyContiguous ? 1 : shape.layers;
  std::vector<Memory> memory;
  for (std::size_t i = 0; i < regions; ++i) {
    memory.push_back(allocate_device(device, config.blocks * config.block_bytes() / regions));
  }
  return made(config, shape.g1_layout, std::move(memory), device);
}

std::shared_ptr<const BlockLayout> pinned_layout(const std::shared_ptr<Device>& device, std::uint32_t blocks,
                                                 const TieredPages::Shape& shape) {
  const LayoutConfig config = config_of(blocks, shape);
  std::vector<Memory> memory{allocate_pinned(device, config.blocks * config.block_bytes())};
  return made(config, LayoutKind::FullyContiguous, std::move(memory), device);
}

/// Both halves take part, as in PagePool.
std::uint64_t seed_of(const SequenceHash& hash) noexcept {
  constexpr std::uint64_t kOdd = 0x9E37'79B9'7F4A'7C15u;  // 2^64 / golden ratio
  return hash.high() * kOdd ^ hash.low();
}

/// Calls visit(word in memory, word of the pattern) all over a page.
template <class Visit>
void over_page(const PageView& pages, BlockId block, const SequenceHash& hash, Visit&& visit) {
  const PagePattern pattern(seed_of(hash));
  std::uint64_t index = 0;
  for (std::uint32_t layer = 0; layer < pages.layers; ++layer) {
    for (std::uint32_t outer = 0; outer < pages.outer; ++outer) {
      auto* words = reinterpret_cast<PatternWord*>(pages.cell(block, layer, outer));
      for (std::size_t i = 0; i < pages.cell_bytes / sizeof(PatternWord); ++i) visit(words[i], pattern.word(index++));
    }
  }
}

void fill(const PageView& pages, BlockId block, const SequenceHash& hash) {
  over_page(pages, block, hash, [](PatternWord& word, const PatternWord& wanted) { word = wanted; });
}

bool holds(const PageView& pages, BlockId block, const SequenceHash& hash) {
  std::uint64_t wrong = 0;
  over_page(pages, block, hash, [&](const PatternWord& word, const PatternWord& wanted) {
    wrong |= (word.low ^ wanted.low) | (word.high ^ wanted.high);
  });
  return wrong == 0;
}

std::vector<BlockId> first_blocks(std::size_t count) {
  std::vector<BlockId> blocks(count);
  std::iota(blocks.begin(), blocks.end(), BlockId{0});
  return blocks;
}

std::uint64_t corrupt(const PageView& pages, std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) {
  std::uint64_t corrupt = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) corrupt += holds(pages, blocks[i], hashes[i]) ? 0 : 1;
  return corrupt;
}

}  // namespace

TieredPages::TieredPages(std::shared_ptr<Device> device, const Shape& shape)
    : device_(std::move(device)),
      host_reaches_g1_(device_->capabilities().emulated),
      g1_(device_layout(device_, shape.g1_blocks, shape)),
      g2_(pinned_layout(device_, shape.g2_blocks, shape)),
      scratch_(host_reaches_g1_ ? nullptr : pinned_layout(device_, kScratchBlocks, shape)),
      stream_(device_, StreamPriority::Normal, "kvbm.replay") {}

/// Copies the first pages of scratch memory to these blocks of G1, or the other way round, and waits.
void TieredPages::move_scratch(std::span<const BlockId> blocks, Direction direction) {
  std::vector<void*> targets;
  std::vector<const void*> sources;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::uint32_t layer = 0; layer < g1_->config().layers; ++layer) {
      for (std::uint32_t outer = 0; outer < kOuter; ++outer) {
        std::byte* on_device = g1_->host_view().cell(blocks[i], layer, outer);
        std::byte* in_scratch = scratch_->host_view().cell(static_cast<BlockId>(i), layer, outer);
        targets.push_back(direction == Direction::ToScratch ? in_scratch : on_device);
        sources.push_back(direction == Direction::ToScratch ? on_device : in_scratch);
      }
    }
  }
  const std::vector<std::size_t> bytes(targets.size(), g1_->config().cell_bytes());
  device_->copy_batch({targets, sources, bytes}, stream_.view());
  device_->synchronize(stream_.view());
}

void TieredPages::fill_g1(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) {
  if (host_reaches_g1_) {
    for (std::size_t i = 0; i < blocks.size(); ++i) fill(g1_->host_view(), blocks[i], hashes[i]);
    return;
  }
  for (std::size_t begin = 0; begin < blocks.size(); begin += kScratchBlocks) {
    const std::size_t count = std::min<std::size_t>(kScratchBlocks, blocks.size() - begin);
    for (std::size_t i = 0; i < count; ++i) fill(scratch_->host_view(), static_cast<BlockId>(i), hashes[begin + i]);
    move_scratch(blocks.subspan(begin, count), Direction::FromScratch);
  }
}

std::uint64_t TieredPages::corrupt_in_g1(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) {
  if (host_reaches_g1_) return corrupt(g1_->host_view(), blocks, hashes);
  std::uint64_t wrong = 0;
  for (std::size_t begin = 0; begin < blocks.size(); begin += kScratchBlocks) {
    const std::size_t count = std::min<std::size_t>(kScratchBlocks, blocks.size() - begin);
    move_scratch(blocks.subspan(begin, count), Direction::ToScratch);
    wrong += corrupt(scratch_->host_view(), first_blocks(count), hashes.subspan(begin, count));
  }
  return wrong;
}

std::uint64_t TieredPages::corrupt_in_g2(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) const {
  return corrupt(g2_->host_view(), blocks, hashes);
}

}  // namespace kvbm::bench
