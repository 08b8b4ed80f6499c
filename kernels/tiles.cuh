#pragma once

#include <cstdint>

#include "kernels/memory_access.cuh"
#include "kernels/warp.cuh"

namespace kvbm::kernels {

/// How a warp reads units: a tile of as many lanes as a unit has slots for each key, so that a unit comes in one piece.
struct Tiles {
  static constexpr unsigned kTile = 4;
  static constexpr unsigned kTiles = kWarpLanes / kTile;  // keys a step
  static constexpr unsigned kSteps = 4;
  static constexpr unsigned kRound = kSteps * kTiles;  // keys a round
  /// A bit for the first lane of each tile.
  static constexpr std::uint32_t kTileBits = 0x1111'1111u;

  /// Each tile's first bit set if any of its bits is; the others mean nothing.
  [[nodiscard]] KVBM_HOST_DEVICE static constexpr std::uint32_t any_of_tile(std::uint32_t lanes) noexcept {
    lanes |= lanes >> 1;
    return lanes | lanes >> 2;
  }
  /// Whether the tile of a lane is among those whose first bits are set.
  [[nodiscard]] KVBM_HOST_DEVICE static constexpr bool in_tiles(std::uint32_t tiles, unsigned lane) noexcept {
    return (tiles >> (lane / kTile * kTile) & 1) != 0;
  }
  /// All lanes of the first `keys` tiles. Precondition: keys is not 0; more than kTiles are all.
  [[nodiscard]] KVBM_HOST_DEVICE static constexpr std::uint32_t lanes_of(std::uint32_t keys) noexcept {
    return keys >= kTiles ? ~0u : (1u << (keys * kTile)) - 1;
  }
};
static_assert(Tiles::kRound == kWarpLanes, "a round is a key for each lane");

}  // namespace kvbm::kernels
