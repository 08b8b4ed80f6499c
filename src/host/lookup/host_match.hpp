#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/prefix_match.hpp"

namespace kvbm {

/// Answers requests [first, end) of a batch on this thread. `key_of` makes a slot's key of an input.
///
/// The table's lines are fetched ahead: the first of the next requests always, and within a request the further ahead
/// the more of it was found, so that requests which miss at once fetch little for nothing.
template <class Batch, class KeyOf>
void match_on_host(const Batch& batch, std::uint32_t first, std::uint32_t end, KeyOf&& key_of) noexcept {
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
      batch.hints[place] = hint;
      ahead = std::min(ahead + 2, kMostAhead);
    }
    batch.prefixes[request] = place - begin;
  }
}

}  // namespace kvbm
