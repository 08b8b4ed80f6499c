#pragma once

#include <memory>

#include "bench/support/lookup_bench.hpp"
#include "bench/support/lookup_rows.hpp"
#include "bench/support/lookup_world.hpp"

namespace kvbm::bench {

/// One table's cases.
struct LookupCases {
  const LookupBenchOptions& options;
  LookupWorld& world;
  LookupRows& rows;
};

/// Answers questions with so many threads. Questions must be poisoned; answers are verified.
[[nodiscard]] Sampled time_on_host(const LookupCases& cases, Questions& questions, unsigned threads, unsigned samples,
                                   const std::string& what);
[[nodiscard]] double millions_per_second(const Questions& questions, const Sampled& sampled) noexcept;

void run_host_cases(const LookupCases& cases);
void run_device_cases(const LookupCases& cases, const std::shared_ptr<Device>& device);

}  // namespace kvbm::bench
