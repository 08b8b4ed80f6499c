#pragma once

#include <cstdint>

#include "kernels/match_by_rounds.cuh"

namespace kvbm::kernels {

/// One warp's share of a batch of which only the lengths of prefixes are wanted. While the table's header says that
/// every block's parent is there, a prefix ends where a search finds it to: each step looks at kTiles blocks, evenly
/// spread over those in question, of which an eighth or so is left. Otherwise it reads on until the first miss.
template <class Batch>
struct PrefixCount {
  using Input = typename Batch::Input;

  Batch batch;

  /// Warp `index` of `count` warps that together do the whole batch.
  template <class Warp>
  KVBM_HOST_DEVICE void operator()(Warp& warp, std::uint32_t index, std::uint32_t count) const {
    const bool monotone = load_table(&batch.table.header()->monotone) != 0;
    for (std::uint32_t request = index; request < batch.requests; request += count) {
      const std::uint32_t begin = batch.offsets[request], length = batch.offsets[request + 1] - begin;
      const Input* const keys = batch.keys + begin;
      const std::uint32_t prefix = monotone ? search(warp, keys, length) : scan(warp, keys, length);
      warp.store_minimum(batch.prefixes + request, prefix, true);
    }
  }

 private:
  using Reader = MatchByRounds<Batch>;

  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t search(Warp& warp, const Input* keys, std::uint32_t length) const {
    std::uint32_t found = 0, end = length;  // the prefix is at least `found` long, and at most `end`
    while (found < end) {
      const std::uint32_t left = end - found;
      const std::uint32_t probes = left < Reader::kTiles ? left : Reader::kTiles;
      // All that are left, or those that cut them into one part more than there are.
      const auto place = [&](std::uint32_t probe) {
        if (left <= Reader::kTiles) return found + probe;
        return found + static_cast<std::uint32_t>(std::uint64_t{left} * (probe + 1) / (Reader::kTiles + 1));
      };
      const std::uint32_t missing = Reader{batch}.first_missing(
          warp, [&](unsigned lane) { return load_once(keys + place(lane < probes ? lane : probes - 1)); }, probes);
      if (missing < probes) end = place(missing);
      if (missing != 0) found = place((missing < probes ? missing : probes) - 1) + 1;
    }
    return found;
  }

  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t scan(Warp& warp, const Input* keys, std::uint32_t length) const {
    for (std::uint32_t base = 0; base < length; base += Reader::kRound) {
      const std::uint32_t count = length - base < Reader::kRound ? length - base : Reader::kRound;
      const std::uint32_t missing = Reader{batch}.first_missing(
          warp, [&](unsigned lane) { return load_once(keys + base + (lane < count ? lane : count - 1)); }, count);
      if (missing < count) return base + missing;
    }
    return length;
  }
};

}  // namespace kvbm::kernels
