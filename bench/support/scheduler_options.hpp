#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "bench/support/replay_plan.hpp"
#include "bench/support/scheduler.hpp"
#include "kvbm/base/result.hpp"

namespace kvbm::bench {

/// The command line of kvbm-replay --scheduler.
struct SchedulerReplayOptions : ReplayPlan {
  std::uint32_t tokens_per_block = 512;
  std::string arrivals = "trace";
  std::string output_tokens = "trace";
  RequestShape shape;
  SchedulerOptions scheduler;
  double spare_fraction = 0.01;  ///< of the blocks; gives scheduler.spare_blocks
};

/// Whether a command line asks for the scheduler.
[[nodiscard]] bool wants_scheduler(int argc, const char* const* argv) noexcept;

/// As exit_after_parsing().
[[nodiscard]] Result<SchedulerReplayOptions, ReplayExit> parse_scheduler_options(int argc, const char* const* argv,
                                                                                 std::ostream& out, std::ostream& err);

}  // namespace kvbm::bench
