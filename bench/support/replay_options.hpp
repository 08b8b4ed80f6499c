#pragma once

#include <cstdint>
#include <optional>
#include <ostream>

#include "bench/support/batched_lookup.hpp"
#include "bench/support/replay.hpp"
#include "bench/support/replay_plan.hpp"
#include "bench/support/tiered_options.hpp"
#include "kvbm/base/result.hpp"

namespace kvbm::bench {

/// The command line of kvbm-replay without --scheduler.
struct ReplayOptions : ReplayPlan {
  ReleaseOrder release = ReleaseOrder::TailFirst;
  bool full_blocks = false;
  std::uint64_t block_tokens = 0;  ///< matters with full_blocks only
  DeviceOptions device{};          ///< matters with two tiers, and with LookupKind::Device
  LookupKind lookup = LookupKind::None;
  std::uint32_t batch = 0;               ///< requests a look-up; matters with one only
  std::optional<TieredOptions> tiers{};  ///< replay through two tiers
};

/// As exit_after_parsing().
[[nodiscard]] Result<ReplayOptions, ReplayExit> parse_replay_options(int argc, const char* const* argv,
                                                                     std::ostream& out, std::ostream& err);

}  // namespace kvbm::bench
