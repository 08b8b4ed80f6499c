#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/host_device.hpp"

/// Asks the device compiler to unroll the loop that follows.
#if defined(__CUDA_ARCH__)
#define KVBM_UNROLL _Pragma("unroll")
#else
#define KVBM_UNROLL
#endif

namespace kvbm::kernels {

/// 16 bytes, the most that one lane moves at a time.
struct alignas(16) Bytes16 {
  std::uint64_t low;
  std::uint64_t high;
};

/// The largest of 16, 8, 4, 2, 1 that divides `bits`: what may be moved at a time if addresses and counts are or-ed
/// together.
[[nodiscard]] KVBM_HOST_DEVICE std::uint32_t access_width(std::uint64_t bits) noexcept {
  const std::uint64_t low = (bits | 16) & (~(bits | 16) + 1);
  return static_cast<std::uint32_t>(low);
}

[[nodiscard]] KVBM_HOST_DEVICE std::uint64_t address_bits(const std::byte* address) noexcept {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(address));
}

/// Reads what is read once: past the caches' working set where there is a choice. Precondition: aligned to
/// sizeof(Unit).
template <class Unit>
[[nodiscard]] KVBM_HOST_DEVICE Unit load_once(const std::byte* from) noexcept {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(Unit) == 16) {
    const ulonglong2 unit = __ldcs(reinterpret_cast<const ulonglong2*>(from));
    return {unit.x, unit.y};
  } else {
    return __ldcs(reinterpret_cast<const Unit*>(from));
  }
#else
  KVBM_ASSERT(address_bits(from) % sizeof(Unit) == 0, "a GPU faults on this load");
  Unit unit;
  std::memcpy(&unit, from, sizeof(Unit));
  return unit;
#endif
}

/// Writes what is not read again soon. Precondition: aligned to sizeof(Unit).
template <class Unit>
KVBM_HOST_DEVICE void store_once(std::byte* to, Unit unit) noexcept {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(Unit) == 16) {
    __stcs(reinterpret_cast<ulonglong2*>(to), make_ulonglong2(unit.low, unit.high));
  } else {
    __stcs(reinterpret_cast<Unit*>(to), unit);
  }
#else
  KVBM_ASSERT(address_bits(to) % sizeof(Unit) == 0, "a GPU faults on this store");
  std::memcpy(to, &unit, sizeof(Unit));
#endif
}

/// The first `bytes` of 16 bytes at any address, zeros behind them. Precondition: bytes is 1 to 16.
[[nodiscard]] KVBM_HOST_DEVICE Bytes16 load_part(const std::byte* from, std::uint32_t bytes) noexcept {
#if defined(__CUDA_ARCH__)
  if (bytes == 16 && address_bits(from) % 16 == 0) return load_once<Bytes16>(from);
  Bytes16 unit{0, 0};
  for (std::uint32_t i = 0; i < bytes; ++i) {
    const std::uint64_t byte = static_cast<std::uint64_t>(from[i]) << (8 * (i % 8));
    (i < 8 ? unit.low : unit.high) |= byte;
  }
  return unit;
#else
  Bytes16 unit{0, 0};
  if (bytes == 16) {
    std::memcpy(&unit, from, 16);  // a move, where a length that varies would be a call
  } else {
    std::memcpy(&unit, from, bytes);
  }
  return unit;
#endif
}

/// Writes the first `bytes` of `unit` to any address. Precondition: bytes is 1 to 16.
KVBM_HOST_DEVICE void store_part(std::byte* to, Bytes16 unit, std::uint32_t bytes) noexcept {
#if defined(__CUDA_ARCH__)
  if (bytes == 16 && address_bits(to) % 16 == 0) return store_once<Bytes16>(to, unit);
  for (std::uint32_t i = 0; i < bytes; ++i) {
    to[i] = static_cast<std::byte>((i < 8 ? unit.low : unit.high) >> (8 * (i % 8)));
  }
#else
  if (bytes == 16) {
    std::memcpy(to, &unit, 16);
  } else {
    std::memcpy(to, &unit, bytes);
  }
#endif
}

/// Calls function.template operator()<Unit>() with the unit of `width` bytes: 16, 8, 4, 2 or 1.
template <class Function>
KVBM_HOST_DEVICE void with_unit_of(std::uint32_t width, const Function& function) {
  if (width == 16) {
    function.template operator()<Bytes16>();
  } else if (width == 8) {
    function.template operator()<std::uint64_t>();
  } else if (width == 4) {
    function.template operator()<std::uint32_t>();
  } else if (width == 2) {
    function.template operator()<std::uint16_t>();
  } else {
    function.template operator()<std::uint8_t>();
  }
}

}  // namespace kvbm::kernels
