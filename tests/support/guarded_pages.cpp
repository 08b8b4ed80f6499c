#include "tests/support/guarded_pages.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "kvbm/device/stream_owner.hpp"
#include "kvbm/layout/layout_view.hpp"
#include "tests/support/pinned_bytes.hpp"

namespace kvbm::test {
namespace {

constexpr std::size_t kBefore = 256;  // guard bytes, and what bases are aligned to

Memory pinned_memory(const std::shared_ptr<Device>& device, std::size_t bytes) {
  auto owner = std::make_shared<PinnedBytes>(device, bytes);
  auto* const address = reinterpret_cast<std::byte*>(owner->data());
  return Memory({.address = address, .bytes = bytes, .kind = MemoryKind::Pinned}, std::move(owner));
}

Memory memory_of(const std::shared_ptr<Device>& device, MemoryKind kind, std::size_t bytes) {
  switch (kind) {
    case MemoryKind::System:
      return allocate_system(bytes);
    case MemoryKind::Pinned:
      return pinned_memory(device, bytes);
    case MemoryKind::Device:
      return allocate_device(device, bytes);
  }
  throw std::logic_error("no such kind of memory");
}

std::size_t region_bytes(const LayoutConfig& config, LayoutKind kind) {
  const std::size_t all = config.blocks * config.block_bytes();
  return kind == LayoutKind::FullyContiguous ? all : all / config.layers;
}

/// Copies the bytes of device memory to `bytes`, or from there.
void exchange(const std::shared_ptr<Device>& device, const Memory& memory, GuardedPages::Bytes& bytes, bool read) {
  if (memory.region().kind != MemoryKind::Device) {
    read ? std::memcpy(bytes.data(), memory.address(), bytes.size())
         : std::memcpy(memory.address(), bytes.data(), bytes.size());
    return;
  }
  const PinnedBytes between(device, bytes.size());
  const Stream stream(device, StreamPriority::Normal, "test.exchange");
  if (!read) std::memcpy(between.data(), bytes.data(), bytes.size());
  read ? device->copy(between.data(), memory.address(), bytes.size(), stream.view())
       : device->copy(memory.address(), between.data(), bytes.size(), stream.view());
  device->synchronize(stream.view());
  if (read) std::memcpy(bytes.data(), between.data(), bytes.size());
}

}  // namespace

GuardedPages::GuardedPages(std::shared_ptr<Device> device, const LayoutConfig& config, Place place)
    : device_(std::move(device)), place_(place) {
  const std::size_t regions = place.kind == LayoutKind::FullyContiguous ? 1 : config.layers;
  const std::size_t bytes = region_bytes(config, place.kind);
  std::vector<Memory> parts;
  for (std::size_t i = 0; i < regions; ++i) {
    memory_.push_back(memory_of(device_, place.memory, kBefore + place.shift + bytes + kGuard));
    parts.push_back(memory_.back().part(kBefore + place.shift, bytes));
  }
  layout_ = BlockLayout::create(config, place.kind, std::move(parts), device_).value();
}

std::vector<GuardedPages::Bytes> GuardedPages::fill(std::mt19937_64& random) {
  std::vector<Bytes> content;
  for (const Memory& memory : memory_) {
    Bytes& bytes = content.emplace_back(memory.bytes());
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t word = random();
      std::memcpy(&bytes[at], &word, std::min(sizeof(word), bytes.size() - at));
    }
  }
  write(content);
  return content;
}

std::vector<GuardedPages::Bytes> GuardedPages::read() const {
  std::vector<Bytes> content;
  for (const Memory& memory : memory_) exchange(device_, memory, content.emplace_back(memory.bytes()), true);
  return content;
}

void GuardedPages::write(const std::vector<Bytes>& content) {
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    Bytes bytes = content[i];
    exchange(device_, memory_[i], bytes, false);
  }
}

GuardedPages::Position GuardedPages::at(const std::byte* address) const {
  const auto regions = layout_->regions();
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const std::byte* const begin = regions[i].address();
    if (address < begin || address >= begin + regions[i].bytes()) continue;
    return {i, kBefore + place_.shift + static_cast<std::size_t>(address - begin)};
  }
  throw std::logic_error("no address of these pages");
}

GuardedPages::Position GuardedPages::cell(BlockId block, std::uint32_t layer, std::uint32_t outer) const {
  const LayoutConfig& shape = config();
  const std::size_t cell_bytes = shape.cell_bytes();
  const std::size_t base = kBefore + place_.shift;
  switch (place_.kind) {
    case LayoutKind::FullyContiguous:
      return {0, base + ((std::size_t{block} * shape.layers + layer) * shape.outer + outer) * cell_bytes};
    case LayoutKind::LayerSeparateBlockFirst:
      return {layer, base + (std::size_t{block} * shape.outer + outer) * cell_bytes};
    case LayoutKind::LayerSeparateOuterFirst:
      return {layer, base + (std::size_t{outer} * shape.blocks + block) * cell_bytes};
  }
  throw std::logic_error("no such layout");
}

