#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz_targets.hpp"

/// KVBM_FUZZ_TARGET names the function that this program fuzzes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kvbm::fuzz::KVBM_FUZZ_TARGET({data, size});
  return 0;
}
