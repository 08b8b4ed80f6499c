#pragma once

#include <cstdint>

namespace kvbm {

/// What happened in one manager's pools so far, and what is there now. The store keeps it, part by part under its lock;
/// this is a copy, taken when somebody asks.
struct PoolMetrics {
  // Counters: they only grow.
  std::uint64_t allocations = 0;             ///< blocks handed out; = allocations_from_reset + evictions
  std::uint64_t allocations_from_reset = 0;  ///< of these, never used or given back empty
  std::uint64_t evictions = 0;               ///< of these, taken from the inactive pool
  std::uint64_t registrations = 0;           ///< blocks passed to registration, duplicates and rejected ones included
  std::uint64_t duplicate_blocks = 0;        ///< second copies kept
  std::uint64_t registration_dedup = 0;      ///< second copies given back
  std::uint64_t stagings = 0;                ///< blocks declared full
  std::uint64_t match_hashes_requested = 0;  ///< hashes asked for by prefix and scattered matches, repeats included
  std::uint64_t match_blocks_returned = 0;   ///< of these, found
  std::uint64_t scan_hashes_requested = 0;   ///< hashes asked for by scans, repeats included
  std::uint64_t scan_blocks_returned = 0;    ///< different hashes that scans found
  // Rare paths, counted so that a test can prove it took one.
  std::uint64_t eager_primary_to_inactive_total = 0;  ///< made inactive by a racing lookup instead of the last holder
  std::uint64_t allocate_atomic_rollback_total = 0;  ///< allocations that gave back what they had; more than 0 is a bug
  std::uint64_t release_primary_noop_total = 0;      ///< late drops of a block that was taken again before
  std::uint64_t release_duplicate_noop_total = 0;    ///< the same for a second copy; more than 0 is a bug
  // Gauges.
  std::int64_t inflight_mutable = 0;    ///< blocks held to be filled
  std::int64_t inflight_immutable = 0;  ///< live ImmutableBlock handles, each copy counts
  std::int64_t reset_pool_size = 0;
  std::int64_t inactive_pool_size = 0;

  friend bool operator==(const PoolMetrics&, const PoolMetrics&) = default;
};

}  // namespace kvbm
