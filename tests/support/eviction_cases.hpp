#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/registry/frequency_sketch.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::test {

/// An eviction order that a test is run under.
struct EvictionCase {
  std::string name;
  EvictionOptions eviction;

  friend std::ostream& operator<<(std::ostream& out, const EvictionCase& which) { return out << which.name; }
};

[[nodiscard]] inline std::vector<EvictionCase> eviction_cases() {
  return {{"Lru", LruEviction{}}, {"MultiLru", MultiLruEviction{}}, {"Lineage", LineageEviction{}}};
}

[[nodiscard]] inline std::string eviction_name(const testing::TestParamInfo<EvictionCase>& info) {
  return info.param.name;
}

/// Base of tests whose claim holds whatever the order of eviction: managers of one registry, whose tracker counts what
/// it is asked.
class UnderEachEviction : public testing::TestWithParam<EvictionCase> {
 protected:
  /// `options` with this test's registry and order.
  template <class Tier = G1>
  [[nodiscard]] BlockManager<Tier> manager(std::uint32_t blocks, ManagerOptions options = {.tokens_per_block = 4}) {
    options.blocks = blocks;
    options.registry = registry_;
    options.eviction = GetParam().eviction;
    return test::manager<Tier>(std::move(options));
  }

  std::shared_ptr<CountingTracker> tracker_ =
      std::make_shared<CountingTracker>(make_frequency_tracker(FrequencyTrackingCapacity::Small));
  BlockRegistry registry_{RegistryOptions{tracker_, {}}};
};

}  // namespace kvbm::test
