#pragma once

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kvbm/pools/eviction_options.hpp"
#include "kvbm/registry/frequency_tracker.hpp"

namespace kvbm::test {

/// Oldest release first, as simply as it can be written: what a user's own order looks like. It trusts its caller.
class VectorBackend : public EvictionBackend {
 public:
  void reserve(const SlotView& slots) override { order_.reserve(slots.capacity()); }
  void insert(std::span<const BlockId> blocks) noexcept override {
    order_.insert(order_.end(), blocks.begin(), blocks.end());
  }
  void erase(std::span<const BlockId> blocks) noexcept override {
    for (const BlockId block : blocks) order_.erase(std::find(order_.begin(), order_.end(), block));
  }
  [[nodiscard]] std::size_t evict(std::span<BlockId> victims) noexcept override {
    const std::size_t count = std::min(victims.size(), order_.size());
    const auto end = order_.begin() + static_cast<std::ptrdiff_t>(count);
    std::copy(order_.begin(), end, victims.begin());
    order_.erase(order_.begin(), end);
    return count;
  }
  [[nodiscard]] std::size_t size() const noexcept override { return order_.size(); }

 private:
  std::vector<BlockId> order_;
};

/// One eviction order by name, for suites that every order runs.
struct NamedEviction {
  std::string name;
  EvictionOptions options;
  bool needs_tracker = false;

  friend void PrintTo(const NamedEviction& eviction, std::ostream* out) { *out << eviction.name; }
};

/// The orders that kvbm brings along; they check what the store tells them.
[[nodiscard]] inline std::vector<NamedEviction> own_evictions() {
  return {
      {"Fifo", FifoEviction{}},
      {"Lru", LruEviction{}},
      {"MultiLru", MultiLruEviction{}, true},
      {"LineageTick", LineageEviction{LineageEviction::Order::Tick}},
      {"LineageFifo", LineageEviction{LineageEviction::Order::Fifo}},
  };
}

/// These, and one of a user's.
[[nodiscard]] inline std::vector<NamedEviction> every_eviction() {
  std::vector<NamedEviction> evictions = own_evictions();
  evictions.push_back({"Custom", CustomEviction{[] { return std::make_unique<VectorBackend>(); }}});
  return evictions;
}

}  // namespace kvbm::test
