#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <variant>

#include "kvbm/pools/eviction_backend.hpp"

namespace kvbm {

/// Oldest release first (the reference's hashmap backend with its FIFO reuse policy).
struct FifoEviction {};

/// Least recently released first. Blocks in use are in no order, so this is FifoEviction's order too.
struct LruEviction {};

/// Four lists by how often a hash was used, the coldest emptied first; each in order of release.
/// A block's list is chosen when it becomes idle: list k from a count of thresholds[k - 1] on.
/// Needs a registry with a frequency tracker. Thresholds ascend, from 1 to 15.
struct MultiLruEviction {
  std::array<std::uint8_t, 3> thresholds{3, 8, 15};
};

/// Leaves of the tree of idle blocks first, so that a prefix never outlives what hangs on it.
struct LineageEviction {
  enum class Order : std::uint8_t {
    Tick,  ///< the leaf whose block became idle first
    Fifo,  ///< the leaf that became a leaf first
  };
  Order order = Order::Tick;
};

/// Somebody else's order: called once per manager. It must not return null.
struct CustomEviction {
  std::function<std::unique_ptr<EvictionBackend>()> make;
};

using EvictionOptions = std::variant<LineageEviction, LruEviction, MultiLruEviction, FifoEviction, CustomEviction>;

}  // namespace kvbm
