#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>

#include "bench/support/pages_cases.hpp"
#include "kernels/copy_cells.hpp"
#include "kernels/page_checksum.hpp"

// C8: thread blocks that a copy over the link takes, and what kernels of others lose beside transfers.

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kLayers = 32;
constexpr std::uint32_t kOuter = 2;
constexpr std::size_t kFragmentBytes = 32 * kKiB;
constexpr std::uint32_t kGridGoal = 8;

/// Fragments on the device, whole pages on the host, and the copy kernel between them without an engine.
struct BareCopy {
  PagesWorld& world;
  PagesMove move;
  std::vector<BlockPair> pairs;
  Memory device_pairs;

  BareCopy(PagesWorld& the_world, std::size_t bytes, bool to_device)
      : world(the_world),
        pairs(scattered_pairs(config_of(bytes).blocks)),
        device_pairs(world.on_device(std::span<const BlockPair>(pairs))) {
    const Pages device = world.pages(config_of(bytes), LayoutKind::LayerSeparateOuterFirst, MemoryKind::Device);
    const Pages host = world.pages(config_of(bytes), LayoutKind::FullyContiguous, MemoryKind::Pinned);
    move = {to_device ? host : device, to_device ? device : host, pairs};
    world.fill_random(move.source, 7);
  }
  void enqueue(bool bulk, std::uint32_t grid) const {
    const kernels::CopyCells copy{.source = move.source->device_view(),
                                  .target = move.target->device_view(),
                                  .blocks = reinterpret_cast<const BlockPair*>(device_pairs.address()),
                                  .count = static_cast<std::uint32_t>(pairs.size()),
                                  .layers = {0, kLayers},
                                  .outer_runs = kOuter,
                                  .fragment_bytes = kFragmentBytes,
                                  .grid_max = grid};
    world.device()->launch(bulk ? kernels::bulk_copy_cells(copy) : kernels::copy_cells(copy), world.stream());
  }
  static LayoutConfig config_of(std::size_t bytes) { return fragments_of(kFragmentBytes, kLayers, kOuter, bytes); }
};

/// A row for each number of thread blocks, and one for the fewest that come near the best of all.
void sweep(PagesWorld& world, const BareCopy& copy, bool bulk, const std::string& name) {
  constexpr double kNear = 0.95;
  const std::vector<std::uint32_t> grids{1, 2, 4, 6, 8, 12, 16, 32, 64, 128};
  std::vector<std::function<void()>> works;
  for (const std::uint32_t grid : grids) works.emplace_back([&copy, bulk, grid] { copy.enqueue(bulk, grid); });
  world.poison(copy.move.target);
  const auto times = world.alternate(works);
  std::uint64_t wrong = world.wrong_pages(copy.move);
  std::vector<double> rates;
  const double bytes = static_cast<double>(total_bytes(copy.move.source->config()));
  for (std::size_t i = 0; i < grids.size(); ++i) {
    rates.push_back(bytes / times[i].seconds / 1e9);
    world.poison(copy.move.target);
    copy.enqueue(bulk, grids[i]);
    wrong += world.wrong_pages(copy.move);
  }
  const double best = *std::max_element(rates.begin(), rates.end());
  const std::string reference = fmt::format("its own best, {:.2f} GB/s", best);
  std::size_t fewest = 0;
  while (rates[fewest] < kNear * best) ++fewest;
  for (std::size_t i = 0; i < grids.size(); ++i) {
    world.add({.name = fmt::format("{}, {} thread blocks", name, grids[i]),
               .value = rates[i],
               .unit = "GB/s",
               .reference = reference,
               .ratio = rates[i] / best,
               .spread = times[i].spread});
  }
  world.add({.name = fmt::format("{}: fewest for {} of its best", name, kNear),
             .value = static_cast<double>(grids[fewest]),
             .unit = "thread blocks",
             .reference = fmt::format("{} thread blocks", kGridGoal),
             .ratio = static_cast<double>(grids[fewest]) / kGridGoal,
             .spread = times[fewest].spread,
             .wrong_pages = wrong},
            PagesGoal::at_most(1));
}

/// A kernel of somebody else's: run again and again, `repeats` to a sample.
struct OtherKernel {
  const char* name;
  PagesGoal goal;
  std::function<void()> launch;
};

