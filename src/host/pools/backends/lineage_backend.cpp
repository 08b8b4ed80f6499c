#include "src/host/pools/backends/lineage_backend.hpp"

#include "src/host/base/lineage.hpp"

namespace kvbm {

template <class Leaves>
void LineageBackend<Leaves>::reserve(const SlotView& slots) {
  leaves_.reserve(slots);
  placeholders_.reserve(slots.capacity() + kSparePlaceholders);
  slots_.emplace(slots);
}

template <class Leaves>
inline void LineageBackend<Leaves>::became_idle(const SlotView& slots, BlockId block) noexcept {
  OrderLinks& links = slots.links(block);
  KVBM_ASSERT(!links.held, "block already exists in the eviction order");
  links.held = true;
  leaves_.became_idle(links);
  if (!placeholders_.empty()) adopt_placeholder(block);
  const BlockId covered = links.linked || is_root(slots.hash(block)) ? kNoBlock : link(slots, block);
  if (links.children != 0) {
    if (covered != kNoBlock) leaves_.remove(slots, covered);
  } else if (covered != kNoBlock) {
    leaves_.replace(slots, covered, block);
  } else {
    leaves_.add(slots, block);
  }
}

template <class Leaves>
inline void LineageBackend<Leaves>::became_active(const SlotView& slots, BlockId block) noexcept {
  OrderLinks& links = slots.links(block);
  KVBM_ASSERT(links.held, "block is not in the eviction order");
  links.held = false;
  if (links.children != 0) return;  // stays linked: it stands in for itself
  leaves_.remove(slots, block);
  if (links.linked) unlink(slots, block);
}

template <class Leaves>
void LineageBackend<Leaves>::insert(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) became_idle(slots, block);
  size_ += blocks.size();
}

template <class Leaves>
void LineageBackend<Leaves>::erase(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) became_active(slots, block);
  size_ -= blocks.size();
}

template <class Leaves>
void LineageBackend<Leaves>::insert_one(BlockId block) noexcept {
  became_idle(*slots_, block);
  ++size_;
}

template <class Leaves>
void LineageBackend<Leaves>::erase_one(BlockId block) noexcept {
  became_active(*slots_, block);
  --size_;
}

template <class Leaves>
std::size_t LineageBackend<Leaves>::evict(std::span<BlockId> victims) noexcept {
  const SlotView slots = *slots_;
  std::size_t count = 0;
  for (; count < victims.size() && !leaves_.empty(); ++count) {
    const BlockId block = leaves_.take_front(slots);
    OrderLinks& links = slots.links(block);
    links.held = false;
    if (links.linked) unlink(slots, block);
    victims[count] = block;
  }
  size_ -= count;
  return count;
}

template <class Leaves>
void LineageBackend<Leaves>::forget(BlockId block) noexcept {
  OrderLinks& links = slots_->links(block);
  if (links.children != 0) {
    const SequenceHash& hash = slots_->hash(block);
    const std::uint64_t fragment = hash.fragment_for_child(hash.position() + 1);
    auto* placeholder = placeholders_.find(hash.position(), fragment);
    if (placeholder == nullptr) placeholder = placeholders_.add(hash.position(), fragment);
    if (placeholder != nullptr) {
      placeholder->children += links.children;
      if (links.linked && !placeholder->linked) {
        placeholder->linked = true;
        placeholder->parent_fragment = hash.parent_fragment();
        return;
      }
    }
  }
  if (links.linked) unlink(*slots_, block);
}

/// Takes over what a placeholder counted while this block was in no slot.
template <class Leaves>
void LineageBackend<Leaves>::adopt_placeholder(BlockId block) noexcept {
  const SequenceHash& hash = slots_->hash(block);
  auto* placeholder = placeholders_.find(hash.position(), hash.fragment_for_child(hash.position() + 1));
  if (placeholder == nullptr) return;
  // That of another block of this key, whose parent is not ours: it stays, and its children find it there.
  if (placeholder->linked && placeholder->parent_fragment != hash.parent_fragment()) return;
  OrderLinks& links = slots_->links(block);
  links.children += placeholder->children;
  if (placeholder->linked) {
    links.linked = true;
    links.parent = 0;
  }
  placeholders_.remove(*placeholder);
}

