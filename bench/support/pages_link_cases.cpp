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

  TwoSides(PagesWorld& world, const LayoutConfig& config, LayoutKind device_kind)
      : device(world.pages(config, device_kind, MemoryKind::Device)),
        host(world.pages(config, LayoutKind::FullyContiguous, MemoryKind::Pinned)),
        pairs(scattered_pairs(config.blocks)) {}
  /// A move with random bytes where it comes from and poison where it goes.
  [[nodiscard]] PagesMove prepared(PagesWorld& world, bool to_device) const {
    PagesMove move{to_device ? host : device, to_device ? device : host, pairs};
    world.fill_random(move.source, 3);
    world.poison(move.target);
    return move;
  }
};

/// One row: a transfer against the plain copy, by their rates.
void against_plain(PagesWorld& world, PlainCopy& plain, const TwoSides& sides, bool to_device, const std::string& name,
                   PagesGoal goal) {
  const PagesMove move = sides.prepared(world, to_device);
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

/// A row without a goal for each way that the engine might have taken.
void each_mechanism(PagesWorld& world, PlainCopy& plain, const TwoSides& sides, bool to_device,
                    const std::string& name) {
  std::vector<Mechanism> mechanisms{Mechanism::CopyKernel, Mechanism::Staged};
  if (world.device()->capabilities().batched_copy) mechanisms.push_back(Mechanism::BatchedCopy);
  if (world.device()->capabilities().bulk_copy) mechanisms.push_back(Mechanism::BulkCopyKernel);
  for (const Mechanism mechanism : mechanisms) {
    PagesMove move = sides.prepared(world, to_device);
    move.mechanism = mechanism;
    const std::size_t bytes = total_bytes(move.source->config());
    const auto times = world.alternate({[&] { plain.run(to_device, world.stream()); }, [&] { world.enqueue(move); }});
    const double reference = rate(plain.bytes(), times[0]);
    world.add({.name = fmt::format("{}, asked for {}", name, to_text(mechanism)),
               .value = rate(bytes, times[1]),
               .unit = "GB/s",
               .reference = fmt::format("copy of {}, {:.1f} GB/s", size_text(plain.bytes()), reference),
               .ratio = rate(bytes, times[1]) / reference,
               .spread = times[1].spread,
               .wrong_pages = world.wrong_pages_anew(move)});
  }
}

/// The same for a caller that waits on the host: transfers are enqueued little by little, and waking up takes time.
void against_plain_waiting(PagesWorld& world, PlainCopy& plain, const TwoSides& sides, bool to_device,
                           const std::string& name) {
  const PagesMove move = sides.prepared(world, to_device);
  const std::size_t bytes = total_bytes(move.source->config());
  const auto times =
      world.alternate_measured({[&] { return world.seconds([&] { plain.run(to_device, world.stream()); }); },
                                [&] { return world.seconds_waiting(move); }});
  const double reference = rate(plain.bytes(), times[0]);
  world.add({.name = fmt::format("{}, until wait() returns", name),
             .value = rate(bytes, times[1]),
             .unit = "GB/s",
             .reference = fmt::format("copy of {}, {:.1f} GB/s", size_text(plain.bytes()), reference),
             .ratio = rate(bytes, times[1]) / reference,
             .spread = times[1].spread,
             .wrong_pages = world.wrong_pages_anew(move)});
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
                         LayoutKind::LayerSeparateOuterFirst);
    const std::string name = fmt::format("offload, fragments of {}", size_text(shape.fragment_bytes));
    against_plain(world, plain, sides, false, name, PagesGoal::at_least(shape.goal));
    against_plain_waiting(world, plain, sides, false, name);
    if (shape.fragment_bytes == 32 * kKiB) each_mechanism(world, plain, sides, false, name);
  }
}

void measure_onboard(PagesWorld& world) {
  PlainCopy plain(world, world.options().bytes);
  const std::size_t few = std::max(world.options().bytes / 16, 1 * kMiB);
  for (const std::size_t fragment_bytes : {32 * kKiB, 8 * kKiB, 4 * kKiB}) {
    for (const std::size_t bytes : {world.options().bytes, few}) {
      const TwoSides sides(world, fragments_of(fragment_bytes, kLayers, kOuter, bytes),
                           LayoutKind::LayerSeparateOuterFirst);
      const std::string name = fmt::format("onboard {}, fragments of {}", size_text(bytes), size_text(fragment_bytes));
      against_plain(world, plain, sides, true, name, PagesGoal::at_least(bytes == few ? 0.85 : 0.95));
      against_plain_waiting(world, plain, sides, true, name);
      if (fragment_bytes == 32 * kKiB) each_mechanism(world, plain, sides, true, name);
    }
  }
  smaller_copy(world, plain, few);
}

void measure_whole_pages(PagesWorld& world) {
  PlainCopy plain(world, world.options().bytes);
  for (const std::size_t page_bytes : {1 * kMiB, 2 * kMiB, 4 * kMiB, 8 * kMiB}) {
    const LayoutConfig config = fragments_of(page_bytes / (kLayers * kOuter), kLayers, kOuter, world.options().bytes);
    const TwoSides sides(world, config, LayoutKind::FullyContiguous);
    for (const bool to_device : {false, true}) {
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
    const TwoSides one(world, config, shape.kind);
    const TwoSides other(world, config, shape.kind);
    const PagesMove offload = one.prepared(world, false);
    const PagesMove onboard = other.prepared(world, true);
    const auto times = world.alternate({opposite_copies, [&] {
                                          world.enqueue(offload);
                                          world.enqueue(onboard);
                                        }});
    const double reference = rate(down.bytes() + up.bytes(), times[0]);
    const double both = rate(2 * total_bytes(config), times[1]);
    world.add({.name = fmt::format("both directions at once, {}", shape.name),
               .value = both,
               .unit = "GB/s",
               .reference = fmt::format("two opposite copies of {}, {:.1f} GB/s", size_text(down.bytes()), reference),
               .ratio = both / reference,
               .spread = times[1].spread,
               .wrong_pages = world.wrong_pages_anew(offload) + world.wrong_pages_anew(onboard) + down.wrong_pages() +
                              up.wrong_pages()},
              PagesGoal::at_least(0.95));
  }
}

}  // namespace kvbm::bench
