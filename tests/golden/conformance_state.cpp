#include "tests/golden/conformance_state.hpp"

namespace kvbm::conformance {
namespace {

constexpr std::array<const char*, StateVector::kSize> kNames{"available",
                                                             "reset_pool",
                                                             "inactive_pool",
                                                             "registered",
                                                             "inflight_mutable",
                                                             "inflight_immutable",
                                                             "allocations",
                                                             "allocations_from_reset",
                                                             "evictions",
                                                             "registrations",
                                                             "duplicate_blocks",
                                                             "registration_dedup",
                                                             "stagings",
                                                             "match_hashes_requested",
                                                             "match_blocks_returned",
                                                             "scan_hashes_requested",
                                                             "scan_blocks_returned",
                                                             "eager_primary_to_inactive_total",
                                                             "allocate_atomic_rollback_total",
                                                             "release_primary_noop_total",
                                                             "release_duplicate_noop_total",
                                                             "reset_pool_size",
                                                             "inactive_pool_size"};

std::int64_t count(std::uint64_t number) { return static_cast<std::int64_t>(number); }

}  // namespace

StateVector::StateVector(const Json& numbers) {
  if (!numbers.is_array() || numbers.size() != kSize) refuse(fmt::format("a state is a list of {} numbers", kSize));
  for (std::size_t i = 0; i < kSize; ++i) numbers_[i] = integer(numbers[i], "state");
}

StateVector::StateVector(const BlockManager<G1>& manager) {
  const PoolMetrics metrics = manager.metrics();
  const std::int64_t available = manager.available_blocks();
  // The sizes of the two pools are asked for in another way than the gauges: each as what the other one leaves.
  numbers_ = {available,
              available - metrics.inactive_pool_size,
              available - metrics.reset_pool_size,
              count(manager.registry().registered_count()),
              metrics.inflight_mutable,
              metrics.inflight_immutable,
              count(metrics.allocations),
              count(metrics.allocations_from_reset),
              count(metrics.evictions),
              count(metrics.registrations),
              count(metrics.duplicate_blocks),
              count(metrics.registration_dedup),
              count(metrics.stagings),
              count(metrics.match_hashes_requested),
              count(metrics.match_blocks_returned),
              count(metrics.scan_hashes_requested),
              count(metrics.scan_blocks_returned),
              count(metrics.eager_primary_to_inactive_total),
              count(metrics.allocate_atomic_rollback_total),
              count(metrics.release_primary_noop_total),
              count(metrics.release_duplicate_noop_total),
              metrics.reset_pool_size,
              metrics.inactive_pool_size};
}

void StateVector::apply(const Json& changes) {
  if (!changes.is_array() || changes.size() % 2 != 0) refuse("\"d\" is not a list of pairs");
  for (std::size_t i = 0; i < changes.size(); i += 2) {
    const std::uint64_t index = natural(changes[i], "d");
    if (index >= kSize) refuse(fmt::format("\"d\" names number {} of a state of {}", index, kSize));
    numbers_[index] = integer(changes[i + 1], "d");
  }
}

void StateVector::compare(const StateVector& got, Comparison& comparison) const {
  for (std::size_t i = 0; i < kSize; ++i) {
    if (numbers_[i] == got.numbers_[i]) {
      comparison.same("", numbers_[i], got.numbers_[i]);  // counts
    } else {
      comparison.same(fmt::format("state[{}] {}", i, kNames[i]), numbers_[i], got.numbers_[i]);
    }
  }
}

}  // namespace kvbm::conformance
