#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/copy_cells.hpp"
#include "kernels/page_fill.hpp"
#include "kernels/permute_cells.hpp"
#include "kvbm/device/kernel_call.hpp"

namespace kvbm::test {

/// The functors of kernels/ run by cub::DeviceFor::Bulk, a thread for a whole piece: against kvbm's own kernels, which
/// share pieces out among lanes.
[[nodiscard]] KernelCall cub_copy_cells(const kernels::CopyCells& copy) noexcept;
[[nodiscard]] KernelCall cub_permute_cells(const kernels::PermuteCells& permute) noexcept;
[[nodiscard]] KernelCall cub_fill_pages(const kernels::FillPages& fill) noexcept;

/// Many copies, each with a size of its own, by cub::DeviceMemcpy::Batched, which knows nothing of layouts. With
/// `scratch` null only scratch_bytes is set. All arrays are device-accessible. Returns a cudaError_t.
int cub_copy_batch(void* scratch, std::size_t& scratch_bytes, const std::byte* const* sources,
                   std::byte* const* targets, const std::uint32_t* bytes, std::uint32_t count, StreamView stream);

}  // namespace kvbm::test
