#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvbm/device/kernel_call.hpp"

namespace kvbm::bench {

/// An element of bfloat16: the upper half of a float.
using Bfloat16 = std::uint16_t;

/// out = left * right, by tensor cores: what a model does beside transfers of its pages.
///
/// Shape  left [size, size], right [size, size], out [size, size], row-major, on a boundary of 16 bytes. `size` is a
///        multiple of kTile.
struct MatrixProduct {
  static constexpr std::uint32_t kTile = 128;

  const Bfloat16* left;
  const Bfloat16* right;
  float* out;
  std::uint32_t size;
};
[[nodiscard]] KernelCall matrix_product(const MatrixProduct& product) noexcept;

/// size * size elements out of -1, 0 and 1, so that every order of summing gives the same product.
[[nodiscard]] std::vector<Bfloat16> small_integers(std::uint32_t size, std::uint64_t seed);

/// Rows of `out` that are not those of left * right: what the two sides make of a few random vectors of 1 and -1 is
/// compared. A wrong row passes with a chance of 1/16 at most.
[[nodiscard]] std::uint64_t wrong_rows(std::span<const Bfloat16> left, std::span<const Bfloat16> right,
                                       std::span<const float> out, std::uint32_t size);

}  // namespace kvbm::bench
