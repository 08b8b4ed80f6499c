#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "kvbm/pools/eviction_options.hpp"
#include "tests/support/exact_tracker.hpp"
#include "tests/support/lineage_model.hpp"

namespace kvbm::test {

/// The order of idle blocks, as simply as it can be said.
class IdleModel {
 public:
  virtual ~IdleModel() = default;
  virtual void insert(const SequenceHash& hash, BlockId id) = 0;
  virtual void remove(const SequenceHash& hash, BlockId id) = 0;
  virtual std::optional<BlockId> evict() = 0;
};

/// Lists by level, the lowest emptied first; `level_of` decides when a block comes in.
template <class LevelOf>
class ListsModel final : public IdleModel {
 public:
  explicit ListsModel(LevelOf level_of) : level_of_(std::move(level_of)) {}
  void insert(const SequenceHash& hash, BlockId id) override { lists_[level_of_(hash)].push_back(id); }
  void remove(const SequenceHash& /*hash*/, BlockId id) override {
    for (std::list<BlockId>& list : lists_) list.remove(id);
  }
  std::optional<BlockId> evict() override {
    for (std::list<BlockId>& list : lists_) {
      if (list.empty()) continue;
      const BlockId id = list.front();
      list.pop_front();
      return id;
    }
    return std::nullopt;
  }

 private:
  LevelOf level_of_;
  std::array<std::list<BlockId>, 4> lists_;
};

class TreeModel final : public IdleModel {
 public:
  explicit TreeModel(bool by_tick) : tree_(by_tick) {}
  void insert(const SequenceHash& hash, BlockId id) override { tree_.insert(hash, id); }
  void remove(const SequenceHash& hash, BlockId /*id*/) override { tree_.remove(hash); }
  std::optional<BlockId> evict() override { return tree_.evict(); }

 private:
  LineageModel tree_;
};

/// The model of the order that `options` ask for; `uses` counts what a multi-LRU decides by.
inline std::unique_ptr<IdleModel> idle_model(const EvictionOptions& options,
                                             const std::map<SequenceHash, std::uint32_t>& uses) {
  if (const auto* lineage = std::get_if<LineageEviction>(&options)) {
    return std::make_unique<TreeModel>(lineage->order == LineageEviction::Order::Tick);
  }
  const auto* multi_lru = std::get_if<MultiLruEviction>(&options);
  const std::array<std::uint8_t, 3> thresholds = multi_lru ? multi_lru->thresholds : std::array<std::uint8_t, 3>{};
  const auto level_of = [&uses, thresholds, leveled = multi_lru != nullptr](const SequenceHash& hash) {
    if (!leveled) return std::size_t{0};
    const auto found = uses.find(hash);
    const std::uint32_t count = found == uses.end() ? 0 : found->second;
    std::size_t level = 0;
    for (const std::uint8_t threshold : thresholds) level += count >= threshold ? 1 : 0;
    return level;
  };
  return std::make_unique<ListsModel<decltype(level_of)>>(level_of);
}

}  // namespace kvbm::test
