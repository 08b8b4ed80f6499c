#pragma once

#include "bench/support/replay_runs.hpp"

namespace kvbm::bench {

/// kvbm-replay from command line to exit status: 0 if all went well, 1 if a page was corrupt, 2 if the command line,
/// the trace or a size makes no sense, which is said before anything is replayed, or if the results cannot be written.
[[nodiscard]] int replay_command(int argc, const char* const* argv, const ReplayStreams& streams);

}  // namespace kvbm::bench
