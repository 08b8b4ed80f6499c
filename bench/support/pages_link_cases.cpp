#include <fmt/format.h>

#include <algorithm>

#include "bench/support/pages_cases.hpp"

// C1, C2, C4, C6: pages over the link between device and host, against plain copies of as many bytes and more.

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kLayers = 32;
constexpr std::uint32_t kOuter = 2;

double rate(std::size_t bytes, const PagesTime& time) { return static_cast<double>(bytes) / time.seconds / 1e9; }

/// A layout on the device and one on the host, and a move between them.
struct TwoSides {
  Pages device;
  Pages host;
  std::vector<BlockPair> pairs;

  TwoSides(PagesWorld& world, const LayoutConfig& config, LayoutKind device_kind, bool to_device)
      : device(world.pages(config, device_kind, MemoryKind::Device)),
        host(world.pages(config, LayoutKind::FullyContiguous, MemoryKind::Pinned)),
        pairs(scattered_pairs(config.blocks)) {
    const PagesMove there = move(to_device);
    world.fill_random(there.source, 3);
    world.poison(there.target);
  }
  [[nodiscard]] PagesMove move(bool to_device) const {
    return to_device ? PagesMove{host, device, pairs} : PagesMove{device, host, pairs};
  }
};

/// One row: a transfer against the plain copy, by their rates.
void against_plain(PagesWorld& world, PlainCopy& plain, const TwoSides& sides, bool to_device, const std::string& name,
                   PagesGoal goal) {
  const PagesMove move = sides.move(to_device);
  const std::size_t bytes = total_bytes(move.source->config());
  const auto times = world.alternate({[&] { plain.run(to_device, world.stream()); }, [&] { world.enqueue(move); }});
  const double reference = rate(plain.bytes(), times[0]);
  const char* const mechanism = to_text(world.mechanism());
  world.add({.name = fmt::format("{}, {}", name, mechanism),
             .value = rate(bytes, times[1]),
             .unit = "GB/s",
             .reference = fmt::format("copy of {}, {:.1f} GB/s", size_text(plain.bytes()), reference),
             .ratio = rate(bytes, times[1]) / reference,
             .spread = times[1].spread,
             .wrong_pages = world.wrong_pages_anew(move) + plain.wrong_pages()},
            goal);
}

/// A smaller plain copy, for what a goal about it leaves to lose.
void smaller_copy(PagesWorld& world, const PlainCopy& plain, std::size_t bytes) {
  PlainCopy small(world, bytes);
  const auto times =
      world.alternate({[&] { plain.run(true, world.stream()); }, [&] { small.run(true, world.stream()); }});
  const double reference = rate(plain.bytes(), times[0]);
  world.add({.name = fmt::format("a plain copy of {}", size_text(bytes)),
             .value = rate(small.bytes(), times[1]),
             .unit = "GB/s",
             .reference = fmt::format("copy of {}, {:.1f} GB/s", size_text(plain.bytes()), reference),
             .ratio = rate(small.bytes(), times[1]) / reference,
             .spread = times[1].spread,
             .wrong_pages = small.wrong_pages()});
}

}  // namespace

void measure_offload(PagesWorld& world) {
  PlainCopy plain(world, world.options().bytes);
  struct Shape {
    std::size_t fragment_bytes;
    double goal;
  };
  for (const Shape shape : {Shape{32 * kKiB, 0.95}, Shape{8 * kKiB, 0.93}, Shape{4 * kKiB, 0.90}}) {
    const TwoSides sides(world, fragments_of(shape.fragment_bytes, kLayers, kOuter, world.options().bytes),
                         LayoutKind::LayerSeparateOuterFirst, false);
    against_plain(world, plain, sides, false, fmt::format("offload, fragments of {}", size_text(shape.fragment_bytes)),
                  PagesGoal::at_least(shape.goal));
  }
}

void measure_onboard(PagesWorld& world) {
  PlainCopy plain(world, world.options().bytes);
  const std::size_t few = std::max(world.options().bytes / 16, 1 * kMiB);
  for (const std::size_t fragment_bytes : {32 * kKiB, 8 * kKiB, 4 * kKiB}) {
    for (const std::size_t bytes : {world.options().bytes, few}) {
      const TwoSides sides(world, fragments_of(fragment_bytes, kLayers, kOuter, bytes),
                           LayoutKind::LayerSeparateOuterFirst, true);
      against_plain(world, plain, sides, true,
                    fmt::format("onboard {}, fragments of {}", size_text(bytes), size_text(fragment_bytes)),
                    PagesGoal::at_least(bytes == few ? 0.85 : 0.95));
    }
  }
  smaller_copy(world, plain, few);
}

void measure_whole_pages(PagesWorld& world) {
  PlainCopy plain(world, world.options().bytes);
  for (const std::size_t page_bytes : {1 * kMiB, 2 * kMiB, 4 * kMiB, 8 * kMiB}) {
    const LayoutConfig config = fragments_of(page_bytes / (kLayers * kOuter), kLayers, kOuter, world.options().bytes);
    for (const bool to_device : {false, true}) {
      const TwoSides sides(world, config, LayoutKind::FullyContiguous, to_device);
      against_plain(world, plain, sides, to_device,
                    fmt::format("{}, pages of {}", to_device ? "onboard" : "offload", size_text(page_bytes)),
                    PagesGoal::at_least(0.98));
    }
  }
}

void measure_both_directions(PagesWorld& world) {
  PlainCopy down(world, world.options().bytes);
  PlainCopy up(world, world.options().bytes);
  const Stream second(world.device(), StreamPriority::Normal, "kvbm.pages_2");
  const Event joined(world.device());
  const auto opposite_copies = [&] {
    down.run(false, second.view());
    up.run(true, world.stream());
    world.device()->record(joined.view(), second.view());
    world.device()->wait(world.stream(), joined.view());
  };
  struct Shape {
    std::size_t fragment_bytes;
    LayoutKind kind;
    const char* name;
  };
  for (const Shape shape : {Shape{32 * kKiB, LayoutKind::FullyContiguous, "pages of 2 MiB"},
                            Shape{32 * kKiB, LayoutKind::LayerSeparateOuterFirst, "fragments of 32 KiB"}}) {
    const LayoutConfig config = fragments_of(shape.fragment_bytes, kLayers, kOuter, world.options().bytes);
    const TwoSides offload(world, config, shape.kind, false);
    const TwoSides onboard(world, config, shape.kind, true);
    const auto times = world.alternate({opposite_copies, [&] {
                                          world.enqueue(offload.move(false));
                                          world.enqueue(onboard.move(true));
                                        }});
    const double reference = rate(down.bytes() + up.bytes(), times[0]);
    const double both = rate(2 * total_bytes(config), times[1]);
    world.add({.name = fmt::format("both directions at once, {}", shape.name),
               .value = both,
               .unit = "GB/s",
               .reference = fmt::format("two opposite copies of {}, {:.1f} GB/s", size_text(down.bytes()), reference),
               .ratio = both / reference,
               .spread = times[1].spread,
               .wrong_pages = world.wrong_pages_anew(offload.move(false)) + world.wrong_pages_anew(onboard.move(true)) +
                              down.wrong_pages() + up.wrong_pages()},
              PagesGoal::at_least(0.95));
  }
}

}  // namespace kvbm::bench
