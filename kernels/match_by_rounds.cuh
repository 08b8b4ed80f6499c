#pragma once

#include <cstdint>

#include "kernels/prefix_match.hpp"
#include "kernels/tiles.cuh"
#include "kernels/warp.cuh"

namespace kvbm::kernels {

/// Answers a run of keys with one warp, a key for each lane at a time.
///
/// A round waits for the table twice at most: once for all home units, and once for all second units of keys that lie
/// elsewhere; the keys of the next round are on their way meanwhile. Tiles of lanes read a unit each, in one piece.
template <class Batch>
struct MatchByRounds : Tiles {
  using Slot = typename Batch::Slot;
  using Key = typename Slot::Key;
  using Input = typename Batch::Input;
  using View = PrefixTableView<Slot>;
  static_assert(kTile == View::kUnitSlots);

  const Batch& batch;

  explicit KVBM_HOST_DEVICE MatchByRounds(const Batch& of) noexcept : batch(of) {}

  /// How many keys from the start are in the table; their hints are written.
  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t operator()(Warp& warp, const Input* keys, BlockHint* hints,
                                            std::uint32_t count) const {
    if (count == 0) return 0;
    // Lanes beyond the end take the last key: what they read is there, and what they find is masked.
    const auto load = [&](std::uint32_t place) { return load_once(keys + (place < count ? place : count - 1)); };
    LaneStorage<Input> ahead;
    warp.each([&](unsigned lane) { ahead[lane] = load(lane); });
    for (std::uint32_t base = 0; base < count; base += kRound) {
      LaneStorage<Key> own;
      warp.each([&](unsigned lane) { own[lane] = Slot::key_of(ahead[lane]); });
      if (base + kRound < count) {
        warp.each([&](unsigned lane) { ahead[lane] = load(base + kRound + lane); });
      }
      const std::uint32_t missing = take_round(warp, own, hints + base, count - base);
      if (missing != kNone) return base + missing;
    }
    return count;
  }

  /// Which of `count` keys, from 1 to a round, is the first that is nowhere; more than `count` if there is none. No
  /// hint is written. `load(lane)` gives a lane's key, and beyond `count` any.
  template <class Warp, class Load>
  KVBM_HOST_DEVICE std::uint32_t first_missing(Warp& warp, Load&& load, std::uint32_t count) const {
    LaneStorage<Key> own;
    warp.each([&](unsigned lane) { own[lane] = Slot::key_of(load(lane)); });
    return take_round(warp, own, nullptr, count);
  }

 private:
  static constexpr std::uint32_t kNone = ~0u;

  /// One round's keys, each with the slots of one unit, and which of them have not been found. A key's bit is its
  /// tile's first, moved up by its step.
  struct Round {
    LaneStorage<Key> key[kSteps];
    LaneStorage<Slot> slot[kSteps];
    std::uint32_t absent = 0;
    std::uint32_t marked = 0;  // absent at home, and worth looking for elsewhere
  };
  [[nodiscard]] KVBM_HOST_DEVICE static constexpr std::uint32_t of_step(std::uint32_t bits, unsigned step) noexcept {
    return bits >> step & kTileBits;
  }

  /// Writes the hints of the first `count` lanes' keys, up to the first that is nowhere, and some behind it; none if
  /// `hints` is null. Returns which that is, or kNone.
  template <class Warp>
  KVBM_HOST_DEVICE std::uint32_t take_round(Warp& warp, LaneStorage<Key>& own, BlockHint* hints,
                                            std::uint32_t count) const {
    Round round;
    KVBM_UNROLL
    for (unsigned step = 0; step < kSteps; ++step) {
      warp.shuffle(own, round.key[step], [step](unsigned lane) { return step * kTiles + lane / kTile; });
    }
    KVBM_UNROLL
    for (unsigned step = 0; step < kSteps; ++step) {
      warp.each([&](unsigned lane) { load_lane(round, step, lane, batch.table.home(round.key[step][lane])); });
    }
    look_at_home(warp, round, count);
    if (round.marked != 0) look_elsewhere(warp, round);
    std::uint32_t missing = kNone;
    KVBM_UNROLL
    for (unsigned step = kSteps; step-- > 0;) {
      const std::uint32_t absent = of_step(round.absent, step);
      if (absent != 0) missing = step * kTiles + lowest(absent) / kTile;
    }
    if (hints == nullptr) return missing;
    KVBM_UNROLL
    for (unsigned step = 0; step < kSteps; ++step) {
      if (step * kTiles >= missing) continue;
      warp.each([&](unsigned lane) {
        const std::uint32_t place = step * kTiles + lane / kTile;
        if (place >= count || !round.slot[step][lane].holds(round.key[step][lane])) return;
        store_once(hints + place, BlockHint::from_bits(round.slot[step][lane].value));
      });
    }
    return missing;
  }

