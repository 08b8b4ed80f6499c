#include "bench/support/matrix_product.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

namespace kvbm::bench {
namespace {

/// Two random factors in host memory, and room for their product, poisoned.
struct ProductCase {
  std::uint32_t size;
  std::vector<Bfloat16> left, right;
  std::vector<float> out;

  explicit ProductCase(std::uint32_t rows)
      : size(rows),
        left(small_integers(rows, 1)),
        right(small_integers(rows, 2)),
        out(std::size_t{rows} * rows, -12345.0f) {}

  [[nodiscard]] MatrixProduct arguments() { return {left.data(), right.data(), out.data(), size}; }
  static float number(Bfloat16 bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

TEST(MatrixProduct, OnTheHostIsThatOfTheTwoFactors) {
  ProductCase product(MatrixProduct::kTile);
  matrix_product(product.arguments()).run_on_host();

  EXPECT_EQ(wrong_rows(product.left, product.right, product.out, product.size), 0u);
  float first = 0;  // by the definition
  for (std::uint32_t i = 0; i < product.size; ++i) {
    first += ProductCase::number(product.left[i]) * ProductCase::number(product.right[std::size_t{i} * product.size]);
  }
  EXPECT_EQ(product.out[0], first);
}

TEST(MatrixProduct, RowsThatAreWrongAreCounted) {
  ProductCase product(MatrixProduct::kTile);
  matrix_product(product.arguments()).run_on_host();

  product.out[3 * product.size + 7] += 1;
  product.out[100 * product.size] -= 2;
  EXPECT_EQ(wrong_rows(product.left, product.right, product.out, product.size), 2u);
}

TEST(MatrixProduct, OneThatWasNeverComputedIsWrongInMostRows) {
  const ProductCase product(MatrixProduct::kTile);
  EXPECT_GT(wrong_rows(product.left, product.right, product.out, product.size), product.size / 2);
}

}  // namespace
}  // namespace kvbm::bench
