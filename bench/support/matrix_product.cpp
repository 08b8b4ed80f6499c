#include "bench/support/matrix_product.hpp"

#include <algorithm>
#include <bit>
#include <random>

#include "bench/support/matrix_product_launch.hpp"

namespace kvbm::bench {
namespace {

#if defined(KVBM_BENCH_CUDA)
constexpr auto kLaunch = &launch_matrix_product;
#else
constexpr void (*kLaunch)(const MatrixProduct&, StreamView) = nullptr;
#endif

constexpr unsigned kVectors = 4;  // each lets a wrong row pass with a chance of 1/2 at most

float to_float(Bfloat16 bits) noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

void multiply_on_host(const MatrixProduct& product) {
  const std::size_t size = product.size;
  for (std::size_t row = 0; row < size; ++row) {
    float* const out = product.out + row * size;
    std::fill_n(out, size, 0.0f);
    for (std::size_t i = 0; i < size; ++i) {
      const float factor = to_float(product.left[row * size + i]);
      if (factor == 0) continue;
      for (std::size_t column = 0; column < size; ++column) {
        out[column] += factor * to_float(product.right[i * size + column]);
      }
    }
  }
}

/// matrix * vector. Exact for integers as small as these.
template <class Element, class ToFloat>
std::vector<float> applied(std::span<const Element> matrix, std::span<const float> vector, const ToFloat& number) {
  const std::size_t size = vector.size();
  std::vector<float> out(size);
  for (std::size_t row = 0; row < size; ++row) {
    for (std::size_t i = 0; i < size; ++i) out[row] += number(matrix[row * size + i]) * vector[i];
  }
  return out;
}

}  // namespace

KernelCall matrix_product(const MatrixProduct& product) noexcept {
  return {"kvbm.bench.matrix_product", product, &multiply_on_host, kLaunch};
}

std::vector<Bfloat16> small_integers(std::uint32_t size, std::uint64_t seed) {
  constexpr Bfloat16 kValues[]{0x0000, 0x3F80, 0xBF80};  // 0, 1, -1
  std::mt19937_64 random(seed);
  std::vector<Bfloat16> matrix(std::size_t{size} * size);
  for (Bfloat16& element : matrix) element = kValues[random() % 3];
  return matrix;
}

std::uint64_t wrong_rows(std::span<const Bfloat16> left, std::span<const Bfloat16> right, std::span<const float> out,
                         std::uint32_t size) {
  std::mt19937_64 random(size);
  std::vector<bool> wrong(size);
  for (unsigned i = 0; i < kVectors; ++i) {
    std::vector<float> vector(size);
    for (float& element : vector) element = random() % 2 == 0 ? 1.0f : -1.0f;
    const std::vector<float> expected = applied(left, applied(right, vector, &to_float), &to_float);
    const std::vector<float> got = applied(out, vector, [](float element) { return element; });
    for (std::uint32_t row = 0; row < size; ++row) wrong[row] = wrong[row] || !(got[row] == expected[row]);
  }
  return static_cast<std::uint64_t>(std::count(wrong.begin(), wrong.end(), true));
}

}  // namespace kvbm::bench
