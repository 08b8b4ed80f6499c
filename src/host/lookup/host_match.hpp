#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/prefix_match.hpp"

namespace kvbm {

/// Finds the prefixes of requests [first, end) of a batch on this thread. `key_of` makes a slot's key of an input;
/// take(place, hint) is told of every block inside a prefix.
///
/// The table's lines are fetched ahead: the first of the next requests always, and within a request the further ahead
/// the more of it was found, so that requests which miss at once fetch little for nothing.
template <class Batch, class KeyOf, class Take>
void scan_on_host(const Batch& batch, std::uint32_t first, std::uint32_t end, KeyOf&& key_of, Take&& take) noexcept {
  constexpr std::uint32_t kRequestsAhead = 8;
  constexpr std::uint32_t kFirstAhead = 2;
  constexpr std::uint32_t kMostAhead = 24;
  const auto fetch = [&](std::uint32_t place) {
    __builtin_prefetch(batch.table.unit(batch.table.home(key_of(batch.keys[place]))));
  };
  const auto fetch_first = [&](std::uint32_t request) {
    if (request < end && batch.offsets[request] != batch.offsets[request + 1]) fetch(batch.offsets[request]);
  };
  for (std::uint32_t request = first; request < std::min(end, first + kRequestsAhead); ++request) fetch_first(request);
  for (std::uint32_t request = first; request < end; ++request) {
    fetch_first(request + kRequestsAhead);
    const std::uint32_t begin = batch.offsets[request], last = batch.offsets[request + 1];
    std::uint32_t fetched = begin + 1, ahead = kFirstAhead, place = begin;
    for (; place < last; ++place) {
      for (; fetched < last && fetched <= place + ahead; ++fetched) fetch(fetched);
      const BlockHint hint = batch.table.find(key_of(batch.keys[place]));
      if (!hint.present()) break;
      take(place, hint);
      ahead = std::min(ahead + 2, kMostAhead);
    }
    batch.prefixes[request] = place - begin;
  }
}

/// Answers requests [first, end) of a batch on this thread.
template <class Batch, class KeyOf>
void match_on_host(const Batch& batch, std::uint32_t first, std::uint32_t end, KeyOf&& key_of) noexcept {
  scan_on_host(batch, first, end, key_of, [&](std::uint32_t place, BlockHint hint) { batch.hints[place] = hint; });
}

/// The prefixes alone: by a search while the table's header says that every block's parent is there.
template <class Batch, class KeyOf>
void count_on_host(const Batch& batch, std::uint32_t first, std::uint32_t end, KeyOf&& key_of) noexcept {
  if (kernels::load_table(&batch.table.header()->monotone) == 0) {
    return scan_on_host(batch, first, end, key_of, [](std::uint32_t, BlockHint) {});
  }
  for (std::uint32_t request = first; request < end; ++request) {
    const std::uint32_t begin = batch.offsets[request];
    std::uint32_t found = begin, last = batch.offsets[request + 1];  // the prefix ends from `found` to `last`
    while (found < last) {
      const std::uint32_t middle = found + (last - found) / 2;
      if (batch.table.find(key_of(batch.keys[middle])).present()) {
        found = middle + 1;
      } else {
        last = middle;
      }
    }
    batch.prefixes[request] = found - begin;
  }
}

}  // namespace kvbm
