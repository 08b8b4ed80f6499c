#include "kernels/permute_cells.cuh"

#include <cstddef>
#include <limits>
#include <utility>

#include "kernels/launch_table.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

bool has_rows(InnerOrder order) { return is_operational(order) || order == InnerOrder::UniversalTp; }

void permute_on_host(const PermuteCells& permute) {
  const PermutePieces pieces(permute);
  for (std::uint64_t i = 0; i < pieces.count(); ++i) pieces(i, 0, 1);
}

bool lies_within(const PermuteCells& permute, const PermuteSide& page) {
  return permute.layers.begin <= permute.layers.end && permute.layers.end <= page.view.layers &&
         permute.outer <= page.view.outer && permute.rows.tokens <= page.rows.tokens &&
         permute.rows.heads <= page.rows.heads && permute.rows.row_bytes <= page.rows.row_bytes;
}

}  // namespace

PageStrides page_strides(const PageView& view, InnerOrder order, const RowGrid& rows) noexcept {
  const std::uint64_t row = rows.row_bytes;
  if (order == InnerOrder::Hnd) return {view.layer_stride, view.outer_stride, row, row * rows.tokens};
  if (is_made_of_cells(order)) return {view.layer_stride, view.outer_stride, row * rows.heads, row};
  PageStrides strides{};
  std::uint64_t stride = row;
  const OrderAxes& axes = axes_of(order);
  for (std::size_t i = axes.size(); i-- > 0;) {
    switch (axes[i]) {
      case Axis::Layer:
        strides.layer = std::exchange(stride, stride * view.layers);
        break;
      case Axis::Outer:
        strides.outer = std::exchange(stride, stride * view.outer);
        break;
      case Axis::TokenInBlock:
        strides.token = std::exchange(stride, stride * rows.tokens);
        break;
      default:
        strides.head = std::exchange(stride, stride * rows.heads);
    }
  }
  return strides;
}

bool can_permute(InnerOrder source, InnerOrder target) noexcept {
  return source == target || (has_rows(source) && has_rows(target));
}

bool can_count(const RowGrid& rows) noexcept {
  constexpr std::uint64_t kRowBytesMax = 0x7FFF'FFFF;  // offsets near a row are counted in 32 bits, as are rows
  return rows.row_bytes <= kRowBytesMax &&
         std::uint64_t{rows.tokens} * rows.heads <= std::numeric_limits<std::uint32_t>::max();
}

KernelCall permute_cells(const PermuteCells& permute) noexcept {
  KVBM_ASSERT(can_permute(permute.source.order, permute.target.order), "there is a kernel between these orders");
  KVBM_ASSERT(lies_within(permute, permute.source) && lies_within(permute, permute.target),
              "what moves lies within the page");
  KVBM_ASSERT(permute.blocks != nullptr || permute.count == 0, "a permutation with work has block pairs");
  KVBM_ASSERT(can_count(permute.rows), "rows and their bytes are counted in 32 bits");
  return {"kvbm.permute_cells", permute, &permute_on_host, launch_table().permute_cells};
}

}  // namespace kvbm::kernels
