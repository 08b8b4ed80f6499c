#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kvbm/manager/manager_options.hpp"
#include "kvbm/pools/eviction_options.hpp"

namespace kvbm::bench {

/// An eviction policy by the name it has on a command line.
struct Policy {
  std::string_view name;
  EvictionOptions eviction;
  bool counts_uses = false;  ///< needs a registry with a frequency tracker
};

/// All policies there are.
[[nodiscard]] std::span<const Policy> policies();

/// The policy of that name; null if there is none. Lives as long as the program.
[[nodiscard]] const Policy* find_policy(std::string_view name);

/// All names, for messages: "lru, multi-lru, ...".
[[nodiscard]] std::string policy_names();

/// Options of a manager of `blocks` blocks under `policy`, with a registry of its own.
[[nodiscard]] ManagerOptions options_for(const Policy& policy, std::uint32_t blocks);

}  // namespace kvbm::bench