/// Time of the other kernel alone and beside transfers that are under way throughout.
void beside(PagesWorld& world, const PagesMove& move, const OtherKernel& other) {
  const double once = world.alternate({other.launch}).front().seconds;
  const double transfer = world.alternate({[&] { world.enqueue(move); }}).front().seconds;
  const auto repeats = static_cast<int>(std::clamp(std::floor(0.5 * transfer / once), 1.0, 256.0));
  unsigned overlapped = 0;
  unsigned samples = 0;
  const auto run = [&] {
    return world.seconds([&] {
      for (int i = 0; i < repeats; ++i) other.launch();
    });
  };
  const auto run_beside = [&] {
    auto submitted = world.engine().submit({.source = move.source, .target = move.target, .blocks = move.pairs});
    if (!submitted) throw std::runtime_error(submitted.error().text);
    const double seconds = run();
    ++samples;
    overlapped += submitted->done() ? 0 : 1;
    if (const auto& error = submitted->wait().error) throw std::runtime_error(error->text);
    return seconds;
  };
  const auto times = world.alternate_measured({run, run_beside});
  const bool onboard = move.target->memory_kind() == MemoryKind::Device;
  const std::uint64_t wrong = world.wrong_pages_anew(move);
  world.add({.name = fmt::format("{} beside an {}, {}", other.name, onboard ? "onboard" : "offload",
                                 to_text(world.mechanism())),
             .value = times[1].seconds * 1e6,
             .unit = "us",
             .reference = fmt::format("alone, {:.1f} us; beside throughout: {} of {}", times[0].seconds * 1e6,
                                      overlapped, samples),
             .ratio = times[1].seconds / times[0].seconds,
             .spread = times[1].spread,
             .wrong_pages = wrong},
            other.goal);
}

/// Copies within device memory, and sums of pages that stay in the cache: bound by memory, and by arithmetic.
void measure_beside(PagesWorld& world) {
  const std::uint32_t times_over = world.device()->capabilities().emulated ? 1 : 32;  // long beside its launch
  const std::size_t resident = std::min<std::size_t>(world.options().bytes / 16, 16 * kMiB);
  const Pages large =
      world.pages(BareCopy::config_of(world.options().bytes), LayoutKind::FullyContiguous, MemoryKind::Device);
  const Pages large_copy = world.pages(large->config(), LayoutKind::FullyContiguous, MemoryKind::Device);
  const Pages small = world.pages(BareCopy::config_of(resident), LayoutKind::FullyContiguous, MemoryKind::Device);
  world.fill_random(large, 8);
  world.fill_random(small, 9);
  std::vector<BlockPair> in_place;
  std::vector<BlockId> ids;
  for (BlockId block = 0; block < large->config().blocks; ++block) in_place.push_back({block, block});
  for (BlockId i = 0; i < times_over * small->config().blocks; ++i) ids.push_back(i % small->config().blocks);
  const Memory pairs = world.on_device(std::span<const BlockPair>(in_place));
  const Memory blocks = world.on_device(std::span<const BlockId>(ids));
  const Memory sums = allocate_device(world.device(), ids.size() * sizeof(std::uint64_t));
  const KernelCall memory_bound = kernels::copy_cells(
      {large->device_view(), large_copy->device_view(), reinterpret_cast<const BlockPair*>(pairs.address()),
       static_cast<std::uint32_t>(in_place.size()), LayerRange{0, kLayers}, kOuter, kFragmentBytes, 0});
  const KernelCall arithmetic = kernels::checksum_pages(
      {small->device_view(), reinterpret_cast<const BlockId*>(blocks.address()), static_cast<std::uint32_t>(ids.size()),
       LayerRange{0, kLayers}, reinterpret_cast<std::uint64_t*>(sums.address())});
  const auto launched = [&world](const KernelCall& call) {
    return [&world, &call] { world.device()->launch(call, world.stream()); };
  };
  for (const bool to_device : {false, true}) {
    const BareCopy pages(world, 2 * world.options().bytes, to_device);
    world.poison(pages.move.target);
    beside(world, pages.move, {"copy on the device", PagesGoal::at_most(1.05), launched(memory_bound)});
    beside(world, pages.move, {"sums of cached pages (no GEMM)", PagesGoal::at_most(1.03), launched(arithmetic)});
  }
}

}  // namespace

void measure_thread_blocks(PagesWorld& world) {
  const bool has_bulk = world.device()->capabilities().bulk_copy;
  for (const bool to_device : {false, true}) {
    const char* const way = to_device ? "onboard" : "offload";
    const BareCopy copy(world, world.options().bytes / 4, to_device);
    sweep(world, copy, false, fmt::format("{}, CopyKernel", way));
    if (has_bulk) sweep(world, copy, true, fmt::format("{}, BulkCopyKernel", way));
  }
  measure_beside(world);
}

}  // namespace kvbm::bench
