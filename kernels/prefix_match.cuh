#pragma once

#include <cstdint>

#include "kernels/prefix_match.hpp"
#include "kernels/warp.cuh"

namespace kvbm::kernels {

/// One warp's share of a batch. Tiles of kUnitSlots lanes read one unit each, in one piece; kSteps units are on the way
/// before the first is looked at. Requests are cut into chunks: first all requests' first ones, then all others, in the
/// order of their number, so that a long request is everybody's work and later chunks mostly see that they are not
/// needed any more.
template <class Batch>
struct PrefixMatch {
  using Slot = typename Batch::Slot;
  using Key = typename Slot::Key;
  using View = PrefixTableView<Slot>;
  static constexpr unsigned kTile = View::kUnitSlots;
  static constexpr unsigned kTiles = kWarpLanes / kTile;  // keys a step
  static constexpr unsigned kSteps = 4;
  static constexpr unsigned kRound = kSteps * kTiles;  // keys a round
  static constexpr std::uint32_t kChunk = 256;
  /// A bit for the first lane of each tile.
  static constexpr std::uint32_t kTileBits = 0x1111'1111u;
  static_assert(kTile == 4);

  Batch batch;

  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t chunks() const noexcept {
    return batch.blocks_max <= kChunk ? 1 : (batch.blocks_max + kChunk - 1) / kChunk;
  }

  /// Warp `index` of `count` warps that together do the whole batch.
  template <class Warp>
  KVBM_HOST_DEVICE void operator()(Warp& warp, std::uint32_t index, std::uint32_t count) const {
    for (std::uint32_t request = index; request < batch.requests; request += count) match(warp, request, 0);
    const std::uint64_t later = std::uint64_t{batch.requests} * (chunks() - 1);
    // Each lane finds out whether one chunk is there; all lanes then do those that are.
    const std::uint64_t lanes = later / count < kWarpLanes ? later / count + 1 : kWarpLanes;
    for (std::uint64_t first = index; first < later; first += lanes * count) {
      const std::uint32_t wanted = warp.ballot([&](unsigned lane) {
        const std::uint64_t task = first + lane * std::uint64_t{count};
        return lane < lanes && task < later && is_wanted(task);
      });
      for (std::uint32_t left = wanted; left != 0; left &= left - 1) {
        const std::uint64_t task = first + lowest(left) * std::uint64_t{count};
        match(warp, static_cast<std::uint32_t>(task % batch.requests),
              1 + static_cast<std::uint32_t>(task / batch.requests));
      }
    }
  }

 private:
  template <class T>
  using PerLane = LaneStorage<T>;

  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t blocks(std::uint32_t request) const noexcept {
    return batch.offsets[request + 1] - batch.offsets[request];
  }
  [[nodiscard]] KVBM_HOST_DEVICE bool is_wanted(std::uint64_t task) const noexcept {
    const auto request = static_cast<std::uint32_t>(task % batch.requests);
    const std::uint64_t begin = (1 + task / batch.requests) * kChunk;
    return begin < blocks(request) && begin < load_shared(batch.prefixes + request);
  }

  template <class Warp>
  KVBM_HOST_DEVICE void match(Warp& warp, std::uint32_t request, std::uint32_t chunk) const {
    const std::uint32_t length = blocks(request);
    const std::uint32_t begin = chunk * kChunk;
    const std::uint32_t left = length - begin;
    const std::uint32_t count = left < kChunk ? left : kChunk;
    const std::size_t first = std::size_t{batch.offsets[request]} + begin;
    const std::uint32_t found = match_keys(warp, batch.keys + first, batch.hints + first, count);
    warp.store_minimum(batch.prefixes + request, found < count ? begin + found : length, chunks() == 1);
  }

  /// How many keys from the start are in the table; their hints are written.
  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t match_keys(Warp& warp, const typename Batch::Input* keys, BlockHint* hints,
                                            std::uint32_t count) const {
    for (std::uint32_t base = 0; base < count; base += kRound) {
      PerLane<Key> key[kSteps];
      PerLane<Slot> slot[kSteps];
      warp.each([&](unsigned lane) {
        for (unsigned step = 0; step < kSteps; ++step) {
          const std::uint32_t place = base + step * kTiles + lane / kTile;
          if (place >= count) continue;
          key[step][lane] = Slot::key_of(load_once(keys + place));
          slot[step][lane] = Slot::load(batch.table.unit(batch.table.home(key[step][lane])) + lane % kTile);
        }
      });
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
      for (unsigned step = 0; step < kSteps && base + step * kTiles < count; ++step) {
        const std::uint32_t at = base + step * kTiles;
        const std::uint32_t keys_here = count - at < kTiles ? count - at : kTiles;
        const std::uint32_t tiles_here = keys_here == kTiles ? ~0u : (1u << (keys_here * kTile)) - 1;
        const std::uint32_t missing = take_step(warp, key[step], slot[step], hints + at, tiles_here);
        if (missing != 0) return at + lowest(missing) / kTile;
      }
    }
    return count;
  }

  /// Writes the hints of one step's keys, of which `slots` holds the home units. Returns a bit for each tile whose key
  /// is nowhere.
  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t take_step(Warp& warp, PerLane<Key>& keys, PerLane<Slot>& slots, BlockHint* hints,
                                           std::uint32_t tiles_here) const {
    const auto holds = [&](unsigned lane) { return (tiles_here >> lane & 1) != 0 && slots[lane].holds(keys[lane]); };
    const std::uint32_t hits = warp.ballot(holds);
    warp.each([&](unsigned lane) {
      if (holds(lane)) store_once(hints + lane / kTile, BlockHint::from_bits(slots[lane].value));
    });
    const std::uint32_t missing = kTileBits & tiles_here & ~any_of_tile(hits);
    if (missing == 0) return 0;
    const std::uint32_t marked =
        missing & warp.ballot([&](unsigned lane) { return (missing >> lane & 1) != 0 && View::marked(slots[lane]); });
    if (marked == 0) return missing;
    return missing & ~find_elsewhere(warp, keys, hints, marked);
  }

  /// Looks for the keys of `tiles` in their second units and in the stash. Returns a bit for each tile that found its.
  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t find_elsewhere(Warp& warp, PerLane<Key>& keys, BlockHint* hints,
                                                std::uint32_t tiles) const {
    const auto look = [&](unsigned lane, const Slot* where) {
      if ((tiles >> (lane / kTile * kTile) & 1) == 0) return false;
      const Slot slot = Slot::load(where);
      if (!slot.holds(keys[lane])) return false;
      store_once(hints + lane / kTile, BlockHint::from_bits(slot.value));
      return true;
    };
    std::uint32_t found = kTileBits & any_of_tile(warp.ballot([&](unsigned lane) {
                            if ((tiles >> (lane / kTile * kTile) & 1) == 0) return false;
                            return look(lane, batch.table.unit(batch.table.second(keys[lane])) + lane % kTile);
                          }));
    if ((tiles & ~found) == 0) return found;
    const std::uint64_t stashed = load_table(&batch.table.header()->stashed);
    for (std::uint64_t first = 0; first < stashed; first += kTile) {
      found |= kTileBits & any_of_tile(warp.ballot([&](unsigned lane) {
                 const std::uint64_t place = first + lane % kTile;
                 return place < stashed && look(lane, batch.table.stash() + place);
               }));
    }
    return found;
  }

  /// Each tile's first bit set if any of its bits is.
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint32_t any_of_tile(std::uint32_t lanes) noexcept {
    lanes |= lanes >> 1;
    return lanes | lanes >> 2;
  }
};

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
