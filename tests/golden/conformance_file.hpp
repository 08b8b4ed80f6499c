#pragma once

#include <cstddef>
#include <istream>
#include <string>

namespace kvbm::conformance {

/// What became of one recorded file.
struct FileReport {
  enum class Verdict {
    Same,       ///< every comparison held
    Different,  ///< the library answered differently
    Broken,     ///< the file cannot be read or replayed
  };
  Verdict verdict;
  std::size_t lines;   ///< read so far
  std::size_t checks;  ///< comparisons made so far
  std::string text;    ///< one line for the user, with the file's name
};

/// Replays a file, up to its first difference or broken line. What its lines are, tokens, sketches or operations, they
/// say themselves.
[[nodiscard]] FileReport check_file(const std::string& path);
/// The same for what is open already; `name` is for the report.
[[nodiscard]] FileReport check_stream(std::istream& input, const std::string& name);

}  // namespace kvbm::conformance
