#pragma once

#include <optional>

#include "kvbm/manager/block_manager.hpp"
#include "kvbm/tiering/tiering_options.hpp"

namespace kvbm {

/// The first thing that keeps the two tiers from working together.
[[nodiscard]] std::optional<InvalidTiering> check_tiering(const BlockManager<G1>& g1, const BlockManager<G2>& g2,
                                                          const TieringOptions& options);

}  // namespace kvbm
