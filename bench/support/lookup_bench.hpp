#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kvbm/device/device.hpp"

namespace kvbm::bench {

struct LookupBenchOptions {
  std::uint64_t keys = 1'000'000;
  double load = 0.8;
  unsigned threads = 1;
  unsigned samples = 15;
};

/// Runs all cases and gives them as a table: name, value, unit, reference, ratio to it, spread of the samples. Without
/// a device, `reason` says why, and the host's cases are all. Errors  std::logic_error naming the case if an answer is
/// wrong; std::bad_alloc; DeviceError.
[[nodiscard]] std::string lookup_table(const LookupBenchOptions& options, const std::shared_ptr<Device>& device,
                                       const std::string& reason);

}  // namespace kvbm::bench