  KVBM_HOST_DEVICE void load_lane(Round& round, unsigned step, unsigned lane, std::uint64_t unit) const {
    round.slot[step][lane] = Slot::load(batch.table.unit(unit) + lane % kTile);
  }

  /// Sets `absent` and `marked` by the home units. Keys behind one that is certainly nowhere are not worth looking for.
  template <class Warp>
  KVBM_HOST_DEVICE void look_at_home(Warp& warp, Round& round, std::uint32_t count) const {
    std::uint32_t open = ~0u;
    KVBM_UNROLL
    for (unsigned step = 0; step < kSteps; ++step) {
      const std::uint32_t here = step * kTiles < count ? lanes_of(count - step * kTiles) : 0;
      const std::uint32_t hits =
          warp.ballot([&](unsigned lane) { return round.slot[step][lane].holds(round.key[step][lane]); });
      const std::uint32_t marks = warp.ballot([&](unsigned lane) { return View::marked(round.slot[step][lane]); });
      const std::uint32_t absent = kTileBits & here & ~any_of_tile(hits);
      const std::uint32_t gone = absent & ~marks;
      const std::uint32_t before = (gone & (~gone + 1)) - 1;  // all bits if nothing is gone
      round.absent |= absent << step;
      round.marked |= (absent & marks & before & open) << step;
      if (gone != 0) open = 0;
    }
  }

  /// Looks for the marked keys in their second units, all at once, and then in the stash. What is read takes the place
  /// of the home unit's slots, of which none holds the key.
  template <class Warp>
  KVBM_HOST_DEVICE void look_elsewhere(Warp& warp, Round& round) const {
    KVBM_UNROLL
    for (unsigned step = 0; step < kSteps; ++step) {
      warp.each([&](unsigned lane) {
        if (!in_tiles(of_step(round.marked, step), lane)) return;
        load_lane(round, step, lane, batch.table.second(round.key[step][lane]));
      });
    }
    KVBM_UNROLL
    for (unsigned step = 0; step < kSteps; ++step) note_found(warp, round, step);
    if (round.marked == 0) return;
    const std::uint64_t stashed = load_table(&batch.table.header()->stashed);
    KVBM_UNROLL
    for (unsigned step = 0; step < kSteps; ++step) {
      for (std::uint64_t first = 0; first < stashed && of_step(round.marked, step) != 0; first += kTile) {
        warp.each([&](unsigned lane) {  // behind those in use the stash is empty
          if (!in_tiles(of_step(round.marked, step), lane)) return;
          round.slot[step][lane] = Slot::load(batch.table.stash() + first + lane % kTile);
        });
        note_found(warp, round, step);
      }
    }
  }

  /// Takes the marks from keys that a lane of their tile holds now.
  template <class Warp>
  KVBM_HOST_DEVICE void note_found(Warp& warp, Round& round, unsigned step) const {
    const std::uint32_t marked = of_step(round.marked, step);
    if (marked == 0) return;
    const std::uint32_t hits = warp.ballot(
        [&](unsigned lane) { return in_tiles(marked, lane) && round.slot[step][lane].holds(round.key[step][lane]); });
    const std::uint32_t found = (kTileBits & any_of_tile(hits)) << step;
    round.absent &= ~found;
    round.marked &= ~found;
  }
};

}  // namespace kvbm::kernels
