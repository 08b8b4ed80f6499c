#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "kvbm/manager/block_manager.hpp"
#include "tests/golden/conformance_handles.hpp"
#include "tests/golden/conformance_json.hpp"
#include "tests/golden/conformance_state.hpp"
#include "tests/golden/conformance_universe.hpp"

namespace kvbm::conformance {

/// The replay of one recorded trace of operations against a manager of its own.
/// Errors  all functions: Difference; std::invalid_argument saying what is wrong with a line.
class TraceReplay {
 public:
  TraceReplay(const Json& header, Comparison& comparison);

  /// Carries out the next operation and compares its outcome and all of the state.
  void take(const Json& operation, Comparison& comparison);
  /// Compares what the trailer says of the whole trace.
  void end(const Json& trailer, Comparison& comparison) const;

  [[nodiscard]] const std::string& id() const noexcept { return id_; }

 private:
  std::string id_;
  BlockManager<G1> manager_;
  Universe universe_;
  StateVector state_;  // as recorded
  HandleTable handles_;
  std::size_t operations_ = 0;
};

}  // namespace kvbm::conformance