GuardedPages::Position GuardedPages::row(InnerOrder order, BlockId block, std::uint32_t layer, std::uint32_t outer,
                                         std::uint32_t token, std::uint32_t head) const {
  const LayoutConfig& shape = config();
  const std::size_t row_bytes = std::size_t{shape.head_dim()} * shape.element_bytes;
  const std::size_t heads = *shape.heads;
  if (order == InnerOrder::UniversalTp) {
    const std::size_t row = ((head * std::size_t{shape.layers} + layer) * shape.outer + outer) * shape.tokens + token;
    return {0, kBefore + place_.shift + block * shape.block_bytes() + row * row_bytes};
  }
  const Position start = cell(block, layer, outer);
  const std::size_t row = order == InnerOrder::Hnd ? head * std::size_t{shape.tokens} + token : token * heads + head;
  return {start.region, start.offset + row * row_bytes};
}

std::vector<GuardedPages::Bytes> copied(const GuardedPages& source, const std::vector<GuardedPages::Bytes>& from,
                                        const GuardedPages& target, std::vector<GuardedPages::Bytes> to,
                                        std::span<const BlockPair> blocks, LayerRange layers) {
  const std::size_t bytes = source.config().cell_bytes();
  for (const BlockPair pair : blocks) {
    for (std::uint32_t layer = layers.begin; layer < layers.end; ++layer) {
      for (std::uint32_t outer = 0; outer < source.config().outer; ++outer) {
        const GuardedPages::Position at = source.cell(pair.source, layer, outer);
        const GuardedPages::Position into = target.cell(pair.target, layer, outer);
        std::memcpy(&to[into.region][into.offset], &from[at.region][at.offset], bytes);
      }
    }
  }
  return to;
}

std::vector<GuardedPages::Bytes> permuted(const GuardedPages& source, InnerOrder source_order,
                                          const std::vector<GuardedPages::Bytes>& from, const GuardedPages& target,
                                          InnerOrder target_order, std::vector<GuardedPages::Bytes> to,
                                          std::span<const BlockPair> blocks, LayerRange layers) {
  const LayoutConfig& shape = source.config();
  const std::size_t bytes = std::size_t{shape.head_dim()} * shape.element_bytes;
  for (const BlockPair pair : blocks) {
    for (std::uint32_t layer = layers.begin; layer < layers.end; ++layer) {
      for (std::uint32_t outer = 0; outer < shape.outer; ++outer) {
        for (std::uint32_t token = 0; token < shape.tokens; ++token) {
          for (std::uint32_t head = 0; head < *shape.heads; ++head) {
            const GuardedPages::Position at = source.row(source_order, pair.source, layer, outer, token, head);
            const GuardedPages::Position into = target.row(target_order, pair.target, layer, outer, token, head);
            std::memcpy(&to[into.region][into.offset], &from[at.region][at.offset], bytes);
          }
        }
      }
    }
  }
  return to;
}

namespace {

/// Calls visit(indices) for each element of a page.
template <class Visit>
void for_each_element(std::span<const ViewAxis> axes, AxisIndices& indices, const Visit& visit) {
  if (axes.empty()) return visit(std::as_const(indices));
  for (std::uint64_t i = 0; i < axes.front().extent; ++i) {
    indices[axes.front().axis] = i;
    for_each_element(axes.subspan(1), indices, visit);
  }
}

}  // namespace

std::vector<GuardedPages::Bytes> sliced(const GuardedPages& source, const std::vector<GuardedPages::Bytes>& from,
                                        const GuardedPages& target, std::vector<GuardedPages::Bytes> to,
                                        std::span<const BlockPair> blocks, std::span<const AxisSlice> slices) {
  LayoutView of_source = LayoutView::of(*source.layout()), of_target = LayoutView::of(*target.layout());
  for (const AxisSlice& slice : slices) {
    of_source = of_source.slice(slice.axis, slice.source_start, slice.length).value();
    of_target = of_target.slice(slice.axis, slice.target_start, slice.length).value();
  }
  for (const BlockPair pair : blocks) {
    const LayoutView source_page = of_source.at(Axis::Block, pair.source).value();
    const LayoutView target_page = of_target.at(Axis::Block, pair.target).value();
    AxisIndices indices;
    for_each_element(source_page.axes(), indices, [&](const AxisIndices& element) {
      const GuardedPages::Position at = source.at(source_page.address_of(element).value());
      const GuardedPages::Position into = target.at(target_page.address_of(element).value());
      std::memcpy(&to[into.region][into.offset], &from[at.region][at.offset], source.config().element_bytes);
    });
  }
  return to;
}

std::vector<BlockPair> random_pairs(std::uint32_t blocks, std::uint32_t count, std::mt19937_64& random) {
  std::vector<BlockId> sources(blocks);
  std::iota(sources.begin(), sources.end(), 0u);
  std::vector<BlockId> targets = sources;
  std::shuffle(sources.begin(), sources.end(), random);
  std::shuffle(targets.begin(), targets.end(), random);
  std::vector<BlockPair> pairs;
  for (std::uint32_t i = 0; i < count; ++i) pairs.push_back({sources[i], targets[i]});
  return pairs;
}

}  // namespace kvbm::test
