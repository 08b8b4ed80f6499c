// The workloads of kvbm-workload as Google Benchmark cases: workload/backend/blocks/ids, single-threaded and with two
// threads on one manager. Time per item is real time over items_per_second.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "bench/workloads.hpp"

namespace kvbm::bench {
namespace {

/// Shared by the threads of one case; made by the first before the clock starts.
std::unique_ptr<Workload> shared;

void run_case(benchmark::State& state, const std::string& name, const WorkloadOptions& options) {
  if (state.thread_index() == 0) shared = make_workload(name, options);
  std::uint64_t items = 0;
  for (auto _ : state) items += shared->step(static_cast<unsigned>(state.thread_index()));
  state.SetItemsProcessed(static_cast<std::int64_t>(items));
  if (state.thread_index() == 0) shared.reset();
}

void add_case(const std::string& name, const Policy& policy, std::uint32_t blocks, bool scattered, unsigned threads) {
  const WorkloadOptions options{&policy, blocks, threads, scattered};
  const std::string title = name + "/" + std::string(policy.name) + "/blocks:" + std::to_string(blocks) +
                            (scattered ? "/scattered" : "/fresh");
  benchmark::RegisterBenchmark(title.c_str(),
                               [name, options](benchmark::State& state) { run_case(state, name, options); })
      ->Threads(static_cast<int>(threads))
      ->UseRealTime();
}

bool add_cases() {
  for (const std::string& name : workload_names()) {
    const bool on_manager = name.rfind("hash", 0) != 0;
    for (const char* backend : {"lru", "multi-lru", "lineage"}) {
      const Policy& policy = *find_policy(backend);
      add_case(name, policy, 1u << 14, false, 1);
      if (!on_manager) break;
      add_case(name, policy, 1u << 14, false, 2);
      add_case(name, policy, 1u << 20, false, 1);
      add_case(name, policy, 1u << 20, true, 1);
    }
  }
  return true;
}

[[maybe_unused]] const bool kAdded = add_cases();

}  // namespace
}  // namespace kvbm::bench
