#include "src/host/pools/backends/lineage_backend.hpp"

namespace kvbm {
namespace {

bool is_root(const SequenceHash& hash) noexcept { return hash.high() < std::uint64_t{1} << 54; }

bool is_parent(const SequenceHash& parent, const SequenceHash& child) noexcept {
  if (child.mode() == 0) {  // the parent's too: all shifts are constants
    const std::uint64_t fragment = (parent.high() << 10 | parent.low() >> 54) & SequenceHash::fragment_mask(0);
    return (parent.high() >> 54) + 1 == child.high() >> 54 &&
           fragment == (child.low() & SequenceHash::fragment_mask(0));
  }
  const std::uint64_t position = child.position();
  return parent.position() + 1 == position && parent.fragment_for_child(position) == child.parent_fragment();
}

}  // namespace

template <class Leaves>
void LineageBackend<Leaves>::reserve(const SlotView& slots) {
  leaves_.reserve(slots);
  placeholders_.reserve(slots.capacity() + kSparePlaceholders);
  slots_.emplace(slots);
}

template <class Leaves>
void LineageBackend<Leaves>::insert(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) {
    OrderLinks& links = slots.links(block);
    KVBM_ASSERT(!links.held, "block already exists in the eviction order");
    links.held = true;
    leaves_.became_idle(links);
    if (!placeholders_.empty()) adopt_placeholder(block);
    if (!links.linked && !is_root(slots.hash(block))) link(slots, block);
    if (links.children == 0) leaves_.add(slots, block);
  }
  size_ += blocks.size();
}

template <class Leaves>
void LineageBackend<Leaves>::erase(std::span<const BlockId> blocks) noexcept {
  const SlotView slots = *slots_;
  for (const BlockId block : blocks) {
    OrderLinks& links = slots.links(block);
    KVBM_ASSERT(links.held, "block is not in the eviction order");
    links.held = false;
    if (links.children != 0) continue;  // stays linked: it stands in for itself
    leaves_.remove(slots, block);
    if (links.linked) unlink(slots, block);
  }
  size_ -= blocks.size();
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
    leaves_.front_settled(slots);
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

template <class Leaves>
void LineageBackend<Leaves>::link(const SlotView& slots, BlockId block) noexcept {
  const SequenceHash& hash = slots.hash(block);
  OrderLinks& links = slots.links(block);
  BlockId parent = kNoBlock;
  if (placeholders_.empty()) {  // what is remembered may be the store's guess, so it is compared
    parent = remembered_parent(slots, links);
    if (parent != kNoBlock && !is_parent(slots.hash(parent), hash)) parent = kNoBlock;
  }
  if (parent == kNoBlock) {
    if (auto* placeholder = placeholders_.find(hash.position() - 1, hash.parent_fragment()); placeholder != nullptr) {
      return link_to(*placeholder, links);
    }
    parent = slots.find(hash.position() - 1, hash.parent_fragment());
  }
  if (parent == kNoBlock) {
    auto* placeholder = placeholders_.add(hash.position() - 1, hash.parent_fragment());
    if (placeholder != nullptr) link_to(*placeholder, links);
    return;
  }
  OrderLinks& above = slots.links(parent);
  if (above.held && above.children == 0) leaves_.remove(slots, parent);
  ++above.children;
  links.parent = parent + 1;
  links.parent_generation = slots.generation(parent);
  links.linked = true;
}

template <class Leaves>
void LineageBackend<Leaves>::link_to(Placeholders::Placeholder& placeholder, OrderLinks& links) noexcept {
  ++placeholder.children;
  links.parent = 0;
  links.linked = true;
}

/// Takes a block from its parent's children, and goes on upwards through all that only stood in for that child.
template <class Leaves>
void LineageBackend<Leaves>::unlink(const SlotView& slots, BlockId block) noexcept {
  for (;;) {
    OrderLinks& links = slots.links(block);
    links.linked = false;
    BlockId parent = remembered_parent(slots, links);
    if (parent == kNoBlock) {
      parent = unlink_unremembered(slots, slots.hash(block));
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
BlockId LineageBackend<Leaves>::unlink_unremembered(const SlotView& slots, const SequenceHash& child) noexcept {
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
  return slots.find(position, fragment);
}

template <class Leaves>
BlockId LineageBackend<Leaves>::remembered_parent(const SlotView& slots, const OrderLinks& links) const noexcept {
  if (links.parent == 0) return kNoBlock;
  const BlockId parent = links.parent - 1;
  return slots.generation(parent) == links.parent_generation ? parent : kNoBlock;
}

template class LineageBackend<TickOrder>;
template class LineageBackend<FifoOrder>;

}  // namespace kvbm
