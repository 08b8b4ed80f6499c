#include "layout/strides.hpp"

#include "layout/layout_error.hpp"

namespace kvbm {

PageView strides_of(const LayoutConfig& config, LayoutKind kind) noexcept {
  PageView view;
  view.cell_bytes = config.cell_bytes();
  view.layers = config.layers;
  view.outer = config.outer;
  view.outer_stride = view.cell_bytes;
  view.block_stride = view.cell_bytes * config.outer;
  if (kind == LayoutKind::FullyContiguous) {
    view.layer_stride = view.cell_bytes * config.outer;
    view.block_stride = config.block_bytes();
  } else if (kind == LayoutKind::LayerSeparateOuterFirst) {
    view.block_stride = view.cell_bytes;
    view.outer_stride = view.cell_bytes * config.blocks;
  }
  return view;
}

std::size_t region_count(const LayoutConfig& config, LayoutKind kind) noexcept {
  return kind == LayoutKind::FullyContiguous ? 1 : config.layers;
}

std::uint64_t region_bytes_needed(const LayoutConfig& config, LayoutKind kind) noexcept {
  return std::uint64_t{config.blocks} * config.block_bytes() / region_count(config, kind);
}

Result<void, LayoutError> check_indices(const LayoutConfig& config, BlockId block, std::uint32_t layer,
                                        std::uint32_t outer) {
  if (block >= config.blocks) return fail(index_error("block", block, config.blocks));
  if (layer >= config.layers) return fail(index_error("layer", layer, config.layers));
  if (outer >= config.outer) return fail(index_error("outer", outer, config.outer));
  return {};
}

}  // namespace kvbm
