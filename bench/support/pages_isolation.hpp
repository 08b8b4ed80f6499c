#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bench/support/pages_report.hpp"

namespace kvbm::bench {

/// A case in a process of its own, so that a hang or a broken device costs that case alone.
struct IsolatedCase {
  std::string id;
  std::string program;                 ///< that runs it and writes PagesReport::json() to its output
  std::vector<std::string> arguments;  ///< without the program's name
  std::chrono::milliseconds limit;     ///< the process is killed after it
};

/// What it wrote; rows of a process that came to no good end too, beside the failure. Status 1 is a good end: it tells
/// of wrong bytes or of failures that it reports itself. Errors  std::system_error if there can be no process.
[[nodiscard]] PagesReport run_isolated(const IsolatedCase& which);

}  // namespace kvbm::bench
