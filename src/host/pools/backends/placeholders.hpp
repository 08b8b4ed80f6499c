#pragma once

#include "kvbm/base/types.hpp"
#include "src/host/base/hash_index.hpp"
#include "src/host/base/lineage.hpp"

namespace kvbm {

/// Stand-ins for blocks that are in no slot but have idle descendants. A block in a slot needs none: its child count
/// lies in the slot, whether it is idle or in use.
class Placeholders {
 public:
  struct Placeholder {
    std::uint64_t position;
    std::uint64_t fragment;         // of its own sequence hash, as its children keep it
    std::uint64_t parent_fragment;  // only if linked
    std::uint32_t children;
    bool linked;  // counted in its parent's children
    std::uint32_t next_unused;
  };

  /// Errors  std::bad_alloc.
  void reserve(std::uint32_t most) {
    most_ = most;
    index_ = HashIndex(most);
    entries_ = ZeroedArray<Placeholder>(most);
  }

  [[nodiscard]] bool empty() const noexcept { return index_.size() == 0; }
  [[nodiscard]] std::uint32_t size() const noexcept { return index_.size(); }

  [[nodiscard]] Placeholder* find(std::uint64_t position, std::uint64_t fragment) const noexcept {
    if (empty()) return nullptr;
    const std::uint32_t found = index_.find(lineage_tag(position, fragment), kNoBlock, [&](std::uint32_t i) {
      return entries_[i].position == position && entries_[i].fragment == fragment;
    });
    return found == kNoBlock ? nullptr : &entries_[found];
  }

  /// A new one, or null if there is no room. Precondition: there is none of this key.
  Placeholder* add(std::uint64_t position, std::uint64_t fragment) noexcept {
    std::uint32_t place = unused_;
    if (place != kNoBlock) {
      unused_ = entries_[place].next_unused;
    } else {
      if (used_ == most_) return nullptr;
      place = used_++;
    }
    entries_[place] = {position, fragment, 0, 0, false, kNoBlock};
    index_.find_or_insert(lineage_tag(position, fragment), place, kNoBlock, [](std::uint32_t) { return false; });
    return &entries_[place];
  }

  void remove(Placeholder& placeholder) noexcept {
    const auto place = static_cast<std::uint32_t>(&placeholder - entries_.data());
    index_.erase(lineage_tag(placeholder.position, placeholder.fragment), place);
    placeholder.next_unused = unused_;
    unused_ = place;
  }

 private:
  std::uint32_t most_ = 0;
  std::uint32_t used_ = 0;
  std::uint32_t unused_ = kNoBlock;
  HashIndex index_;
  ZeroedArray<Placeholder> entries_;
};

}  // namespace kvbm
