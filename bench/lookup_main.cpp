// kvbm-lookup: measures batched prefix look-ups on the host, and on a GPU if there is one; `--help` lists its options.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <thread>

#include "bench/support/lookup_bench.hpp"
#include "kvbm/device/cuda_device.hpp"
#include "kvbm/device/emulated_device.hpp"

int main(int argc, char** argv) {
  kvbm::bench::LookupBenchOptions options;
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  bool emulated = false;
  CLI::App app("Measures batched prefix look-ups, verifies every answer, and prints a row for each case.",
               "kvbm-lookup");
  app.add_option("--keys", options.keys, "Keys in the table; several, with commas, are measured one after the other")
      ->delimiter(',')
      ->check(CLI::Range(std::uint64_t{10'000}, std::uint64_t{1} << 30));
  app.add_option("--load", options.loads, "How full the table is; several, with commas")
      ->delimiter(',')
      ->check(CLI::Range(0.1, 0.95));
  app.add_option("--requests", options.requests, "Requests of 512 blocks, where they lie on the device")
      ->check(CLI::Range(16u, 1u << 20));
  app.add_option("--threads", options.threads, "Threads of the host's look-ups")->check(CLI::Range(1u, 1024u));
  app.add_option("--samples", options.samples, "Measurements of each case")->check(CLI::Range(1u, 1000u));
  app.add_option("--launches", options.launches, "Kernels in one measurement")->check(CLI::Range(1u, 1000u));
  app.add_flag("--emulated", emulated, "Runs the device's cases on an emulated device: for tests, times mean nothing");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::shared_ptr<kvbm::Device> device;
  std::string reason;
  if (emulated) {
    device = kvbm::EmulatedDevice::create();
  } else if (auto opened = kvbm::open_cuda_device(0)) {
    device = *opened;
  } else {
    reason = opened.error().reason;
  }
  try {
    kvbm::bench::run_lookup_bench(options, device, reason, [](const std::string& text) {
      std::fputs(text.c_str(), stdout);
      std::fflush(stdout);
    });
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kvbm-lookup: %s\n", error.what());
    return 1;
  }
}
