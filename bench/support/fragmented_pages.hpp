#pragma once

#include <cstddef>
#include <vector>

#include "bench/support/pages_world.hpp"

namespace kvbm::bench {

/// Pages in fragments on the device and whole on the host, and the move of all of them one way or the other. Those of
/// the source are random.
struct FragmentedPages {
  static constexpr std::uint32_t kLayers = 32;
  static constexpr std::uint32_t kOuter = 2;
  static constexpr std::size_t kFragmentBytes = 32 * kKiB;

  std::vector<BlockPair> pairs;
  PagesMove move;  // of these pairs

  FragmentedPages(PagesWorld& world, std::size_t bytes, bool to_device)
      : pairs(scattered_pairs(config_of(bytes).blocks)) {
    const Pages device = world.pages(config_of(bytes), LayoutKind::LayerSeparateOuterFirst, MemoryKind::Device);
    const Pages host = world.pages(config_of(bytes), LayoutKind::FullyContiguous, MemoryKind::Pinned);
    move = {to_device ? host : device, to_device ? device : host, pairs};
    world.fill_random(move.source, 7);
  }
  FragmentedPages(FragmentedPages&&) = delete;

  static LayoutConfig config_of(std::size_t bytes) { return fragments_of(kFragmentBytes, kLayers, kOuter, bytes); }
};

}  // namespace kvbm::bench
