#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "src/host/lookup/prefix_planner.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::test {

/// The key of the n-th block. `bits` < 64 leaves only so many at the top, so that blocks share keys.
template <class Slot>
[[nodiscard]] typename Slot::Key table_key(std::uint64_t number, unsigned bits = 64) {
  const typename Slot::Key key = Slot::key_of(hash(number));
  if constexpr (std::is_same_v<typename Slot::Key, std::uint64_t>) {
    if (bits < 64) return (key >> (64 - bits) << (64 - bits)) | 1;
  }
  return key;
}

/// Hints by key, kept in the plainest way; and a copy of the table that knows nothing but its changes.
template <class Slot>
class PlannerModel {
 public:
  using Key = typename Slot::Key;

  explicit PlannerModel(typename PrefixPlanner<Slot>::Options options) : planner(options) { apply(); }

  void add(const Key& key, BlockHint hint) {
    planner.add(key, hint);
    hints_[key].insert(hint.bits());
  }
  void remove(const Key& key, BlockHint hint) {
    const auto found = hints_.find(key);
    const bool there = found != hints_.end() && found->second.erase(hint.bits()) == 1;
    KVBM_ASSERT(planner.remove(key, hint) == there, "the planner and the model disagree on what was there");
    if (there && found->second.empty()) hints_.erase(found);
  }
  /// Brings the copy up to date with a batch.
  TableChanges apply() {
    const TableChanges changes = planner.commit();
    const auto words = planner.table()->words();
    if (changes.replaced) copy_.assign(words.begin(), words.end());
    for (std::size_t i = 0; i < changes.places.size(); ++i) copy_[changes.places[i]] = changes.words[i];
    return changes;
  }
  /// All keys have a hint of the fastest tier that they were given; those absent have none.
  void check(std::uint64_t absent_from) const {
    planner.check_invariants();
    KVBM_ASSERT(planner.keys() == hints_.size(), "the planner lost count");
    for (const auto& [key, hints] : hints_) {
      const BlockHint shown = planner.view().find(key);
      KVBM_ASSERT(hints.contains(shown.bits()), "a key shows a hint that it was not given");
      for (const std::uint64_t bits : hints) {
        KVBM_ASSERT(BlockHint::from_bits(bits).tier() >= shown.tier(), "a faster tier is not shown");
      }
    }
    for (std::uint64_t i = 0; i < 64; ++i) {
      const Key key = table_key<Slot>(absent_from + i);
      KVBM_ASSERT(hints_.contains(key) || !planner.view().find(key).present(), "an absent key was found");
    }
  }
  /// The copy is the table, but for the header's epochs, which a copy keeps by other means.
  void check_copy() const {
    const auto words = planner.table()->words();
    KVBM_ASSERT(copy_.size() == words.size(), "the copy is of another size");
    for (std::size_t i = 1; i < words.size(); ++i) KVBM_ASSERT(copy_[i] == words[i], "the copy differs");
  }

  PrefixPlanner<Slot> planner;

 private:
  struct Less {
    bool operator()(const Key& a, const Key& b) const { return a < b; }
  };
  std::map<Key, std::set<std::uint64_t>, Less> hints_;
  std::vector<kernels::TableWord> copy_;
};

}  // namespace kvbm::test