/// Counts a block in its parent. Returns that parent if it was a leaf so far: its place among the leaves is still to be
/// taken away.
template <class Leaves>
inline BlockId LineageBackend<Leaves>::link(const SlotView& slots, BlockId block) noexcept {
  OrderLinks& links = slots.links(block);
  const SequenceHash& hash = slots.hash(block);
  BlockId parent = kNoBlock;
  if (placeholders_.empty()) {  // what is remembered may be the store's guess, so it is compared
    parent = remembered_parent(slots, links);
    if (parent == kNoBlock || !is_parent(slots.hash(parent), hash)) parent = slots.find_parent(hash);
  }
  if (parent == kNoBlock) {
    parent = look_for_parent(block);
    if (parent == kNoBlock) return kNoBlock;
  }
  OrderLinks& above = slots.links(parent);
  links.parent = parent + 1;
  links.parent_generation = slots.generation(parent);
  links.linked = true;
  return above.children++ == 0 && above.held ? parent : kNoBlock;
}

/// The slot of a block's parent, save what a placeholder stands for. Where it is in no slot, the block is linked to a
/// placeholder: kNoBlock.
template <class Leaves>
BlockId LineageBackend<Leaves>::look_for_parent(BlockId block) noexcept {
  const SequenceHash& hash = slots_->hash(block);
  Placeholders::Placeholder* placeholder = placeholders_.find(hash.position() - 1, hash.parent_fragment());
  if (placeholder == nullptr) {
    const BlockId parent = slots_->find_parent(hash);
    if (parent != kNoBlock) return parent;
    placeholder = placeholders_.add(hash.position() - 1, hash.parent_fragment());
    if (placeholder == nullptr) return kNoBlock;
  }
  ++placeholder->children;
  OrderLinks& links = slots_->links(block);
  links.parent = 0;
  links.linked = true;
  return kNoBlock;
}

/// Takes a block from its parent's children, and goes on upwards through all that only stood in for that child.
template <class Leaves>
inline void LineageBackend<Leaves>::unlink(const SlotView& slots, BlockId block) noexcept {
  for (;;) {
    OrderLinks& links = slots.links(block);
    links.linked = false;
    BlockId parent = remembered_parent(slots, links);
    if (parent == kNoBlock) {
      parent = unlink_unremembered(slots.hash(block));
      if (parent == kNoBlock) return;
    }
    OrderLinks& above = slots.links(parent);
    if (above.children == 0) return;  // there was no room for a placeholder once
    if (--above.children != 0) return;
    if (above.held) return leaves_.add(slots, parent);
    if (!above.linked) return;
    block = parent;
  }
}

/// unlink() where the parent is in a placeholder, or in a slot it was not seen in before. Goes upwards through
/// placeholders; returns the first slot on the way, whose count is still to be lowered, or kNoBlock.
template <class Leaves>
BlockId LineageBackend<Leaves>::unlink_unremembered(const SequenceHash& child) noexcept {
  std::uint64_t position = child.position() - 1;
  std::uint64_t fragment = child.parent_fragment();
  while (auto* placeholder = placeholders_.find(position, fragment)) {
    if (--placeholder->children != 0) return kNoBlock;
    const bool linked = placeholder->linked;
    fragment = placeholder->parent_fragment;
    placeholders_.remove(*placeholder);
    if (!linked) return kNoBlock;
    --position;
  }
  return slots_->find(position, fragment);
}

template <class Leaves>
inline BlockId LineageBackend<Leaves>::remembered_parent(const SlotView& slots,
                                                         const OrderLinks& links) const noexcept {
  if (links.parent == 0) return kNoBlock;
  const BlockId parent = links.parent - 1;
  return slots.generation(parent) == links.parent_generation ? parent : kNoBlock;
}

template class LineageBackend<TickOrder>;
template class LineageBackend<FifoOrder>;

}  // namespace kvbm
