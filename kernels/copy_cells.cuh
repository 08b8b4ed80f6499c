#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/copy_cells.hpp"
#include "kernels/fast_divide.cuh"
#include "kernels/memory_access.cuh"
#include "kvbm/base/host_device.hpp"

namespace kvbm::kernels {

/// Part of a fragment, moved by one warp or one bulk copy.
struct CopyPiece {
  const std::byte* source;
  std::byte* target;
  std::uint32_t bytes;
};

/// The pieces of a copy, counted pair by pair, then by layer, outer run and place in the fragment: in the order of
/// addresses within each page.
class CopyPieces {
 public:
  /// Precondition: piece_bytes is a multiple of 16.
  CopyPieces(const CopyCells& copy, std::uint32_t piece_bytes) noexcept
      : copy_(copy),
        piece_bytes_(piece_bytes),
        per_fragment_(positive((copy.fragment_bytes + piece_bytes - 1) / piece_bytes)),
        per_layer_(positive(copy.outer_runs)),
        per_pair_(positive(copy.layers.size())) {
    if (copy.fragment_bytes != 0) {
      count_ = std::uint64_t{copy.count} * copy.layers.size() * copy.outer_runs * per_fragment_.divisor();
    }
  }

  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t count() const noexcept { return count_; }

  [[nodiscard]] KVBM_HOST_DEVICE CopyPiece piece(std::uint64_t index) const noexcept {
    const std::uint64_t fragment = per_fragment_.quotient(index);
    const std::uint64_t pair_and_layer = per_layer_.quotient(fragment);
    const std::uint64_t pair = per_pair_.quotient(pair_and_layer);
    const std::uint64_t offset = (index - fragment * per_fragment_.divisor()) * piece_bytes_;
    const auto outer = static_cast<std::uint32_t>(fragment - pair_and_layer * per_layer_.divisor());
    const auto layer = static_cast<std::uint32_t>(pair_and_layer - pair * per_pair_.divisor()) + copy_.layers.begin;
    const BlockPair block = copy_.blocks[pair];
    const std::uint64_t rest = copy_.fragment_bytes - offset;
    return {copy_.source.cell(block.source, layer, outer) + offset,
            copy_.target.cell(block.target, layer, outer) + offset,
            rest < piece_bytes_ ? static_cast<std::uint32_t>(rest) : piece_bytes_};
  }

 private:
  [[nodiscard]] static std::uint64_t positive(std::uint64_t number) noexcept { return number == 0 ? 1 : number; }

  CopyCells copy_;
  std::uint32_t piece_bytes_;
  FastDivide64 per_fragment_;  // pieces
  FastDivide64 per_layer_;     // fragments
  FastDivide64 per_pair_;      // layers
  std::uint64_t count_ = 0;
};

/// Moves a piece, its bytes shared out among `lanes` callers, in the widest accesses that both addresses allow.
struct MovePiece {
  static constexpr std::uint32_t kInFlight = 8;  // loads of a lane before its first store

  KVBM_HOST_DEVICE void operator()(const CopyPiece& piece, std::uint32_t lane, std::uint32_t lanes) const noexcept {
    const std::uint32_t width = access_width(address_bits(piece.source) | address_bits(piece.target));
    const std::uint32_t units = piece.bytes / width;
    with_unit_of(width, [&]<class Unit>() { move_units<Unit>(piece, units, lane, lanes); });
    for (std::uint32_t i = units * width + lane; i < piece.bytes; i += lanes) piece.target[i] = piece.source[i];
  }

 private:
  template <class Unit>
  KVBM_HOST_DEVICE static void move_units(const CopyPiece& piece, std::uint32_t units, std::uint32_t lane,
                                          std::uint32_t lanes) noexcept {
    for (std::uint32_t first = lane; first < units; first += kInFlight * lanes) {
      Unit held[kInFlight] = {};
      KVBM_UNROLL
      for (std::uint32_t i = 0; i < kInFlight; ++i) {
        const std::uint32_t unit = first + i * lanes;
        if (unit < units) held[i] = load_once<Unit>(piece.source + std::size_t{unit} * sizeof(Unit));
      }
      KVBM_UNROLL
      for (std::uint32_t i = 0; i < kInFlight; ++i) {
        const std::uint32_t unit = first + i * lanes;
        if (unit < units) store_once<Unit>(piece.target + std::size_t{unit} * sizeof(Unit), held[i]);
      }
    }
  }
};

/// Bytes of a piece that a warp moves: 2 rounds of 8 accesses of 16 bytes per lane.
inline constexpr std::uint32_t kWarpPieceBytes = 8192;
/// Bytes of one bulk copy: a stage of its ring.
inline constexpr std::uint32_t kBulkPieceBytes = 16384;

}  // namespace kvbm::kernels
