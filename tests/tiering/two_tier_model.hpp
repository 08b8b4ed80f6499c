#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "kvbm/base/assert.hpp"

namespace kvbm::test {

using ModelId = std::uint64_t;

enum class ModelPolicy { Lru, Lineage, MultiLru };

/// What the model knows of every id there is: an id names a block together with all that precedes it.
struct ModelIds {
  std::unordered_map<ModelId, ModelId> parents;  // roots have none
  std::unordered_map<ModelId, std::uint32_t> uses;
};

/// The blocks cached in one tier, and the order in which idle ones go (eviction.md 2).
class ModelTier {
 public:
  ModelTier(ModelPolicy policy, std::uint32_t capacity, const ModelIds& ids)
      : policy_(policy), capacity_(capacity), ids_(ids) {}

  [[nodiscard]] bool holds(ModelId id) const { return blocks_.contains(id); }
  [[nodiscard]] std::size_t size() const { return blocks_.size(); }

  /// Adds a block in use. Returns who had to go for it.
  std::optional<ModelId> add(ModelId id) {
    const std::optional<ModelId> victim = blocks_.size() == capacity_ ? std::optional(evict()) : std::nullopt;
    blocks_[id] = {};
    count_child(id, 1);
    return victim;
  }
  void pin(ModelId id) {
    blocks_.at(id).idle = false;
    relist(id);
  }
  void release(ModelId id) {
    Block& block = blocks_.at(id);
    block.idle = true;
    block.key = {level_of(id), ++tick_, id};
    relist(id);
  }
  void remove(ModelId id) {
    pin(id);
    blocks_.erase(id);
    count_child(id, -1);
  }

 private:
  using Key = std::tuple<std::uint32_t, std::uint64_t, ModelId>;
  struct Block {
    bool idle = false;
    bool listed = false;
    Key key{};
  };

  ModelId evict() {
    KVBM_ASSERT(!order_.empty(), "the model's tier is full of blocks in use");
    const ModelId victim = std::get<2>(*order_.begin());
    remove(victim);
    return victim;
  }
  [[nodiscard]] std::uint32_t level_of(ModelId id) const {
    if (policy_ != ModelPolicy::MultiLru) return 0;
    const std::uint32_t uses = std::min(ids_.uses.at(id), 15u);
    return (uses >= 3 ? 1u : 0u) + (uses >= 8 ? 1u : 0u) + (uses >= 15 ? 1u : 0u);
  }
  void count_child(ModelId id, int change) {
    const auto parent = ids_.parents.find(id);
    if (policy_ != ModelPolicy::Lineage || parent == ids_.parents.end()) return;
    children_[parent->second] += change;
    if (holds(parent->second)) relist(parent->second);
  }
  /// Blocks are listed while they may go.
  void relist(ModelId id) {
    Block& block = blocks_.at(id);
    const auto children = children_.find(id);
    const bool may_go = block.idle && (children == children_.end() || children->second == 0);
    if (block.listed) order_.erase(block.key);
    if (may_go) order_.insert(block.key);
    block.listed = may_go;
  }

  const ModelPolicy policy_;
  const std::uint32_t capacity_;
  const ModelIds& ids_;
  std::uint64_t tick_ = 0;
  std::unordered_map<ModelId, Block> blocks_;
  std::unordered_map<ModelId, int> children_;  // cached ones, of parents cached or not
  std::set<Key> order_;
};

struct ModelCounts {
  std::uint64_t g1_hits = 0;
  std::uint64_t g2_hits = 0;

  friend bool operator==(const ModelCounts&, const ModelCounts&) = default;
};

/// Serial replay through two tiers by the rules of eviction.md 1 and 6, written down as they stand there. It knows no
/// pages, managers or guards.
class TwoTierModel {
 public:
  struct Options {
    ModelPolicy policy;
    std::uint32_t g1_blocks;
    std::uint32_t g2_blocks;
    bool exclusive;
  };

  explicit TwoTierModel(const Options& options)
      : options_(options), g1_(options.policy, options.g1_blocks, ids_), g2_(options.policy, options.g2_blocks, ids_) {}

  [[nodiscard]] const ModelTier& g1() const noexcept { return g1_; }
  [[nodiscard]] const ModelTier& g2() const noexcept { return g2_; }
  [[nodiscard]] const ModelCounts& counts() const noexcept { return counts_; }

  void serve(std::span<const ModelId> whole) {
    const auto request = whole.first(std::min<std::size_t>(whole.size(), options_.g1_blocks));
    for (std::size_t i = 1; i < request.size(); ++i) ids_.parents[request[i]] = request[i - 1];
    const std::size_t hits = count_hits(request);
    for (const ModelId id : request) ++ids_.uses[id];
    for (const ModelId id : request) {
      if (g1_.holds(id)) g1_.pin(id);
    }
    if (!options_.exclusive) refresh_g2(request.first(hits));
    add_to_g1(request);
    if (!options_.exclusive) put_into_g2(request.subspan(hits));
    for (std::size_t i = request.size(); i-- > 0;) g1_.release(request[i]);
  }

 private:
  std::size_t count_hits(std::span<const ModelId> request) {
    std::size_t hits = 0;
    for (; hits < request.size() && (g1_.holds(request[hits]) || g2_.holds(request[hits])); ++hits) {
      ++(g1_.holds(request[hits]) ? counts_.g1_hits : counts_.g2_hits);
    }
    return hits;
  }
  void refresh_g2(std::span<const ModelId> hits) {
    for (std::size_t i = hits.size(); i-- > 0;) {
      if (g1_.holds(hits[i])) continue;
      g2_.pin(hits[i]);
      g2_.release(hits[i]);
    }
  }
  void add_to_g1(std::span<const ModelId> request) {
    for (const ModelId id : request) {
      if (options_.exclusive && g2_.holds(id)) g2_.remove(id);
    }
    for (const ModelId id : request) {
      if (g1_.holds(id)) continue;
      const std::optional<ModelId> victim = g1_.add(id);
      if (victim && options_.exclusive) put(*victim);
    }
  }
  void put_into_g2(std::span<const ModelId> rest) {
    for (std::size_t i = rest.size(); i-- > 0;) {
      if (!g2_.holds(rest[i])) put(rest[i]);
    }
  }
  void put(ModelId id) {
    g2_.add(id);
    g2_.release(id);
  }

  const Options options_;
  ModelIds ids_;
  ModelTier g1_;
  ModelTier g2_;
  ModelCounts counts_;
};

}  // namespace kvbm::test
