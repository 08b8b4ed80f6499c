#pragma once

#include <cstdint>
#include <cstring>

#include "kvbm/base/host_device.hpp"

namespace engine {

/// Single-precision arithmetic with the same bits on CPU and GPU: both compilers are told not to fuse multiplications
/// and additions (-ffp-contract=off, --fmad=false), division and square root round correctly on both, and what is in
/// neither standard, such as the exponential, is made here.
#if defined(__FAST_MATH__)
#error "results must not depend on the compiler"
#endif

[[nodiscard]] KVBM_HOST_DEVICE float two_to_the(std::int32_t exponent) {  // exponent in [-126, 127]
  const std::uint32_t bits = static_cast<std::uint32_t>(exponent + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof(power));
  return power;
}

/// e to the power of x for x <= 0, to about 1e-7; 0 below the smallest normal number.
[[nodiscard]] KVBM_HOST_DEVICE float exponential(float x) {
  const float exponent = x * 1.44269504F;  // in powers of two
  if (!(exponent > -126.0F)) return 0.0F;
  const auto whole = static_cast<std::int32_t>(exponent - 0.5F);  // nearest, since the cast cuts towards zero
  const float rest = exponent - static_cast<float>(whole);        // in [-0.5, 0.5]
  float power = 1.54035304e-4F;                                   // Taylor series of 2^rest
  power = 1.33335581e-3F + power * rest;
  power = 9.61812911e-3F + power * rest;
  power = 5.55041087e-2F + power * rest;
  power = 2.40226507e-1F + power * rest;
  power = 6.93147181e-1F + power * rest;
  power = 1.0F + power * rest;
  return power * two_to_the(whole);
}

}  // namespace engine
