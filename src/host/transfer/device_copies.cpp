#include "transfer/device_copies.hpp"

#include "kernels/copy_cells.hpp"
#include "kernels/permute_cells.hpp"

namespace kvbm {
namespace {

kernels::PermuteSide permute_side(const PageSide& side, const PageView& view) {
  return {.view = view, .order = side.order, .rows = side.rows, .start = side.start};
}

KernelCall permute_call(const TransferPlan& plan, const kernels::PermuteSide& from, const kernels::PermuteSide& to,
                        std::uint32_t layer_count, const BlockPair* pairs, std::uint32_t count,
                        std::uint32_t grid_max) {
  return kernels::permute_cells({.source = from,
                                 .target = to,
                                 .blocks = pairs,
                                 .count = count,
                                 .layers = {0, layer_count},
                                 .outer = plan.outer,
                                 .rows = plan.rows,
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
  const auto& [from, to, layer_count] = permutation;
  device.launch(permute_call(plan, permute_side(from, from.kernels), permute_side(to, to.kernels), layer_count, pairs,
                             count, grid_max),
                stream);
}

void permute_by_cpu(const TransferPlan& plan, const Permutation& permutation, const BlockPair* pairs,
                    std::uint32_t count) {
  const auto& [from, to, layer_count] = permutation;
  permute_call(plan, permute_side(from, from.calls), permute_side(to, to.calls), layer_count, pairs, count, 0)
      .run_on_host();
}

}  // namespace kvbm
