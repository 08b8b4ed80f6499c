#include "kernels/fast_divide.cuh"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace kvbm::kernels {
namespace {

// Small numbers, powers of two and their neighbours, the largest, and random ones of every length.
template <class Number>
std::vector<Number> telling_numbers() {
  constexpr int kBits = std::numeric_limits<Number>::digits;
  std::vector<Number> numbers;
  for (Number i = 0; i < 40; ++i) numbers.push_back(i), numbers.push_back(static_cast<Number>(~i));
  std::mt19937_64 random(11);
  for (int bit = 5; bit < kBits; ++bit) {
    const Number power = Number{1} << bit;
    for (Number number : {static_cast<Number>(power - 1), power, static_cast<Number>(power + 1),
                          static_cast<Number>(power | (random() & (power - 1)))}) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

template <class Divide, class Number>
void expect_quotients() {
  const std::vector<Number> numbers = telling_numbers<Number>();
  for (Number divisor : numbers) {
    if (divisor == 0) continue;
    const Divide divide(divisor);
    ASSERT_EQ(divide.divisor(), divisor);
    for (Number number : numbers) ASSERT_EQ(divide.quotient(number), number / divisor) << number << " / " << divisor;
    // Where a quotient steps, the odds of being off by one are best.
    for (Number multiple : {divisor, static_cast<Number>(std::numeric_limits<Number>::max() / divisor * divisor)}) {
      const auto below = static_cast<Number>(multiple - 1);
      ASSERT_EQ(divide.quotient(multiple), multiple / divisor) << multiple << " / " << divisor;
      ASSERT_EQ(divide.quotient(below), below / divisor) << below << " / " << divisor;
    }
  }
}

TEST(FastDivide32, IsDivision) { expect_quotients<FastDivide32, std::uint32_t>(); }
TEST(FastDivide64, IsDivision) { expect_quotients<FastDivide64, std::uint64_t>(); }

}  // namespace
}  // namespace kvbm::kernels
