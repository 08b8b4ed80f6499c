#include <fmt/format.h>

#include <algorithm>

#include "bench/support/fragmented_pages.hpp"
#include "bench/support/pages_cases.hpp"
#include "kernels/copy_cells.hpp"

// C8: thread blocks that a copy over the link takes.

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kGridGoal = 8;

/// The copy kernel between the two sides, without an engine.
struct BareCopy {
  PagesWorld& world;
  FragmentedPages pages;
  Memory device_pairs;

  BareCopy(PagesWorld& the_world, std::size_t bytes, bool to_device)
      : world(the_world),
        pages(the_world, bytes, to_device),
        device_pairs(the_world.on_device(std::span<const BlockPair>(pages.pairs))) {}

  [[nodiscard]] const PagesMove& move() const noexcept { return pages.move; }
  void enqueue(bool bulk, std::uint32_t grid) const {
    const kernels::CopyCells copy{.source = move().source->device_view(),
                                  .target = move().target->device_view(),
                                  .blocks = reinterpret_cast<const BlockPair*>(device_pairs.address()),
                                  .count = static_cast<std::uint32_t>(pages.pairs.size()),
                                  .layers = {0, FragmentedPages::kLayers},
                                  .outer_runs = FragmentedPages::kOuter,
                                  .fragment_bytes = FragmentedPages::kFragmentBytes,
                                  .grid_max = grid};
    world.device()->launch(bulk ? kernels::bulk_copy_cells(copy) : kernels::copy_cells(copy), world.stream());
  }
};

/// A row for each number of thread blocks, and one for the fewest that come near the best of all.
void sweep(PagesWorld& world, const BareCopy& copy, bool bulk, const std::string& name) {
  constexpr double kNear = 0.95;
  const std::vector<std::uint32_t> grids{1, 2, 4, 6, 8, 12, 16, 32, 64, 128};
  std::vector<std::function<void()>> works;
  for (const std::uint32_t grid : grids) works.emplace_back([&copy, bulk, grid] { copy.enqueue(bulk, grid); });
  world.poison(copy.move().target);
  const auto times = world.alternate(works);
  std::uint64_t wrong = world.wrong_pages(copy.move());
  std::vector<double> rates;
  const double bytes = static_cast<double>(total_bytes(copy.move().source->config()));
  for (std::size_t i = 0; i < grids.size(); ++i) {
    rates.push_back(bytes / times[i].seconds / 1e9);
    world.poison(copy.move().target);
    copy.enqueue(bulk, grids[i]);
    wrong += world.wrong_pages(copy.move());
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

}  // namespace

void measure_thread_blocks(PagesWorld& world) {
  const bool has_bulk = world.device()->capabilities().bulk_copy;
  for (const bool to_device : {false, true}) {
    const char* const way = to_device ? "onboard" : "offload";
    const BareCopy copy(world, world.options().bytes / 4, to_device);
    sweep(world, copy, false, fmt::format("{}, CopyKernel", way));
    if (has_bulk) sweep(world, copy, true, fmt::format("{}, BulkCopyKernel", way));
  }
}

}  // namespace kvbm::bench
