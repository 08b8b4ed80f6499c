#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fast_divide.cuh"
#include "kernels/memory_access.cuh"
#include "kernels/permute_cells.hpp"
#include "kvbm/base/host_device.hpp"

namespace kvbm::kernels {

/// One side of a permutation: where the row of (block, layer, outer, token, head) lies.
struct RowSide {
  PageView view;  // pages that are not made of cells count as cells of no size of their own
  std::uint64_t start;
  std::uint64_t token_stride;
  std::uint64_t head_stride;

  explicit RowSide(const PermuteSide& side) noexcept : view(side.view), start(side.start) {
    const PageStrides strides = page_strides(side.view, side.order, side.rows);
    view.layer_stride = strides.layer;
    view.outer_stride = strides.outer;
    token_stride = strides.token;
    head_stride = strides.head;
  }

  /// What the addresses of rows of one cell differ by has no bit below the lowest of these.
  [[nodiscard]] std::uint64_t stride_bits(const RowGrid& rows) const noexcept {
    return (rows.tokens > 1 ? token_stride : 0) | (rows.heads > 1 ? head_stride : 0);
  }
};

/// The rows of a permutation in pieces of whole cells' bytes, counted pair by pair, then by layer, outer and place in
/// the cell; within a cell rows follow one another as they do in the target.
class PermutePieces {
 public:
  static constexpr std::uint32_t kPieceBytes = 4096;
  static constexpr std::uint32_t kInFlight = 8;  // loads of a lane before its first store

  explicit PermutePieces(const PermuteCells& permute) noexcept
      : blocks_(permute.blocks),
        source_(permute.source),
        target_(permute.target),
        tokens_are_slow_(target_.token_stride > target_.head_stride),
        first_layer_(permute.layers.begin),
        cell_bytes_(std::uint64_t{permute.rows.tokens} * permute.rows.heads * permute.rows.row_bytes),
        per_cell_(positive((cell_bytes_ + kPieceBytes - 1) / kPieceBytes)),
        per_layer_(positive(permute.outer)),
        per_pair_(positive(permute.layers.size())),
        row_bytes_(positive(permute.rows.row_bytes)),
        row_bytes_near_(static_cast<std::uint32_t>(row_bytes_.divisor())),
        fast_rows_(static_cast<std::uint32_t>(positive(tokens_are_slow_ ? permute.rows.heads : permute.rows.tokens))),
        row_bits_(row_bytes_.divisor() | source_.stride_bits(permute.rows) | target_.stride_bits(permute.rows)) {
    if (cell_bytes_ != 0) {
      count_ = std::uint64_t{permute.count} * permute.layers.size() * permute.outer * per_cell_.divisor();
    }
  }

  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t count() const noexcept { return count_; }

  /// Moves one piece, its bytes shared out among `lanes` callers.
  KVBM_HOST_DEVICE void operator()(std::uint64_t index, std::uint32_t lane, std::uint32_t lanes) const noexcept {
    const Piece piece = piece_at(index);
    const std::uint32_t width = access_width(address_bits(piece.source) | address_bits(piece.target) | row_bits_);
    with_unit_of(width, [&]<class Unit>() { move_units<Unit>(piece, lane, lanes); });
  }

 private:
  // A run of bytes of a cell: it begins first_byte bytes into row first_row, rows counted as in the target.
  struct Piece {
    const std::byte* source;  // first rows of cells
    std::byte* target;
    std::uint32_t first_row;
    std::uint32_t first_byte;
    std::uint32_t bytes;
  };
  // Bytes from the first row of the cell, on either side.
  struct Offsets {
    std::uint64_t source;
    std::uint64_t target;
  };

  [[nodiscard]] static std::uint64_t positive(std::uint64_t number) noexcept { return number == 0 ? 1 : number; }

  [[nodiscard]] KVBM_HOST_DEVICE Piece piece_at(std::uint64_t index) const noexcept {
    const std::uint64_t cell = per_cell_.quotient(index);
    const std::uint64_t pair_and_layer = per_layer_.quotient(cell);
    const std::uint64_t pair = per_pair_.quotient(pair_and_layer);
    const auto outer = static_cast<std::uint32_t>(cell - pair_and_layer * per_layer_.divisor());
    const auto layer = static_cast<std::uint32_t>(pair_and_layer - pair * per_pair_.divisor()) + first_layer_;
    const std::uint64_t start = (index - cell * per_cell_.divisor()) * kPieceBytes;
    const std::uint64_t row = row_bytes_.quotient(start);
    const std::uint64_t rest = cell_bytes_ - start;
    const BlockPair block = blocks_[pair];
    return {source_.view.cell(block.source, layer, outer) + source_.start,
            target_.view.cell(block.target, layer, outer) + target_.start, static_cast<std::uint32_t>(row),
            static_cast<std::uint32_t>(start - row * row_bytes_.divisor()),
            rest < kPieceBytes ? static_cast<std::uint32_t>(rest) : kPieceBytes};
  }

  [[nodiscard]] KVBM_HOST_DEVICE Offsets offsets_of(const Piece& piece, std::uint32_t byte) const noexcept {
    const std::uint32_t from_row = piece.first_byte + byte;
    const std::uint32_t rows = row_bytes_near_.quotient(from_row);
    const std::uint32_t row = piece.first_row + rows;
    const std::uint32_t in_row = from_row - rows * row_bytes_near_.divisor();
    const std::uint32_t slow = fast_rows_.quotient(row);
    const std::uint32_t fast = row - slow * fast_rows_.divisor();
    const std::uint32_t token = tokens_are_slow_ ? slow : fast;
    const std::uint32_t head = tokens_are_slow_ ? fast : slow;
    return {token * source_.token_stride + head * source_.head_stride + in_row,
            token * target_.token_stride + head * target_.head_stride + in_row};
  }

  template <class Unit>
  KVBM_HOST_DEVICE void move_units(const Piece& piece, std::uint32_t lane, std::uint32_t lanes) const noexcept {
    constexpr std::uint32_t kUnit = sizeof(Unit);
    const std::uint32_t units = piece.bytes / kUnit;
    for (std::uint32_t first = lane; first < units; first += kInFlight * lanes) {
      Unit held[kInFlight] = {};
      std::uint64_t targets[kInFlight] = {};
      KVBM_UNROLL
      for (std::uint32_t i = 0; i < kInFlight; ++i) {
        const std::uint32_t unit = first + i * lanes;
        if (unit >= units) continue;
        const Offsets offsets = offsets_of(piece, unit * kUnit);
        held[i] = load_once<Unit>(piece.source + offsets.source);
        targets[i] = offsets.target;
      }
      KVBM_UNROLL
      for (std::uint32_t i = 0; i < kInFlight; ++i) {
        if (first + i * lanes < units) store_once<Unit>(piece.target + targets[i], held[i]);
      }
    }
  }

  const BlockPair* blocks_;
  RowSide source_;
  RowSide target_;
  bool tokens_are_slow_;
  std::uint32_t first_layer_;
  std::uint64_t cell_bytes_;
  FastDivide64 per_cell_;   // pieces
  FastDivide64 per_layer_;  // cells
  FastDivide64 per_pair_;   // layers
  FastDivide64 row_bytes_;
  FastDivide32 row_bytes_near_;  // for offsets within a piece
  FastDivide32 fast_rows_;
  std::uint64_t row_bits_;  // of everything that the addresses of two rows of a cell can differ by
  std::uint64_t count_ = 0;
};

}  // namespace kvbm::kernels
