#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kvbm/device/device.hpp"

namespace kvbm::bench {

struct LookupBenchOptions {
  std::vector<std::uint64_t> keys{1'000'000, 16'000'000};  ///< in the table; each with each load
  std::vector<double> loads{0.7, 0.8};
  std::uint32_t requests = 16'384;  ///< of 512 blocks each, where questions lie on the device
  unsigned threads = 1;             ///< of the host's look-ups
  unsigned samples = 15;
  unsigned launches = 20;  ///< of kernels in one sample, so that the way to the device and back does not count
};

/// Runs all cases and prints a row for each as soon as it is known. Without a device, `reason` says why, and the host's
/// cases are all. Errors  std::logic_error naming the case if an answer is wrong; std::bad_alloc; DeviceError.
void run_lookup_bench(const LookupBenchOptions& options, const std::shared_ptr<Device>& device,
                      const std::string& reason, const std::function<void(const std::string&)>& print);

}  // namespace kvbm::bench
