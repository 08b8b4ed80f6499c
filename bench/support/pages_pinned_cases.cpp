#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "bench/support/pages_cases.hpp"
#include "kvbm/memory/pinned_memory.hpp"

// C9: memory of the host that the device reaches.

namespace kvbm::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Bytes of pinned memory that are not what a copy from the device wrote there, counted by megabytes.
std::uint64_t wrong_megabytes(PagesWorld& world, const Memory& pinned) {
  const Pages page = world.pages(fragments_of(kMiB, 1, 1, kMiB), LayoutKind::FullyContiguous, MemoryKind::Device);
  const Pages wanted = world.pages(page->config(), LayoutKind::FullyContiguous, MemoryKind::Pinned);
  const std::byte* const piece = page->host_view().base;
  world.fill_random(page, 12);
  world.fill_random(wanted, 12);
  for (std::size_t at = 0; at < pinned.bytes(); at += kMiB) {
    world.device()->copy(pinned.address() + at, piece, std::min(kMiB, pinned.bytes() - at), world.stream());
  }
  world.device()->synchronize(world.stream());
  std::uint64_t wrong = 0;
  for (std::size_t at = 0; at < pinned.bytes(); at += kMiB) {
    const std::size_t bytes = std::min(kMiB, pinned.bytes() - at);
    wrong += std::memcmp(pinned.address() + at, wanted->host_view().base, bytes) == 0 ? 0 : 1;
  }
  return wrong;
}

}  // namespace

void measure_pinned_memory(PagesWorld& world) {
  const std::size_t bytes = 4 * world.options().bytes;
  constexpr unsigned kThreads = 16;
  const auto by_driver = [&] {
    const auto begin = Clock::now();
    void* const memory = world.device()->allocate_pinned(bytes, false);
    const double seconds = seconds_since(begin);
    world.device()->release_pinned(memory);
    return seconds;
  };
  PinnedMemoryReport report;
  const auto by_kvbm = [&] {
    const auto begin = Clock::now();
    const Memory memory = allocate_pinned(world.device(), bytes, {.threads = kThreads}, &report);
    return seconds_since(begin);
  };
  const auto times = world.alternate_measured({by_driver, by_kvbm}, {.warm_ups_max = 1, .samples_max = 5});
  const std::uint64_t wrong = wrong_megabytes(world, allocate_pinned(world.device(), bytes, {.threads = kThreads}));
  const auto rate = [bytes](const PagesTime& time) { return static_cast<double>(bytes) / time.seconds / 1e9; };
  world.add({.name = fmt::format("pinned memory, {}, {} threads", size_text(bytes), report.threads),
             .value = rate(times[1]),
             .unit = "GB/s",
             .reference = fmt::format("the driver's, {:.2f} GB/s", rate(times[0])),
             .ratio = times[0].seconds / times[1].seconds,
             .spread = times[1].spread,
             .wrong_pages = wrong},
            PagesGoal::at_least(2.5));
  const double whole = report.map_seconds + report.touch_seconds + report.register_seconds;
  world.add({.name = "of that, registering the pages with the driver",
             .value = report.register_seconds * 1e3,
             .unit = "ms",
             .reference = fmt::format("map, touch and register, {:.1f} ms", whole * 1e3),
             .ratio = report.register_seconds / whole});
}

}  // namespace kvbm::bench
