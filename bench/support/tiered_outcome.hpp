#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/support/tiered_replay.hpp"

namespace kvbm::bench {

/// What a replay through two tiers has to tell beyond that through one.
struct TieredOutcome {
  std::uint64_t g1_hit_blocks;
  std::uint32_t g2_blocks;
  std::uint64_t g2_hit_blocks;
  TieringCounts moved;
  TierMode mode;
  std::string device;
  std::vector<TieringFailure> failures;
};

[[nodiscard]] TieredOutcome outcome_of(TieredReplay& replay, const TieredOptions& options);

/// Adds what `outcome` tells to the object of a run.
void add_to(nlohmann::ordered_json& object, const TieredOutcome& outcome);

}  // namespace kvbm::bench
