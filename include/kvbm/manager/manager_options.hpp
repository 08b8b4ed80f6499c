#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvbm/base/types.hpp"
#include "kvbm/manager/metrics.hpp"
#include "kvbm/pools/eviction_options.hpp"
#include "kvbm/registry/block_registry.hpp"

namespace kvbm {

/// How to build a BlockManager. `blocks` and `registry` must be given.
struct ManagerOptions {
  /// Slots, 1 to kMostBlocks.
  std::optional<std::uint32_t> blocks{};
  /// A power of two from 1 to 1024.
  std::uint32_t tokens_per_block = 16;
  /// May be shared by managers of all tiers.
  std::optional<BlockRegistry> registry{};
  DuplicationPolicy duplication = DuplicationPolicy::Allow;
  EvictionOptions eviction = LineageEviction{};
  /// Whether blocks are reset rather than kept when their last holder goes, unless a block says otherwise.
  bool reset_on_release = false;
  /// Where the manager's metrics are collected.
  std::optional<MetricsAggregator> metrics{};
  /// Tells this manager's metrics from others'; empty: the tier's name.
  std::string label{};

  /// Changes to keep for readers of the manager's change log, 24 bytes each, rounded up to a power of two; 0: no log.
  std::uint32_t change_log = 0;

  static constexpr std::uint32_t kMostChanges = 1u << 30;
  static constexpr std::uint32_t kMostBlocks = 1u << 30;
  static constexpr std::uint32_t kMostTokensPerBlock = 1024;
};

/// Why a manager was not built.
struct InvalidOptions {
  enum class Code {
    RegistryMissing,
    BlocksMissing,
    BlocksZero,
    TooManyBlocks,
    TokensPerBlockOutOfRange,
    TokensPerBlockNotPowerOfTwo,
    ThresholdsNotAscending,
    ThresholdTooHigh,
    ThresholdTooLow,
    TrackerMissing,
    BackendMissing,
    TooManyChanges,
  };
  Code code;
  std::string text;
};

}  // namespace kvbm
