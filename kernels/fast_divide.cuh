#pragma once

#include <cstdint>

#include "kvbm/base/host_device.hpp"

namespace kvbm::kernels {

/// Division of 32-bit numbers by a divisor known when a kernel is launched: one multiplication and two shifts.
///
/// Source  Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994, figure 4.1.
class FastDivide32 {
 public:
  /// Precondition: divisor is positive.
  explicit FastDivide32(std::uint32_t divisor) noexcept : divisor_(divisor) {
    std::uint32_t bits = 0;  // ceil(log2(divisor))
    while ((std::uint64_t{1} << bits) < divisor) ++bits;
    factor_ = static_cast<std::uint32_t>((((std::uint64_t{1} << bits) - divisor) << 32) / divisor + 1);
    shift_first_ = bits < 1 ? bits : 1;
    shift_last_ = bits < 1 ? 0 : bits - 1;
  }

  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t divisor() const noexcept { return divisor_; }
  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t quotient(std::uint32_t number) const noexcept {
    const auto high = static_cast<std::uint32_t>((std::uint64_t{factor_} * number) >> 32);
    return (high + ((number - high) >> shift_first_)) >> shift_last_;
  }

 private:
  std::uint32_t divisor_;
  std::uint32_t factor_;
  std::uint32_t shift_first_;
  std::uint32_t shift_last_;
};

/// The same for 64-bit numbers.
class FastDivide64 {
 public:
  /// Precondition: divisor is positive.
  explicit FastDivide64(std::uint64_t divisor) noexcept : divisor_(divisor) {
    std::uint32_t bits = 0;  // ceil(log2(divisor))
    while (bits < 64 && (std::uint64_t{1} << bits) < divisor) ++bits;
    const Wide power = static_cast<Wide>(1) << bits;
    factor_ = static_cast<std::uint64_t>(((power - divisor) << 64) / divisor + 1);
    shift_first_ = bits < 1 ? bits : 1;
    shift_last_ = bits < 1 ? 0 : bits - 1;
  }

  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t divisor() const noexcept { return divisor_; }
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t quotient(std::uint64_t number) const noexcept {
    const std::uint64_t high = product_high(factor_, number);
    return (high + ((number - high) >> shift_first_)) >> shift_last_;
  }

 private:
  using Wide = unsigned __int128;

  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t product_high(std::uint64_t left, std::uint64_t right) noexcept {
#if defined(__CUDA_ARCH__)
    return __umul64hi(left, right);
#else
    return static_cast<std::uint64_t>((static_cast<Wide>(left) * right) >> 64);
#endif
  }

  std::uint64_t divisor_;
  std::uint64_t factor_;
  std::uint32_t shift_first_;
  std::uint32_t shift_last_;
};

}  // namespace kvbm::kernels
