#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "bench/support/pages_cases.hpp"

// C3, C7: what the engine chooses, and what it costs the thread that submits.

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kFewFragments = 32;

/// A layer-separate layout on both sides.
struct FragmentsEverywhere {
  LayoutConfig config;
  Pages source;
  Pages target;
  std::vector<BlockPair> pairs;

  FragmentsEverywhere(PagesWorld& world, std::size_t fragment_bytes, std::size_t bytes, bool to_device)
      : config(shape(fragment_bytes, bytes)),
        source(world.pages(config, kKind, to_device ? MemoryKind::Pinned : MemoryKind::Device)),
        target(world.pages(config, kKind, to_device ? MemoryKind::Device : MemoryKind::Pinned)),
        pairs(scattered_pairs(config.blocks)) {
    world.fill_random(source, 4);
  }
  [[nodiscard]] PagesMove move(std::uint32_t blocks, std::optional<Mechanism> mechanism) const {
    return {source, target, std::span<const BlockPair>(pairs).first(blocks), mechanism};
  }

 private:
  static constexpr LayoutKind kKind = LayoutKind::LayerSeparateBlockFirst;

  static LayoutConfig shape(std::size_t fragment_bytes, std::size_t bytes) {
    const auto layers = static_cast<std::uint32_t>(std::clamp<std::size_t>(bytes / fragment_bytes, 1, 16));
    return fragments_of(fragment_bytes, layers, 1, bytes);
  }
};

std::vector<Mechanism> mechanisms_of(const DeviceCapabilities& device) {
  std::vector<Mechanism> mechanisms{Mechanism::Copies, Mechanism::CopyKernel};
  if (device.batched_copy) mechanisms.push_back(Mechanism::BatchedCopy);
  if (device.bulk_copy) mechanisms.push_back(Mechanism::BulkCopyKernel);
  return mechanisms;
}

void compare_mechanisms(PagesWorld& world, const FragmentsEverywhere& pages, std::uint32_t blocks,
                        const std::string& name) {
  const std::vector<Mechanism> mechanisms = mechanisms_of(world.device()->capabilities());
  std::vector<std::function<void()>> works{[&] { world.enqueue(pages.move(blocks, {})); }};
  for (const Mechanism mechanism : mechanisms) {
    works.emplace_back([&, mechanism] { world.enqueue(pages.move(blocks, mechanism)); });
  }
  world.poison(pages.target);
  const auto times = world.alternate(works);
  std::size_t best = 1;
  for (std::size_t i = 2; i < times.size(); ++i) {
    if (times[i].seconds < times[best].seconds) best = i;
  }
  std::uint64_t wrong = 0;
  for (const Mechanism mechanism : mechanisms) wrong += world.wrong_pages_anew(pages.move(blocks, mechanism));
  wrong += world.wrong_pages_anew(pages.move(blocks, {}));
  const double bytes = static_cast<double>(blocks * pages.config.block_bytes());
  world.add(
      {.name = fmt::format("{}, {}", name, to_text(world.mechanism())),
       .value = bytes / times[0].seconds / 1e9,
       .unit = "GB/s",
       .reference = fmt::format("{}, {:.2f} GB/s", to_text(mechanisms[best - 1]), bytes / times[best].seconds / 1e9),
       .ratio = times[best].seconds / times[0].seconds,
       .spread = times[0].spread,
       .wrong_pages = wrong},
      PagesGoal::at_least(0.95));
}

/// Seconds that the submitting thread is taken, the transfer being finished outside of them.
double seconds_to_submit(PagesWorld& world, const PagesMove& move, bool with_wait_on) {
  const auto begin = std::chrono::steady_clock::now();
  auto submitted = world.engine().submit({.source = move.source,
                                          .target = move.target,
                                          .blocks = move.pairs,
                                          .layers = move.layers,
                                          .mechanism = move.mechanism});
  if (!submitted) throw std::runtime_error(submitted.error().text);
  if (with_wait_on) submitted->wait_on(world.stream());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  if (const auto& error = submitted->wait().error) throw std::runtime_error(error->text);
  return taken.count();
}

void submit(PagesWorld& world, const PagesMove& move, std::uint64_t fragments, bool with_wait_on) {
  constexpr double kGoalMicroseconds = 20;
  const PagesTime time =
      world.alternate_measured({[&] { return seconds_to_submit(world, move, with_wait_on); }}).front();
  const bool onboard = move.target->memory_kind() == MemoryKind::Device;
  const std::uint64_t wrong = world.wrong_pages_anew(move);
  const char* const what = with_wait_on ? "submit and wait_on" : "submit";
  world.add({.name = fmt::format("{} an {}, {} fragments, {}", what, onboard ? "onboard" : "offload", fragments,
                                 to_text(world.mechanism())),
             .value = time.seconds * 1e6,
             .unit = "us",
             .reference = "20 us of the caller's thread",
             .ratio = time.seconds * 1e6 / kGoalMicroseconds,
             .spread = time.spread,
             .wrong_pages = wrong},
            with_wait_on ? PagesGoal{} : PagesGoal::at_most(1));
}

}  // namespace

void measure_choice(PagesWorld& world) {
  const std::size_t bytes = world.options().bytes / 4;
  for (const bool to_device : {false, true}) {
    const char* const way = to_device ? "onboard" : "offload";
    for (const std::size_t fragment_bytes : {4 * kKiB, 16 * kKiB, 64 * kKiB, 256 * kKiB, 1 * kMiB}) {
      const FragmentsEverywhere pages(world, fragment_bytes, bytes, to_device);
      const LayoutConfig& config = pages.config;
      const auto name = [&](std::uint32_t blocks) {
        return fmt::format("{}, {} x {} on both sides", way, blocks * config.layers, size_text(fragment_bytes));
      };
      compare_mechanisms(world, pages, config.blocks, name(config.blocks));
      const std::uint32_t few = std::max(1u, kFewFragments / config.layers);
      if (few < config.blocks) compare_mechanisms(world, pages, few, name(few));
    }
  }
}

void measure_submission(PagesWorld& world) {
  constexpr std::size_t kFragmentBytes = 4 * kKiB;
  constexpr std::uint32_t kLayers = 64;
  const LayoutConfig config = fragments_of(kFragmentBytes, kLayers, 1, world.options().bytes);
  const std::vector<BlockPair> pairs = scattered_pairs(config.blocks);
  const Pages device = world.pages(config, LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device);
  const Pages host = world.pages(config, LayoutKind::FullyContiguous, MemoryKind::Pinned);
  for (const bool to_device : {false, true}) {
    const Pages& source = to_device ? host : device;
    const Pages& target = to_device ? device : host;
    world.fill_random(source, 5);
    world.poison(target);
    submit(world, {source, target, std::span(pairs).first(1), {}, LayerRange{0, 1}}, 1, false);
    for (std::uint32_t blocks = 1; blocks <= config.blocks; blocks *= 4) {
      submit(world, {source, target, std::span(pairs).first(blocks)}, blocks * kLayers, false);
    }
    submit(world, {source, target, pairs}, pairs.size() * kLayers, true);
  }
}

}  // namespace kvbm::bench
