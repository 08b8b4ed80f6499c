#pragma once

#include <memory>

#include "kvbm/pools/eviction_options.hpp"
#include "kvbm/registry/frequency_tracker.hpp"

namespace kvbm {

/// The backend that the options describe. Precondition: they are valid.
[[nodiscard]] std::unique_ptr<EvictionBackend> make_backend(const EvictionOptions& options,
                                                            std::shared_ptr<const FrequencyTracker> tracker);

}  // namespace kvbm
