#include "kernels/permute_cells.cuh"

#include <limits>

#include "kernels/launch_table.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

bool has_rows(InnerOrder order) { return is_operational(order) || order == InnerOrder::UniversalTp; }

void permute_on_host(const PermuteCells& permute) {
  const PermutePieces pieces(permute);
  for (std::uint64_t i = 0; i < pieces.count(); ++i) pieces(i, 0, 1);
}

}  // namespace

bool can_permute(InnerOrder source, InnerOrder target) noexcept { return has_rows(source) && has_rows(target); }

KernelCall permute_cells(const PermuteCells& permute) noexcept {
  KVBM_ASSERT(can_permute(permute.source_order, permute.target_order), "there is a kernel between these orders");
  KVBM_ASSERT(permute.layers.begin <= permute.layers.end && permute.layers.end <= permute.layers_total,
              "layers lie within the page");
  KVBM_ASSERT(permute.blocks != nullptr || permute.count == 0, "a permutation with work has block pairs");
  KVBM_ASSERT(std::uint64_t{permute.tokens} * permute.heads <= std::numeric_limits<std::uint32_t>::max(),
              "the rows of a cell are counted in 32 bits");
  KVBM_ASSERT(permute.row_bytes < 0x8000'0000u, "offsets near a row are counted in 32 bits");
  return {"kvbm.permute_cells", permute, &permute_on_host, launch_table().permute_cells};
}

}  // namespace kvbm::kernels
