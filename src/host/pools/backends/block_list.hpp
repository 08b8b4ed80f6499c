#pragma once

#include "kvbm/base/assert.hpp"
#include "kvbm/pools/slot_view.hpp"

namespace kvbm {

/// A doubly linked list of blocks whose links lie in the slots.
class BlockList {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == kNoBlock; }
  [[nodiscard]] BlockId front() const noexcept { return first_; }

  void push_back(const SlotView& slots, BlockId block) noexcept {
    OrderLinks& links = slots.links(block);
    links.list = {last_, kNoBlock};
    (last_ == kNoBlock ? first_ : slots.links(last_).list.next) = block;
    last_ = block;
  }
  void remove(const SlotView& slots, BlockId block) noexcept {
    const OrderLinks::Neighbours around = slots.links(block).list;
    (around.previous == kNoBlock ? first_ : slots.links(around.previous).list.next) = around.next;
    (around.next == kNoBlock ? last_ : slots.links(around.next).list.previous) = around.previous;
  }
  BlockId pop_front(const SlotView& slots) noexcept {
    const BlockId block = first_;
    first_ = slots.links(block).list.next;
    (first_ == kNoBlock ? last_ : slots.links(first_).list.previous) = kNoBlock;
    return block;
  }

 private:
  BlockId first_ = kNoBlock;
  BlockId last_ = kNoBlock;
};

}  // namespace kvbm
