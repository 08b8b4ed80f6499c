#pragma once

#include "kvbm/manager/block_manager.hpp"
#include "tests/golden/conformance_comparison.hpp"
#include "tests/golden/conformance_handles.hpp"
#include "tests/golden/conformance_json.hpp"
#include "tests/golden/conformance_universe.hpp"

namespace kvbm::conformance {

/// One recorded operation and what it works on.
struct Step {
  const Json& line;
  const BlockManager<G1>& manager;
  const Universe& universe;
  HandleTable& handles;
  Comparison& comparison;

  [[nodiscard]] const Json& at(const char* name) const { return field(line, name); }
  [[nodiscard]] const Json& list(const char* name) const { return list_field(line, name); }
};

/// Carries the operation out through the public interface and compares its outcome.
/// Errors  Difference; std::invalid_argument saying what is wrong with the line, which may have happened in part.
void carry_out(const Step& step);

}  // namespace kvbm::conformance
