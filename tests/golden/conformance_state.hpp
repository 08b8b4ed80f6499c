#pragma once

#include <array>
#include <cstdint>

#include "kvbm/manager/block_manager.hpp"
#include "tests/golden/conformance_comparison.hpp"
#include "tests/golden/conformance_json.hpp"

namespace kvbm::conformance {

/// The numbers a recording keeps about a manager and its registry.
class StateVector {
 public:
  static constexpr std::size_t kSize = 23;

  /// As recorded in full. Errors  std::invalid_argument unless it is a list of kSize whole numbers.
  explicit StateVector(const Json& numbers);
  /// As the manager is now.
  explicit StateVector(const BlockManager<G1>& manager);

  /// Takes recorded changes: index, value, index, value, ...
  /// Errors  std::invalid_argument for half a pair, or an index out of range.
  void apply(const Json& changes);

  /// Errors  Difference, naming the number.
  void compare(const StateVector& got, Comparison& comparison) const;

 private:
  std::array<std::int64_t, kSize> numbers_{};
};

}  // namespace kvbm::conformance
