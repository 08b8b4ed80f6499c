#pragma once

#include <cstdint>

#include "kernels/prefix_match.hpp"
#include "kernels/tiles.cuh"
#include "kernels/warp.cuh"

namespace kvbm::kernels {

/// Answers a run of keys with one warp. Tiles of kUnitSlots lanes read one unit each, in one piece; kSteps units are on
/// the way before the first is looked at; keys that lie elsewhere are followed step by step. MatchByRounds is what took
/// its place, and is compared with it.
template <class Batch>
struct MatchBySteps : Tiles {
  using Slot = typename Batch::Slot;
  using Key = typename Slot::Key;
  using View = PrefixTableView<Slot>;
  static_assert(kTile == View::kUnitSlots);

  const Batch& batch;

  explicit KVBM_HOST_DEVICE MatchBySteps(const Batch& of) noexcept : batch(of) {}

  /// How many keys from the start are in the table; their hints are written.
  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t operator()(Warp& warp, const typename Batch::Input* keys, BlockHint* hints,
                                            std::uint32_t count) const {
    for (std::uint32_t base = 0; base < count; base += kRound) {
      LaneStorage<Key> key[kSteps];
      LaneStorage<Slot> slot[kSteps];
      warp.each([&](unsigned lane) {
        KVBM_UNROLL
        for (unsigned step = 0; step < kSteps; ++step) {
          const std::uint32_t place = base + step * kTiles + lane / kTile;
          if (place >= count) continue;
          key[step][lane] = Slot::key_of(load_once(keys + place));
          slot[step][lane] = Slot::load(batch.table.unit(batch.table.home(key[step][lane])) + lane % kTile);
        }
      });
      KVBM_UNROLL
      for (unsigned step = 0; step < kSteps && base + step * kTiles < count; ++step) {
        const std::uint32_t at = base + step * kTiles;
        const std::uint32_t missing = take_step(warp, key[step], slot[step], hints + at, lanes_of(count - at));
        if (missing != 0) return at + lowest(missing) / kTile;
      }
    }
    return count;
  }

 private:
  /// Writes the hints of one step's keys, of which `slots` holds the home units. Returns a bit for each tile whose key
  /// is nowhere.
  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t take_step(Warp& warp, LaneStorage<Key>& keys, LaneStorage<Slot>& slots,
                                           BlockHint* hints, std::uint32_t tiles_here) const {
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
  KVBM_HOST_DEVICE std::uint32_t find_elsewhere(Warp& warp, LaneStorage<Key>& keys, BlockHint* hints,
                                                std::uint32_t tiles) const {
    const auto look = [&](unsigned lane, const Slot* where) {
      if (!in_tiles(tiles, lane)) return false;
      const Slot slot = Slot::load(where);
      if (!slot.holds(keys[lane])) return false;
      store_once(hints + lane / kTile, BlockHint::from_bits(slot.value));
      return true;
    };
    std::uint32_t found = kTileBits & any_of_tile(warp.ballot([&](unsigned lane) {
                            if (!in_tiles(tiles, lane)) return false;
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
};

}  // namespace kvbm::kernels
