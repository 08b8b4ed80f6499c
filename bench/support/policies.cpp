#include "bench/support/policies.hpp"

#include <algorithm>
#include <array>

#include "kvbm/registry/frequency_sketch.hpp"

namespace kvbm::bench {

std::span<const Policy> policies() {
  static const std::array<Policy, 5> kPolicies{{
      {"lru", LruEviction{}},
      {"multi-lru", MultiLruEviction{}, true},
      {"lineage", LineageEviction{}},
      {"lineage-fifo", LineageEviction{LineageEviction::Order::Fifo}},
      {"fifo", FifoEviction{}},
  }};
  return kPolicies;
}

const Policy* find_policy(std::string_view name) {
  const std::span<const Policy> all = policies();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Policy& policy) { return policy.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string policy_names() {
  std::string names;
  for (const Policy& policy : policies()) {
    if (!names.empty()) names += ", ";
    names += policy.name;
  }
  return names;
}

ManagerOptions options_for(const Policy& policy, std::uint32_t blocks) {
  RegistryOptions registry;
  if (policy.counts_uses) registry.tracker = make_frequency_tracker(FrequencyTrackingCapacity::Medium);
  ManagerOptions options;
  options.blocks = blocks;
  options.registry = BlockRegistry(std::move(registry));
  options.eviction = policy.eviction;
  return options;
}

}  // namespace kvbm::bench
