#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace kvbm::test {

/// How many of the places of a sweep to leave out between two: none if KVBM_SWEEP=all, else `stride` - 1, and more
/// under a sanitizer, where everything takes ten times as long.
[[nodiscard]] inline std::uint64_t sweep_stride(std::uint64_t stride) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr std::uint64_t kThinned = 5;
#else
  constexpr std::uint64_t kThinned = 1;
#endif
  const char* wanted = std::getenv("KVBM_SWEEP");
  return wanted != nullptr && std::string_view(wanted) == "all" ? 1 : stride * kThinned;
}

}  // namespace kvbm::test
