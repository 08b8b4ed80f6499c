#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "bench/support/batched_lookup.hpp"
#include "bench/support/policies.hpp"
#include "bench/support/replay.hpp"
#include "bench/support/tiered_options.hpp"
#include "kvbm/base/result.hpp"

namespace kvbm::bench {

/// The command line of kvbm-replay.
struct ReplayOptions {
  std::string trace;
  std::vector<const Policy*> policies;   ///< in the order given; each is run over all sizes
  std::vector<std::uint32_t> g1_blocks;  ///< from 1 to ManagerOptions::kMostBlocks
  ReleaseOrder release = ReleaseOrder::TailFirst;
  bool full_blocks = false;
  std::uint64_t block_tokens = 0;  ///< matters with full_blocks only
  std::size_t page_bytes = 0;
  DeviceOptions device{};  ///< matters with two tiers, and with LookupKind::Device
  LookupKind lookup = LookupKind::None;
  std::uint32_t batch = 0;  ///< requests a look-up; matters with one only
  bool json = false;
  std::optional<TieredOptions> tiers{};  ///< replay through two tiers
};

/// There is nothing to replay; what there was to say has been written.
struct ReplayExit {
  int status;  ///< 0 after --help, 2 after a mistake
};

/// Reads a command line; of an option that is given twice the last one counts. Help goes to `out`, complaints to `err`.
[[nodiscard]] Result<ReplayOptions, ReplayExit> parse_replay_options(int argc, const char* const* argv,
                                                                     std::ostream& out, std::ostream& err);

}  // namespace kvbm::bench
