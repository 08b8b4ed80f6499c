#pragma once

#include <string>

namespace kvbm::conformance {

/// Where the library's answer differs from the recorded one.
struct Mismatch {
  std::string field;
  std::string expected;
  std::string got;
};

}  // namespace kvbm::conformance
