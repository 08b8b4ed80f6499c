#include <cuda_bf16.h>
#include <cuda_runtime_api.h>
#include <mma.h>

#include "bench/support/matrix_product_launch.hpp"
#include "cuda/cuda_try.hpp"

namespace kvbm::bench {
namespace {

namespace wmma = nvcuda::wmma;

constexpr unsigned kTile = MatrixProduct::kTile;  // of the product, for a thread block
constexpr unsigned kDepth = 32;                   // of both factors, at once in shared memory
constexpr unsigned kFragment = 16;
constexpr unsigned kWarpRows = 32, kWarpColumns = 64;
constexpr unsigned kWarps = kTile / kWarpRows * (kTile / kWarpColumns);
constexpr unsigned kThreads = 32 * kWarps;
constexpr unsigned kVector = sizeof(uint4) / sizeof(Bfloat16);
constexpr unsigned kPadding = 8;  // elements: rows begin in different banks

/// `rows` x `columns` elements of a matrix in registers, on their way to shared memory.
template <unsigned rows, unsigned columns>
class Panel {
 public:
  static constexpr unsigned kPitch = columns + kPadding;
  using Shared = Bfloat16[rows * kPitch];

  __device__ void load(const Bfloat16* from, std::uint32_t pitch) {
#pragma unroll
    for (unsigned i = 0; i < kVectors; ++i) {
      held_[i] = *reinterpret_cast<const uint4*>(from + std::size_t{row(i)} * pitch + column(i));
    }
  }
  __device__ void store(Shared& shared) const {
#pragma unroll
    for (unsigned i = 0; i < kVectors; ++i) {
      *reinterpret_cast<uint4*>(&shared[row(i) * kPitch + column(i)]) = held_[i];
    }
  }

 private:
  static constexpr unsigned kVectors = rows * columns / kVector / kThreads;
  static __device__ unsigned place(unsigned i) { return (i * kThreads + threadIdx.x) * kVector; }
  static __device__ unsigned row(unsigned i) { return place(i) / columns; }
  static __device__ unsigned column(unsigned i) { return place(i) % columns; }

  uint4 held_[kVectors];
};

using LeftPanel = Panel<kTile, kDepth>;
using RightPanel = Panel<kDepth, kTile>;
using LeftFragment = wmma::fragment<wmma::matrix_a, kFragment, kFragment, kFragment, __nv_bfloat16, wmma::row_major>;
using RightFragment = wmma::fragment<wmma::matrix_b, kFragment, kFragment, kFragment, __nv_bfloat16, wmma::row_major>;
using Sum = wmma::fragment<wmma::accumulator, kFragment, kFragment, kFragment, float>;
constexpr unsigned kSumRows = kWarpRows / kFragment, kSumColumns = kWarpColumns / kFragment;

/// Adds the product of what is in shared memory to a warp's sums.
__device__ void add_products(const LeftPanel::Shared& left, const RightPanel::Shared& right, unsigned first_row,
                             unsigned first_column, Sum (&sums)[kSumRows][kSumColumns]) {
#pragma unroll
  for (unsigned depth = 0; depth < kDepth; depth += kFragment) {
    LeftFragment from_left[kSumRows];
    RightFragment from_right[kSumColumns];
#pragma unroll
    for (unsigned i = 0; i < kSumRows; ++i) {
      const Bfloat16* const at = &left[(first_row + i * kFragment) * LeftPanel::kPitch + depth];
      wmma::load_matrix_sync(from_left[i], reinterpret_cast<const __nv_bfloat16*>(at), LeftPanel::kPitch);
    }
#pragma unroll
    for (unsigned j = 0; j < kSumColumns; ++j) {
      const Bfloat16* const at = &right[depth * RightPanel::kPitch + first_column + j * kFragment];
      wmma::load_matrix_sync(from_right[j], reinterpret_cast<const __nv_bfloat16*>(at), RightPanel::kPitch);
    }
#pragma unroll
    for (unsigned i = 0; i < kSumRows; ++i) {
#pragma unroll
      for (unsigned j = 0; j < kSumColumns; ++j) wmma::mma_sync(sums[i][j], from_left[i], from_right[j], sums[i][j]);
    }
  }
}

/// A tile of the product for each thread block; the next panels are read while the tensor cores work on these.
__global__ void __launch_bounds__(kThreads) matrix_product_kernel(MatrixProduct product) {
  __shared__ alignas(32) LeftPanel::Shared left;
  __shared__ alignas(32) RightPanel::Shared right;
  const std::size_t size = product.size;
  const Bfloat16* from_left = product.left + std::size_t{blockIdx.y} * kTile * size;
  const Bfloat16* from_right = product.right + std::size_t{blockIdx.x} * kTile;
  const unsigned warp = threadIdx.x / 32;
  const unsigned first_row = warp / (kTile / kWarpColumns) * kWarpRows;
  const unsigned first_column = warp % (kTile / kWarpColumns) * kWarpColumns;
  Sum sums[kSumRows][kSumColumns];
#pragma unroll
  for (unsigned i = 0; i < kSumRows; ++i) {
#pragma unroll
    for (unsigned j = 0; j < kSumColumns; ++j) wmma::fill_fragment(sums[i][j], 0.0f);
  }
  LeftPanel left_panel;
  RightPanel right_panel;
  left_panel.load(from_left, product.size);
  right_panel.load(from_right, product.size);
  for (std::uint32_t depth = 0; depth < product.size; depth += kDepth) {
    left_panel.store(left);
    right_panel.store(right);
    __syncthreads();
    if (depth + kDepth < product.size) {
      left_panel.load(from_left + depth + kDepth, product.size);
      right_panel.load(from_right + (depth + kDepth) * size, product.size);
    }
    add_products(left, right, first_row, first_column, sums);
    __syncthreads();
  }
  float* const out = product.out + (std::size_t{blockIdx.y} * kTile + first_row) * size +
                     std::size_t{blockIdx.x} * kTile + first_column;
#pragma unroll
  for (unsigned i = 0; i < kSumRows; ++i) {
#pragma unroll
    for (unsigned j = 0; j < kSumColumns; ++j) {
      wmma::store_matrix_sync(out + i * kFragment * size + j * kFragment, sums[i][j], product.size,
                              wmma::mem_row_major);
    }
  }
}

}  // namespace

void launch_matrix_product(const MatrixProduct& product, StreamView stream) {
  const unsigned tiles = product.size / kTile;
  matrix_product_kernel<<<dim3(tiles, tiles), kThreads, 0, stream.handle()>>>(product);
  KVBM_CUDA_TRY(cudaGetLastError());
}

}  // namespace kvbm::bench
