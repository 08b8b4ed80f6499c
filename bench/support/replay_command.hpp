#pragma once

#include <ostream>
#include <string_view>

namespace kvbm::bench {

/// Where kvbm-replay writes to.
struct ReplayStreams {
  std::ostream& out;  ///< results, and nothing else
  std::ostream& err;  ///< complaints
  std::ostream* bar;  ///< the progress bar; null if nobody would see it move
};

/// Complains, and gives the exit status for it: 2.
int refuse(std::ostream& err, std::string_view text);

/// kvbm-replay from command line to exit status: 0 if all went well, 1 if a page was corrupt, 2 if the command line,
/// the trace or a size makes no sense, which is said before anything is replayed, or if the results cannot be written.
[[nodiscard]] int replay_command(int argc, const char* const* argv, const ReplayStreams& streams);

}  // namespace kvbm::bench
