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

KernelLimits kernel_limits(Direction direction, const DeviceCapabilities& capabilities,
                           std::uint32_t grid_max) noexcept {
  constexpr std::uint32_t kLink = 8;  // all that PCIe Gen5 takes, either way, in small fragments too (bench/results)
  constexpr std::uint32_t kHop = 32;  // many times the link's rate
  if (grid_max != 0) return {grid_max, grid_max, grid_max};
  if (direction == Direction::DeviceToDevice || capabilities.coherent_host) return {};
  return {.copy = kLink, .hop = kHop};
}

void copy_by_kernel(Device& device, const CopyShape& shape, const BlockPair* pairs, std::uint32_t count, bool bulk,
                    std::uint32_t grid_max, StreamView stream) {
  const kernels::CopyCells copy{.source = shape.source.kernels,
                                .target = shape.target.kernels,
                                .blocks = pairs,
                                .count = count,
                                .layers = {0, shape.layers},
                                .outer_runs = shape.outer_runs,
                                .fragment_bytes = shape.fragment_bytes,
                                .grid_max = grid_max};
  device.launch(bulk ? kernels::bulk_copy_cells(copy) : kernels::copy_cells(copy), stream);
}

void permute_by_kernel(Device& device, const TransferPlan& plan, const Permutation& permutation, const BlockPair* pairs,
                       std::uint32_t count, std::uint32_t grid_max, StreamView stream) {
  device.launch(
      permute_call(plan, permutation, permutation.from.kernels, permutation.to.kernels, pairs, count, grid_max),
      stream);
}

void permute_by_cpu(const TransferPlan& plan, const Permutation& permutation, const BlockPair* pairs,
                    std::uint32_t count) {
  permute_call(plan, permutation, permutation.from.calls, permutation.to.calls, pairs, count, 0).run_on_host();
}

}  // namespace kvbm
