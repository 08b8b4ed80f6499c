#include "transfer/copy_shape.hpp"

namespace kvbm {
namespace {

bool outer_adjacent(const PageView& view, CellGrid grid) noexcept {
  return grid.outer == 1 || view.outer_stride == grid.cell_bytes;
}

bool layers_adjacent(const PageView& view, CellGrid grid) noexcept {
  return grid.layers == 1 || (view.layer_bases == nullptr && view.layer_stride == grid.outer * grid.cell_bytes);
}

}  // namespace

CopyShape fold(const PageSide& source, const PageSide& target, CellGrid grid) noexcept {
  const PageView& from = source.calls;
  const PageView& to = target.calls;
  CopyShape shape{source, target, grid.layers, grid.outer, grid.cell_bytes, false};
  if (outer_adjacent(from, grid) && outer_adjacent(to, grid)) {
    shape.outer_runs = 1;
    shape.fragment_bytes = grid.outer * grid.cell_bytes;
    if (layers_adjacent(from, grid) && layers_adjacent(to, grid)) {
      shape.layers = 1;
      shape.fragment_bytes *= grid.layers;
    }
  }
  shape.blocks_join = source.one_piece && target.one_piece && from.block_stride == shape.fragment_bytes &&
                      to.block_stride == shape.fragment_bytes;
  return shape;
}

}  // namespace kvbm
