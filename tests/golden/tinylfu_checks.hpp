#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "kvbm/registry/frequency_tracker.hpp"
#include "tests/golden/mismatch.hpp"

namespace kvbm::conformance {

/// Replays recorded traces of the frequency sketch, line by line: a header starts a fresh sketch, the rest touch and
/// query it.
class TinyLfuChecker {
 public:
  /// Takes the next line. Adds the estimates it compared to `checks`, and returns the first that differs.
  /// Errors  std::invalid_argument saying what is wrong with a line that cannot be replayed.
  [[nodiscard]] std::optional<Mismatch> check_line(const nlohmann::json& line, std::size_t& checks);

 private:
  void begin_trace(const nlohmann::json& line);
  [[nodiscard]] std::optional<Mismatch> compare_counts(const nlohmann::json& line, std::size_t& checks) const;
  [[nodiscard]] SequenceHash key_at(const nlohmann::json& index) const;

  std::shared_ptr<FrequencyTracker> tracker_;
  std::vector<SequenceHash> keys_;
};

}  // namespace kvbm::conformance
