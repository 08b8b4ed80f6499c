#pragma once

#include <ostream>
#include <string>

namespace kvbm::bench {

/// Where kvbm-pages writes to, and what it starts for isolated cases: itself.
struct PagesSurroundings {
  std::ostream& out;  ///< results, and nothing else
  std::ostream& err;  ///< complaints
  std::string program;
};

/// kvbm-pages from command line to exit status: 0 if all went well, whatever goals were missed; 1 if bytes were wrong
/// or a case failed; 2 if the command line makes no sense or the results cannot be written.
[[nodiscard]] int pages_command(int argc, const char* const* argv, const PagesSurroundings& surroundings);

}  // namespace kvbm::bench
