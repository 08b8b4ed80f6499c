#include <fmt/format.h>

#include <cstring>

#include "bench/support/pages_cases.hpp"

// C5: pages that change their order on the way, [tokens, heads] to [heads, tokens] within each cell.

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kLayers = 32;
constexpr std::uint32_t kOuter = 2;
constexpr std::uint32_t kHeads = 8;
constexpr std::size_t kCellBytes = 32 * kKiB;
constexpr std::uint64_t kKey = 6;

LayoutConfig config_of(std::size_t bytes, InnerOrder order) {
  LayoutConfig config = fragments_of(kCellBytes, kLayers, kOuter, bytes);
  config.heads = kHeads;
  config.order = order;
  return config;
}

/// Whether `got` holds the rows of `from`, tokens and heads in each other's place.
bool is_transposed(const LayoutConfig& config, const std::byte* from, const std::byte* got) {
  const std::size_t row_bytes = std::size_t{config.head_dim()} * config.element_bytes;
  for (std::size_t token = 0; token < config.tokens; ++token) {
    for (std::size_t head = 0; head < kHeads; ++head) {
      const std::byte* const source = from + (token * kHeads + head) * row_bytes;
      if (std::memcmp(source, got + (head * config.tokens + token) * row_bytes, row_bytes) != 0) return false;
    }
  }
  return true;
}

/// Pages of `got`, on the host, that are not what `pairs` make of `source`.
std::uint64_t wrong_transposed(const BlockLayout& source, const BlockLayout& got, std::span<const BlockPair> pairs) {
  std::uint64_t wrong = 0;
  for (const BlockPair pair : pairs) {
    bool right = true;
    for (std::uint32_t layer = 0; right && layer < kLayers; ++layer) {
      for (std::uint32_t outer = 0; right && outer < kOuter; ++outer) {
        right = is_transposed(source.config(), source.host_view().cell(pair.source, layer, outer),
                              got.host_view().cell(pair.target, layer, outer));
      }
    }
    wrong += right ? 0 : 1;
  }
  return wrong;
}

/// What both rows and their checks share: pages in either order on either side, those by tokens all with the same
/// bytes.
struct Orders {
  PagesWorld& world;
  std::size_t bytes;
  std::vector<BlockPair> pairs;
  Pages expected;  // on the host, by tokens; never a target

  Orders(PagesWorld& the_world, std::size_t of_bytes)
      : world(the_world), bytes(of_bytes), expected(pages(InnerOrder::Nhd, MemoryKind::Pinned)) {
    pairs = scattered_pairs(expected->config().blocks);
    world.fill_random(expected, kKey);
  }
  [[nodiscard]] Pages pages(InnerOrder order, MemoryKind memory) const {
    const bool on_device = memory == MemoryKind::Device;
    return world.pages(config_of(bytes, order),
                       on_device ? LayoutKind::LayerSeparateOuterFirst : LayoutKind::FullyContiguous, memory);
  }
  /// Poisons the target of a permutation, moves once more, and looks at every row; so with what was there before.
  [[nodiscard]] std::uint64_t wrong_pages_anew(const PagesMove& move) const {
    const std::uint64_t after_timing = wrong_pages(move);
    world.poison(move.target);
    static_cast<void>(world.seconds([&] { world.enqueue(move); }));
    return std::max(after_timing, wrong_pages(move));
  }

 private:
  [[nodiscard]] std::uint64_t wrong_pages(const PagesMove& move) const {
    if (move.target->memory_kind() != MemoryKind::Device) return wrong_transposed(*expected, *move.target, pairs);
    std::vector<BlockPair> in_place;
    for (BlockId block = 0; block < pairs.size(); ++block) in_place.push_back({block, block});
    const Pages read_back = pages(InnerOrder::Hnd, MemoryKind::Pinned);
    static_cast<void>(world.seconds([&] { world.enqueue({move.target, read_back, in_place, Mechanism::CopyKernel}); }));
    return wrong_transposed(*expected, *read_back, pairs);
  }
};

void over_link(PagesWorld& world, bool to_device) {
  const Orders orders(world, world.options().bytes);
  const MemoryKind from = to_device ? MemoryKind::Pinned : MemoryKind::Device;
  const MemoryKind to = to_device ? MemoryKind::Device : MemoryKind::Pinned;
  const Pages source = orders.pages(InnerOrder::Nhd, from);
  world.fill_random(source, kKey);
  const PagesMove plain{source, orders.pages(InnerOrder::Nhd, to), orders.pairs};
  const PagesMove permuted{source, orders.pages(InnerOrder::Hnd, to), orders.pairs};
  world.poison(plain.target);
  world.poison(permuted.target);
  const auto times = world.alternate({[&] { world.enqueue(plain); }, [&] { world.enqueue(permuted); }});
  const std::uint64_t plain_wrong = world.wrong_pages_anew(plain);
  const char* const plain_mechanism = to_text(world.mechanism());
  const std::uint64_t wrong = orders.wrong_pages_anew(permuted);
  world.add({.name = fmt::format("{} nhd to hnd, {}: time", to_device ? "onboard" : "offload", size_text(orders.bytes)),
             .value = times[1].seconds * 1e3,
             .unit = "ms",
             .reference = fmt::format("order kept, {}, {:.3f} ms", plain_mechanism, times[0].seconds * 1e3),
             .ratio = times[1].seconds / times[0].seconds,
             .spread = times[1].spread,
             .wrong_pages = wrong + plain_wrong},
            PagesGoal::at_most(1.05));
}

void on_device(PagesWorld& world) {
  const Orders orders(world, 2 * world.options().bytes);
  const Pages source = orders.pages(InnerOrder::Nhd, MemoryKind::Device);
  world.fill_random(source, kKey);
  const PagesMove permuted{source, orders.pages(InnerOrder::Hnd, MemoryKind::Device), orders.pairs};
  world.poison(permuted.target);
  const Memory plain_target = allocate_device(world.device(), orders.bytes);
  const LayoutConfig flat = fragments_of(kMiB, 1, 1, orders.bytes);
  const Pages plain_source = world.pages(flat, LayoutKind::FullyContiguous, MemoryKind::Device);
  world.fill_random(plain_source, kKey);
  const std::size_t bytes = total_bytes(source->config());
  const auto times = world.alternate(
      {[&] { world.device()->copy(plain_target.address(), plain_source->host_view().base, bytes, world.stream()); },
       [&] { world.enqueue(permuted); }});
  const auto rate = [bytes](const PagesTime& time) { return static_cast<double>(bytes) / time.seconds / 1e9; };
  world.add({.name = fmt::format("device to device nhd to hnd, {}", size_text(bytes)),
             .value = rate(times[1]),
             .unit = "GB/s",
             .reference = fmt::format("copy on the device, {:.1f} GB/s", rate(times[0])),
             .ratio = times[0].seconds / times[1].seconds,
             .spread = times[1].spread,
             .wrong_pages = orders.wrong_pages_anew(permuted)},
            PagesGoal::at_least(0.85));
}

}  // namespace

void measure_permutations(PagesWorld& world) {
  over_link(world, false);
  over_link(world, true);
  on_device(world);
}

}  // namespace kvbm::bench
