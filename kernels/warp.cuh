#pragma once

#include <cstdint>

#include "kvbm/base/host_device.hpp"

#if !defined(__CUDA_ARCH__)
#include <algorithm>
#include <bit>
#endif

namespace kvbm::kernels {

inline constexpr unsigned kWarpLanes = 32;

/// A value of each lane of a warp: in a kernel the own one, on the host all of them. Code written with it, with
/// Warp::each and with Warp::ballot is the kernel's in a kernel, and runs lane by lane on the host, where tests reach
/// it.
template <class T>
struct LaneStorage {
#if defined(__CUDA_ARCH__)
  T value;
  KVBM_HOST_DEVICE T& operator[](unsigned) noexcept { return value; }
#else
  T values[kWarpLanes];
  T& operator[](unsigned lane) noexcept { return values[lane]; }
#endif
};

/// The warp that runs this code. In a kernel all its lanes are here together.
class Warp {
 public:
  /// Calls use(lane) for each lane.
  template <class Use>
  KVBM_HOST_DEVICE void each(Use&& use) noexcept {
#if defined(__CUDA_ARCH__)
    use(threadIdx.x % kWarpLanes);
#else
    for (unsigned lane = 0; lane < kWarpLanes; ++lane) use(lane);
#endif
  }

  /// A bit for each lane whose test is true.
  template <class Test>
  [[nodiscard]] KVBM_HOST_DEVICE std::uint32_t ballot(Test&& test) noexcept {
#if defined(__CUDA_ARCH__)
    return __ballot_sync(0xFFFF'FFFFu, test(threadIdx.x % kWarpLanes));
#else
    std::uint32_t bits = 0;
    for (unsigned lane = 0; lane < kWarpLanes; ++lane) bits |= std::uint32_t{test(lane)} << lane;
    return bits;
#endif
  }

  /// to[lane] = from[source(lane)] for all lanes. Shape  values are whole words of 8 bytes.
  template <class T, class Source>
  KVBM_HOST_DEVICE void shuffle(const LaneStorage<T>& from, LaneStorage<T>& to, Source&& source) noexcept {
#if defined(__CUDA_ARCH__)
    static_assert(sizeof(T) % sizeof(unsigned long long) == 0);
    unsigned long long words[sizeof(T) / sizeof(unsigned long long)];
    memcpy(words, &from.value, sizeof(T));
    const auto lane = static_cast<int>(source(threadIdx.x % kWarpLanes));
    for (unsigned long long& word : words) word = __shfl_sync(0xFFFF'FFFFu, word, lane);
    memcpy(&to.value, words, sizeof(T));
#else
    for (unsigned lane = 0; lane < kWarpLanes; ++lane) to.values[lane] = from.values[source(lane)];
#endif
  }

  /// Lowers a word to `value` if that is less, once for the warp. `alone`: no other warp writes the word.
  KVBM_HOST_DEVICE void store_minimum(std::uint32_t* word, std::uint32_t value, bool alone) noexcept {
#if defined(__CUDA_ARCH__)
    if (threadIdx.x % kWarpLanes != 0) return;
    if (alone) {
      *word = value;
    } else {
      atomicMin(word, value);
    }
#else
    *word = alone ? value : std::min(*word, value);
#endif
  }
};

/// Index of the lowest bit. Precondition: not 0.
[[nodiscard]] KVBM_HOST_DEVICE unsigned lowest(std::uint32_t bits) noexcept {
#if defined(__CUDA_ARCH__)
  return static_cast<unsigned>(__ffs(static_cast<int>(bits))) - 1;
#else
  return static_cast<unsigned>(std::countr_zero(bits));
#endif
}

/// A word that other warps may be changing.
[[nodiscard]] KVBM_HOST_DEVICE std::uint32_t load_shared(const std::uint32_t* word) noexcept {
  return *static_cast<const volatile std::uint32_t*>(word);
}

/// Reads what nobody will read again, and writes what nobody will read soon: neither shall push the table out of a
/// cache.
template <class T>
[[nodiscard]] KVBM_HOST_DEVICE T load_once(const T* from) noexcept {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(T) == 16) {
    union {
      ulonglong2 bits;
      T value;
    } both{__ldcs(reinterpret_cast<const ulonglong2*>(from))};
    return both.value;
  } else {
    static_assert(sizeof(T) == 8);
    return static_cast<T>(__ldcs(reinterpret_cast<const unsigned long long*>(from)));
  }
#else
  return *from;
#endif
}
template <class T>
KVBM_HOST_DEVICE void store_once(T* to, T value) noexcept {
#if defined(__CUDA_ARCH__)
  static_assert(sizeof(T) == 8);
  __stcs(reinterpret_cast<unsigned long long*>(to), value.bits());
#else
  *to = value;
#endif
}

}  // namespace kvbm::kernels
