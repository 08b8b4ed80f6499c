#include "bench/support/lookup_bench.hpp"

#include <fmt/format.h>

#include "bench/support/lookup_cases.hpp"

namespace kvbm::bench {

void run_lookup_bench(const LookupBenchOptions& options, const std::shared_ptr<Device>& device,
                      const std::string& reason, const std::function<void(const std::string&)>& print) {
  const bool emulated = device != nullptr && device->capabilities().emulated;
  print(device == nullptr ? fmt::format("no device: {}\n", reason)
                          : fmt::format("device: {}\n", device->capabilities().name));
  print(fmt::format("host with {} threads; {} samples, taken in turn; times are of the wall, kernels {} a sample\n",
                    options.threads, options.samples, options.launches));
  if (emulated) print("an emulated device: answers are verified, times and ratios mean nothing\n");
  LookupRows rows(print, !emulated);
  for (const std::uint64_t keys : options.keys) {
    for (const double load : options.loads) {
      LookupWorld world(keys, load);
      world.planner.set_monotone(true);  // as the questions are
      static_cast<void>(world.planner.commit());
      rows.begin(fmt::format("{} keys at load {:.2f}, {:.1f} MB", keys, world.planner.load(),
                             static_cast<double>(world.planner.table()->words().size_bytes()) / 1e6));
      const LookupCases cases{options, world, rows};
      run_host_cases(cases);
      if (device != nullptr) run_device_cases(cases, device);
    }
  }
}

}  // namespace kvbm::bench
