#include <sstream>
#include <string>

#include "kvbm/base/assert.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/golden/conformance_file.hpp"

namespace kvbm::fuzz {

/// Bytes as a recorded file of kvbm-conformance: whatever they are, there is a verdict with a reason.
void replay_recording(std::span<const std::uint8_t> bytes) {
  std::istringstream input(std::string(bytes.begin(), bytes.end()));
  const conformance::FileReport report = conformance::check_stream(input, "input");
  KVBM_ASSERT(report.text.starts_with("input:"), "a verdict names its file");
  const bool read = report.verdict == conformance::FileReport::Verdict::Same;
  KVBM_ASSERT(!read || report.lines > 0, "nothing was read and found the same");
}

}  // namespace kvbm::fuzz
