#pragma once

#include <algorithm>
#include <array>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/types.hpp"

namespace kvbm::test {

using Key = std::pair<std::uint64_t, std::uint64_t>;  // position, own fragment

inline Key key_of(const SequenceHash& hash) { return {hash.position(), hash.fragment_for_child(hash.position() + 1)}; }

/// Leaf-first eviction by the book (logical.md 13.5): a node for every idle block and a ghost for every missing parent.
/// It knows nothing of slots, blocks in use, or blocks that are reset.
class LineageModel {
 public:
  explicit LineageModel(bool by_tick) : by_tick_(by_tick) {}

  void insert(const SequenceHash& hash, BlockId id) {
    const Key key = key_of(hash);
    Node& node = nodes_[key];
    KVBM_ASSERT(!node.id, "the test inserted a block twice");
    node.id = id;
    node.tick = ++tick_;
    ++real_;
    if (hash.position() > 0 && !node.parent) link(key, {hash.position() - 1, hash.parent_fragment()});
    if (node.children.empty()) add_leaf(key);
  }
  void remove(const SequenceHash& hash) { remove(key_of(hash)); }
  std::optional<BlockId> evict() {
    if (leaves_.empty()) return std::nullopt;
    const auto older = [this](const Key& a, const Key& b) { return nodes_.at(a).tick < nodes_.at(b).tick; };
    const Key key = *(by_tick_ ? std::min_element(leaves_.begin(), leaves_.end(), older) : leaves_.begin());
    const BlockId id = *nodes_.at(key).id;
    remove(key);
    return id;
  }

  [[nodiscard]] std::size_t size() const { return real_; }
  [[nodiscard]] std::size_t ghosts() const { return nodes_.size() - real_; }
  [[nodiscard]] std::size_t leaves() const { return leaves_.size(); }

 private:
  struct Node {
    std::optional<BlockId> id;  // none: a ghost
    std::uint64_t tick = 0;
    std::optional<Key> parent;
    std::set<Key> children;
  };

  void add_leaf(const Key& key) { leaves_.push_back(key); }
  void link(const Key& child, const Key& parent) {
    Node& above = nodes_[parent];
    if (above.children.empty() && above.id) leaves_.remove(parent);
    above.children.insert(child);
    nodes_.at(child).parent = parent;
  }
  void remove(Key key) {
    leaves_.remove(key);
    nodes_.at(key).id.reset();
    --real_;
    while (nodes_.at(key).children.empty()) {
      const std::optional<Key> parent = nodes_.at(key).parent;
      nodes_.erase(key);
      if (!parent) return;
      Node& above = nodes_.at(*parent);
      above.children.erase(key);
      if (!above.children.empty()) return;
      if (above.id) return add_leaf(*parent);
      key = *parent;
    }
  }

  const bool by_tick_;
  std::uint64_t tick_ = 0;
  std::size_t real_ = 0;
  std::map<Key, Node> nodes_;
  std::list<Key> leaves_;
};

/// A forest with shared prefixes. Some trees begin in the middle of a sequence, around the positions where the width of
/// a fragment changes, so that their first parent never exists.
inline std::vector<SequenceHash> forest(std::mt19937_64& random, std::size_t size) {
  constexpr std::array<std::uint64_t, 6> kFirst{0, 0, 0, 252, 254, 65'533};
  std::vector<SequenceHash> hashes;
  for (const std::uint64_t position : kFirst) hashes.emplace_back(random(), random(), position);
  for (std::size_t i = 0; i < 3; ++i) hashes[i] = SequenceHash::root(random());
  while (hashes.size() < size) {
    // Mostly below one of the last few: long chains with branches.
    const std::size_t back = random() % 4 != 0 ? std::min<std::size_t>(hashes.size(), 8) : hashes.size();
    hashes.push_back(hashes[hashes.size() - 1 - random() % back].extend(random()));
  }
  return hashes;
}

}  // namespace kvbm::test
