#include "bench/support/tiered_outcome.hpp"

#include <nlohmann/json.hpp>

namespace kvbm::bench {

TieredOutcome outcome_of(TieredReplay& replay, const TieredOptions& options) {
  const TieredReplayCounts& counts = replay.counts();
  return {counts.g1_hit_blocks, options.g2_blocks,    counts.g2_hit_blocks,  replay.cache().counts(),
          options.mode,         replay.device_name(), replay.take_failures()};
}

void add_to(nlohmann::ordered_json& object, const TieredOutcome& outcome) {
  object["g1_hit_blocks"] = outcome.g1_hit_blocks;
  object["g2_blocks"] = outcome.g2_blocks;
  object["g2_hit_blocks"] = outcome.g2_hit_blocks;
  object["offloaded_blocks"] = outcome.moved.offloaded_blocks;
  object["onboarded_blocks"] = outcome.moved.onboarded_blocks;
  object["bytes_offloaded"] = outcome.moved.bytes_offloaded;
  object["bytes_onboarded"] = outcome.moved.bytes_onboarded;
  object["tiers"] = outcome.mode == TierMode::Exclusive ? "exclusive" : "inclusive";
  object["device"] = outcome.device;
  object["lost_blocks"] = outcome.moved.lost_blocks;
  object["failed_copies"] = outcome.moved.failures;
}

}  // namespace kvbm::bench
