// kvbm-workload: runs one workload many times and prints what an item costs.

#include <CLI/CLI.hpp>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "bench/workloads.hpp"

namespace {

using kvbm::bench::Workload;

struct Measured {
  std::uint64_t items = 0;
  double ns = 0;
};

/// Iterations are shared out evenly; the clock runs from when all threads are ready until the last is done.
Measured run(Workload& workload, unsigned threads, std::uint64_t iterations) {
  std::vector<std::uint64_t> items(threads);
  std::barrier ready(static_cast<std::ptrdiff_t>(threads));
  std::barrier done(static_cast<std::ptrdiff_t>(threads));
  std::chrono::steady_clock::time_point begin, end;
  const auto work = [&](unsigned thread) {
    ready.arrive_and_wait();
    if (thread == 0) begin = std::chrono::steady_clock::now();
    std::uint64_t done_here = 0;
    const std::uint64_t share = iterations / threads + (thread < iterations % threads ? 1 : 0);
    for (std::uint64_t i = 0; i < share; ++i) done_here += workload.step(thread);
    items[thread] = done_here;
    done.arrive_and_wait();
    if (thread == 0) end = std::chrono::steady_clock::now();
  };
  {
    std::vector<std::jthread> others;
    for (unsigned thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
    work(0);
  }
  Measured measured;
  for (const std::uint64_t count : items) measured.items += count;
  measured.ns = std::chrono::duration<double, std::nano>(end - begin).count();
  return measured;
}

}  // namespace

int main(int argc, char** argv) {
  std::string name, backend = "lineage", ids = "fresh";
  std::uint64_t iterations = 1000;
  kvbm::bench::WorkloadOptions options;
  std::vector<std::string> backends;
  for (const kvbm::bench::Policy& policy : kvbm::bench::policies()) backends.emplace_back(policy.name);

  CLI::App app("Runs one workload and prints what an item of it costs.", "kvbm-workload");
  app.add_option("workload", name, "Which one")->required()->check(CLI::IsMember(kvbm::bench::workload_names()));
  app.add_option("--backend", backend, "Eviction backend")->check(CLI::IsMember(backends));
  app.add_option("--blocks", options.blocks, "Blocks in the pool")->check(CLI::Range(512u, 1u << 30));
  app.add_option("--iterations", iterations, "How often to run it, all threads together")->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "Threads on one manager")->check(CLI::Range(1u, 1024u));
  app.add_option("--change-log", options.change_log, "Changes that the manager logs for readers; 0: no log");
  app.add_option("--ids", ids, "Order of the free pool at the start")->check(CLI::IsMember({"fresh", "scattered"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.policy = kvbm::bench::find_policy(backend);
  options.scattered_ids = ids == "scattered";

  // A process that never had a second thread runs some locked instructions unlocked, and would look too fast.
  std::jthread([] {}).join();
  try {
    const auto workload = kvbm::bench::make_workload(name, options);
    const Measured measured = run(*workload, options.threads, iterations);
    std::printf("%s backend=%s blocks=%u items=%llu ns_per_item=%.3f\n", name.c_str(), backend.c_str(), options.blocks,
                static_cast<unsigned long long>(measured.items), measured.ns / static_cast<double>(measured.items));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kvbm-workload: %s\n", error.what());
    return 1;
  }
  return 0;
}
