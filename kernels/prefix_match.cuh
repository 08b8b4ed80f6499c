#pragma once

#include <cstdint>

#include "kernels/match_by_rounds.cuh"
#include "kernels/prefix_match.hpp"
#include "kernels/warp.cuh"

namespace kvbm::kernels {

/// One warp's share of a batch. Requests are cut into chunks: first all requests' first ones, then all others, in the
/// order of their number, so that a long request is everybody's work and later chunks mostly see that they are not
/// needed any more.
template <class Batch>
struct PrefixMatch {
  static constexpr std::uint32_t kChunkMax = 256;
  static constexpr std::uint32_t kChunkMin = 64;
  static constexpr std::uint64_t kTasksMax = std::uint64_t{1} << 30;  // numbers of tasks have 32 bits

  Batch batch;
  std::uint32_t chunk;  // in blocks; see chunk_for

  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t chunks() const noexcept {
    return batch.blocks_max <= chunk ? 1 : (batch.blocks_max - 1) / chunk + 1;
  }

  /// Warp `index` of `count` warps that together do the whole batch. Tasks are numbered chunk by chunk, and within them
  /// by request.
  template <class Warp>
  KVBM_HOST_DEVICE void operator()(Warp& warp, std::uint32_t index, std::uint32_t count) const {
    // Each lane finds out whether one chunk is there; all lanes then do those that are.
    std::uint32_t begin = 0, end = batch.requests;
    do {
      const std::uint32_t shares = (end - begin) / count;
      const std::uint32_t lanes = shares < kWarpLanes ? shares + 1 : kWarpLanes;
      for (std::uint32_t first = begin + index; first < end; first += lanes * count) {
        std::uint32_t left = warp.ballot([&](unsigned lane) {
          const std::uint32_t task = first + lane * count;
          return lane < lanes && task < end && (begin == 0 || is_wanted(task));
        });
        for (; left != 0; left &= left - 1) match(warp, first + lowest(left) * count);
      }
      begin = end;
      end = batch.requests * chunks();
    } while (begin < end);
  }

 private:
  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t blocks(std::uint32_t request) const noexcept {
    return batch.offsets[request + 1] - batch.offsets[request];
  }
  [[nodiscard]] KVBM_HOST_DEVICE bool is_wanted(std::uint32_t task) const noexcept {
    const std::uint32_t request = task % batch.requests;
    const std::uint32_t begin = task / batch.requests * chunk;
    return begin < blocks(request) && begin < load_shared(batch.prefixes + request);
  }

  template <class Warp>
  KVBM_HOST_DEVICE void match(Warp& warp, std::uint32_t task) const {
    const std::uint32_t request = task % batch.requests;
    const std::uint32_t begin = task / batch.requests * chunk;
    const std::uint32_t length = blocks(request);
    const std::uint32_t left = length - begin;
    const std::uint32_t count = left < chunk ? left : chunk;
    const std::size_t first = std::size_t{batch.offsets[request]} + begin;
    const std::uint32_t found = MatchByRounds<Batch>{batch}(warp, batch.keys + first, batch.hints + first, count);
    warp.store_minimum(batch.prefixes + request, found < count ? begin + found : length, chunks() == 1);
  }
};

/// The length of chunks for `warps` warps: long ones, which keep a reader going, unless there are too few for all
/// warps, or the requests are much shorter than the longest, whose chunks are then what all wait for.
template <class Batch>
[[nodiscard]] inline std::uint32_t chunk_for(const Batch& batch, std::uint32_t warps) noexcept {
  using Match = PrefixMatch<Batch>;
  const auto tasks = [&](std::uint32_t chunk) { return std::uint64_t{batch.requests} * Match{batch, chunk}.chunks(); };
  std::uint32_t chunk = Match::kChunkMax;
  while (chunk > Match::kChunkMin) {
    const bool idle = batch.blocks_max > chunk / 2 && 2 * tasks(chunk) <= warps;
    const bool uneven = batch.blocks != 0 && batch.blocks / batch.requests < chunk && batch.blocks_max / 2 >= chunk;
    if (!idle && !uneven) break;
    chunk /= 2;
  }
  while (tasks(chunk) > Match::kTasksMax && chunk < batch.blocks_max) chunk *= 2;
  return chunk;
}

/// One key of a batch on its own, for drivers that know nothing of warps: writes its hint, and its place as a miss or
/// all ones as a hit.
template <class Batch>
struct MatchOneKey {
  Batch batch;
  std::uint32_t* misses;

  KVBM_HOST_DEVICE void operator()(std::uint32_t place) const noexcept {
    const BlockHint hint = batch.table.find(Batch::Slot::key_of(batch.keys[place]));
    batch.hints[place] = hint;
    misses[place] = hint.present() ? ~0u : place;
  }
};

/// From the place of a request's first miss, all ones if there is none, to the length of its prefix.
template <class Batch>
struct MissToPrefix {
  Batch batch;

  KVBM_HOST_DEVICE void operator()(std::uint32_t request) const noexcept {
    const std::uint32_t begin = batch.offsets[request], end = batch.offsets[request + 1];
    std::uint32_t& prefix = batch.prefixes[request];
    prefix = (prefix < end ? prefix : end) - begin;
  }
};

/// One request on its own, block by block until the first miss.
template <class Batch>
struct MatchOneRequest {
  Batch batch;

  KVBM_HOST_DEVICE void operator()(std::uint32_t request) const noexcept {
    const std::uint32_t begin = batch.offsets[request], end = batch.offsets[request + 1];
    std::uint32_t place = begin;
    for (; place < end; ++place) {
      const BlockHint hint = batch.table.find(Batch::Slot::key_of(batch.keys[place]));
      if (!hint.present()) break;
      batch.hints[place] = hint;
    }
    batch.prefixes[request] = place - begin;
  }
};

}  // namespace kvbm::kernels
