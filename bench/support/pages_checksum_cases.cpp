#include <fmt/format.h>

#include "bench/support/pages_cases.hpp"
#include "kernels/page_checksum.hpp"
#include "kvbm/memory/pinned_memory.hpp"

// K1, K3: what checksums cost beside a copy, and that device and host agree on them.

namespace kvbm::bench {
namespace {

/// Sums of all pages of a layout, as work for a stream.
class Sums {
 public:
  Sums(PagesWorld& world, const Pages& pages)
      : world_(world),
        pages_(pages),
        ids_(ids_on_device(world, pages)),
        sums_(allocate_device(world.device(), bytes())) {}

  void enqueue(StreamView stream) const {
    world_.device()->launch(
        kernels::checksum_pages({pages_->device_view(), reinterpret_cast<const BlockId*>(ids_.address()),
                                 pages_->config().blocks, LayerRange{0, pages_->config().layers},
                                 reinterpret_cast<std::uint64_t*>(sums_.address())}),
        stream);
  }

 private:
  static Memory ids_on_device(PagesWorld& world, const Pages& pages) {
    std::vector<BlockId> ids;
    for (BlockId block = 0; block < pages->config().blocks; ++block) ids.push_back(block);
    return world.on_device(std::span<const BlockId>(ids));
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return pages_->config().blocks * sizeof(std::uint64_t); }

  PagesWorld& world_;
  Pages pages_;
  Memory ids_;
  Memory sums_;
};

void time_checksums(PagesWorld& world, bool to_device) {
  const LayoutConfig config = fragments_of(32 * kKiB, 32, 2, world.options().bytes);
  const std::vector<BlockPair> pairs = scattered_pairs(config.blocks);
  const Pages device = world.pages(config, LayoutKind::LayerSeparateOuterFirst, MemoryKind::Device);
  const Pages host = world.pages(config, LayoutKind::FullyContiguous, MemoryKind::Pinned);
  const PagesMove move{to_device ? host : device, to_device ? device : host, pairs};
  world.fill_random(move.source, 10);
  world.poison(move.target);
  const Sums sums(world, device);
  const Stream second(world.device(), StreamPriority::Normal, "kvbm.pages_2");
  const Event joined(world.device());
  const auto copy = [&] { world.enqueue(move); };
  const auto copy_then_sums = [&] {
    world.enqueue(move);
    sums.enqueue(world.stream());
  };
  const auto sums_meanwhile = [&] {
    world.enqueue(move);
    sums.enqueue(second.view());
    world.device()->record(joined.view(), second.view());
    world.device()->wait(world.stream(), joined.view());
  };
  // What arrives can be summed up only afterwards, what leaves at any time: the copy itself sums up nothing.
  std::vector<std::function<void()>> works{copy, copy_then_sums};
  if (!to_device) works.emplace_back(sums_meanwhile);
  const auto times = world.alternate(works);
  const std::uint64_t wrong = world.wrong_pages_anew(move);
  const auto add = [&](const std::string& name, const PagesTime& time) {
    world.add(
        {.name = name,
         .value = time.seconds * 1e3,
         .unit = "ms",
         .reference = fmt::format("the copy alone, {}, {:.3f} ms", to_text(world.mechanism()), times[0].seconds * 1e3),
         .ratio = time.seconds / times[0].seconds,
         .spread = time.spread,
         .wrong_pages = wrong},
        PagesGoal::at_most(1.03));
  };
  add(fmt::format("{}, then sums of the device's pages", to_device ? "onboard" : "offload"), times[1]);
  if (!to_device) add("offload, sums of the device's pages meanwhile", times[2]);
}

struct Fragmentation {
  const char* name;
  LayoutKind kind;
  std::uint32_t layers;
  std::uint32_t outer;
  std::uint32_t tokens;
  std::uint32_t inner;
  std::uint32_t element_bytes;
};

constexpr Fragmentation kFragmentations[]{
    {"whole pages of 2 MiB", LayoutKind::FullyContiguous, 32, 2, 16, 1024, 2},
    {"layers apart, 64 KiB", LayoutKind::LayerSeparateBlockFirst, 32, 2, 16, 1024, 2},
    {"K and V apart, 32 KiB", LayoutKind::LayerSeparateOuterFirst, 32, 2, 16, 1024, 2},
    {"K and V apart, 4 KiB", LayoutKind::LayerSeparateOuterFirst, 32, 2, 16, 128, 2},
    {"K and V fused, 24 KiB and 16", LayoutKind::LayerSeparateOuterFirst, 7, 1, 1, 12'296, 2},
    {"cells of 333 bytes", LayoutKind::LayerSeparateOuterFirst, 5, 2, 9, 37, 1},
};

/// Sums by the device of its own pages against sums by the host of a copy that the engine made: all layers, then some.
void compare(PagesWorld& world, const Fragmentation& shape) {
  LayoutConfig config{.blocks = 1,
                      .layers = shape.layers,
                      .outer = shape.outer,
                      .tokens = shape.tokens,
                      .inner = shape.inner,
                      .element_bytes = shape.element_bytes};
  constexpr std::size_t kBlocksMax = 256;
  config.blocks = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(world.options().bytes / 4 / config.block_bytes(), 1, kBlocksMax));
  const std::vector<BlockPair> pairs = scattered_pairs(config.blocks);
  const Pages device = world.pages(config, shape.kind, MemoryKind::Device);
  const Pages host = world.pages(config, LayoutKind::FullyContiguous, MemoryKind::Pinned);
  world.fill_random(device, 11);
  world.poison(host);
  static_cast<void>(world.seconds([&] { world.enqueue({device, host, pairs, Mechanism::Copies}); }));
  std::uint64_t wrong = 0;
  std::uint64_t compared = 0;
  for (const LayerRange layers : {LayerRange{0, shape.layers}, LayerRange{1, shape.layers - 1}}) {
    const std::vector<std::uint64_t> sums = world.sums(device, layers);
    for (const BlockPair pair : pairs) {
      ++compared;
      wrong += sums[pair.source] == kernels::page_checksum(host->host_view(), pair.target, layers) ? 0 : 1;
    }
  }
  world.add({.name = fmt::format("sums by the device, {}", shape.name),
             .value = static_cast<double>(compared - wrong),
             .unit = "sums",
             .reference = fmt::format("equal to the host's, of {}", compared),
             .ratio = static_cast<double>(compared - wrong) / static_cast<double>(compared),
             .wrong_pages = wrong},
            PagesGoal::at_least(1));
}

}  // namespace

void measure_checksums(PagesWorld& world) {
  time_checksums(world, false);
  time_checksums(world, true);
}

void compare_checksums(PagesWorld& world) {
  for (const Fragmentation& shape : kFragmentations) compare(world, shape);
}

}  // namespace kvbm::bench
