#pragma once

#include <vector>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm::bench {

/// The requests of the trace in the repository; read once.
[[nodiscard]] const std::vector<std::vector<SequenceHash>>& recorded_requests();

}  // namespace kvbm::bench
