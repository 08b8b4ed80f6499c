#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/support/policies.hpp"

namespace kvbm::bench {

/// How to build the pool that a workload runs on.
struct WorkloadOptions {
  const Policy* policy = nullptr;  ///< the eviction backend
  std::uint32_t blocks = 16384;
  unsigned threads = 1;
  std::uint32_t change_log = 0;  ///< changes that the manager's log keeps; 0: no log
  bool scattered_ids = false;    ///< shuffle the free pool first, as after long churn
};

/// One named workload on one manager: set-up in the constructor, then step() as often as wanted.
///
/// Threads  step(thread) by as many threads at once as the options say, each with its own number.
class Workload {
 public:
  virtual ~Workload() = default;
  /// One iteration. Returns how many items it did.
  virtual std::uint64_t step(unsigned thread) = 0;
};

/// Names of all workloads.
[[nodiscard]] const std::vector<std::string>& workload_names();
/// Null for an unknown name. Errors  std::invalid_argument for options the workload cannot run with.
[[nodiscard]] std::unique_ptr<Workload> make_workload(const std::string& name, const WorkloadOptions& options);

}  // namespace kvbm::bench
