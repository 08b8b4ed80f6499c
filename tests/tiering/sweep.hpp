#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace kvbm::test {

/// Whether KVBM_SWEEP=all asks for everything.
[[nodiscard]] inline bool sweeps_all() {
  const char* wanted = std::getenv("KVBM_SWEEP");
  return wanted != nullptr && std::string_view(wanted) == "all";
}

/// How many of the places of a sweep to leave out between two: none if KVBM_SWEEP=all, else `stride` - 1, and more
/// under a sanitizer, where everything takes ten times as long.
[[nodiscard]] inline std::uint64_t sweep_stride(std::uint64_t stride) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr std::uint64_t kThinned = 5;
#else
  constexpr std::uint64_t kThinned = 1;
#endif
  return sweeps_all() ? 1 : stride * kThinned;
}

/// Requests of one replay: both tiers are full after a few, and all that happens later happens among these too.
inline constexpr std::size_t kSweptRequests = 40;
/// How many replays, each of other prompts.
[[nodiscard]] inline std::uint64_t swept_replays() { return sweeps_all() ? 3 : 1; }

}  // namespace kvbm::test
