#include "transfer/device_copies.hpp"

#include "kernels/copy_cells.hpp"
#include "kernels/permute_cells.hpp"

namespace kvbm {
namespace {

KernelCall permute_call(const TransferPlan& plan, const Permutation& permutation, const PageView& from,
                        const PageView& to, const BlockPair* pairs, std::uint32_t count, std::uint32_t grid_max) {
  const PageView& by_heads = permutation.from_order == InnerOrder::UniversalTp ? from : to;
  return kernels::permute_cells({.source = from,
                                 .target = to,
                                 .source_order = permutation.from_order,
                                 .target_order = permutation.to_order,
                                 .blocks = pairs,
                                 .count = count,
                                 .layers = {0, permutation.layer_count},
                                 .layers_total = by_heads.layers,
                                 .outer = plan.outer,
                                 .tokens = plan.tokens,
                                 .heads = plan.heads,
                                 .row_bytes = plan.row_bytes(),
                                 .grid_max = grid_max});
}

}  // namespace

void copy_by_kernel(Device& device, const CopyShape& shape, const BlockPair* pairs, std::uint32_t count, bool bulk,
                    KernelLimits limits, StreamView stream) {
  const kernels::CopyCells copy{.source = shape.source.kernels,
                                .target = shape.target.kernels,
                                .blocks = pairs,
                                .count = count,
                                .layers = {0, shape.layers},
                                .outer_runs = shape.outer_runs,
                                .fragment_bytes = shape.fragment_bytes,
                                .grid_max = limits.grid_max};
  device.launch(bulk ? kernels::bulk_copy_cells(copy) : kernels::copy_cells(copy), stream);
}

void permute_by_kernel(Device& device, const TransferPlan& plan, const Permutation& permutation, const BlockPair* pairs,
                       std::uint32_t count, KernelLimits limits, StreamView stream) {
  device.launch(
      permute_call(plan, permutation, permutation.from.kernels, permutation.to.kernels, pairs, count, limits.grid_max),
      stream);
}

void permute_by_cpu(const TransferPlan& plan, const Permutation& permutation, const BlockPair* pairs,
                    std::uint32_t count) {
  permute_call(plan, permutation, permutation.from.calls, permutation.to.calls, pairs, count, 0).run_on_host();
}

}  // namespace kvbm
