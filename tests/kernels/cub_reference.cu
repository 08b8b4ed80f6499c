#include <cuda_runtime_api.h>

#include <cub/device/device_for.cuh>
#include <cub/device/device_memcpy.cuh>

#include "cuda/cuda_try.hpp"
#include "kernels/copy_cells.cuh"
#include "kernels/page_fill.cuh"
#include "kernels/permute_cells.cuh"
#include "tests/kernels/cub_reference.hpp"

namespace kvbm::test {
namespace {

struct MoveWholePiece {
  kernels::CopyPieces pieces;
  __device__ void operator()(std::uint64_t i) const { kernels::MovePiece{}(pieces.piece(i), 0, 1); }
};

struct PermuteWholePiece {
  kernels::PermutePieces pieces;
  __device__ void operator()(std::uint64_t i) const { pieces(i, 0, 1); }
};

struct FillWholePart {
  kernels::PageParts parts;
  kernels::FillPart fill_part;
  __device__ void operator()(std::uint64_t i) const { fill_part(parts.part(i), 0, 1); }
};

void copy_by_cub(const kernels::CopyCells& copy, StreamView stream) {
  const kernels::CopyPieces pieces(copy, kernels::kWarpPieceBytes);
  KVBM_CUDA_TRY(cub::DeviceFor::Bulk(pieces.count(), MoveWholePiece{pieces}, stream.handle()));
}

void permute_by_cub(const kernels::PermuteCells& permute, StreamView stream) {
  const kernels::PermutePieces pieces(permute);
  KVBM_CUDA_TRY(cub::DeviceFor::Bulk(pieces.count(), PermuteWholePiece{pieces}, stream.handle()));
}

void fill_by_cub(const kernels::FillPages& fill, StreamView stream) {
  const kernels::PageParts parts(fill.pages, fill.blocks, fill.count, fill.layers);
  const kernels::FillPart fill_part{fill.pattern, fill.value, fill.pages.cell_bytes};
  KVBM_CUDA_TRY(cub::DeviceFor::Bulk(parts.count(), FillWholePart{parts, fill_part}, stream.handle()));
}

// These run on a stream only.
template <class Arguments>
void never_on_host(const Arguments&) {}

}  // namespace

KernelCall cub_copy_cells(const kernels::CopyCells& copy) noexcept {
  return {"cub_copy_cells", copy, &never_on_host<kernels::CopyCells>, &copy_by_cub};
}

KernelCall cub_permute_cells(const kernels::PermuteCells& permute) noexcept {
  return {"cub_permute_cells", permute, &never_on_host<kernels::PermuteCells>, &permute_by_cub};
}

KernelCall cub_fill_pages(const kernels::FillPages& fill) noexcept {
  return {"cub_fill_pages", fill, &never_on_host<kernels::FillPages>, &fill_by_cub};
}

int cub_copy_batch(void* scratch, std::size_t& scratch_bytes, const std::byte* const* sources,
                   std::byte* const* targets, const std::uint32_t* bytes, std::uint32_t count, StreamView stream) {
  return cub::DeviceMemcpy::Batched(scratch, scratch_bytes, sources, targets, bytes, count, stream.handle());
}

}  // namespace kvbm::test
