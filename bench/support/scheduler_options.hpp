#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "bench/support/policies.hpp"
#include "bench/support/replay_options.hpp"
#include "bench/support/scheduler.hpp"
#include "kvbm/base/result.hpp"

namespace kvbm::bench {

/// The command line of kvbm-replay --scheduler.
struct SchedulerReplayOptions {
  std::string trace;
  std::vector<const Policy*> policies;   ///< in the order given; each is run over all sizes
  std::vector<std::uint32_t> g1_blocks;  ///< from 1 to ManagerOptions::kMostBlocks
  std::uint32_t tokens_per_block = 512;
  std::size_t page_bytes = 0;
  std::string arrivals = "trace";
  std::string output_tokens = "trace";
  RequestShape shape;
  SchedulerOptions scheduler;
  double spare_fraction = 0.01;  ///< of the blocks; gives scheduler.spare_blocks
  bool json = false;
};

/// Whether a command line asks for the scheduler.
[[nodiscard]] bool wants_scheduler(int argc, const char* const* argv) noexcept;

/// Reads a command line; of an option that is given twice the last one counts. Help goes to `out`, complaints to `err`.
[[nodiscard]] Result<SchedulerReplayOptions, ReplayExit> parse_scheduler_options(int argc, const char* const* argv,
                                                                                 std::ostream& out, std::ostream& err);

}  // namespace kvbm::bench
