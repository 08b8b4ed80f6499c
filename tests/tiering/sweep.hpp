#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace kvbm::test {

/// How many of the places of a sweep to leave out between two: none if KVBM_SWEEP=all, else `stride` - 1.
[[nodiscard]] inline std::uint64_t sweep_stride(std::uint64_t stride) {
  const char* wanted = std::getenv("KVBM_SWEEP");
  return wanted != nullptr && std::string_view(wanted) == "all" ? 1 : stride;
}

}  // namespace kvbm::test
