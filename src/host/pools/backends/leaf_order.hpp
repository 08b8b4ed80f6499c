#pragma once

#include <utility>

#include "src/host/base/zeroed_array.hpp"
#include "src/host/pools/backends/block_list.hpp"

namespace kvbm {

/// Leaves by the time their block became idle: a 4-ary heap over ticks, and the first leaf aside where it is known
/// without the heap. A block keeps its tick while it is idle, so one that becomes a leaf again returns to its old
/// place.
///
/// A chain is given up from its end, and each block's parent then is the next: it goes aside, and the heap rests.
class TickOrder {
 public:
  void reserve(const SlotView& slots) { heap_ = ZeroedArray<Leaf>(slots.capacity()); }

  void became_idle(OrderLinks& links) noexcept { links.set_tick(++tick_); }
  void add(const SlotView& slots, BlockId block) noexcept {
    const Leaf leaf{slots.links(block).tick(), block};
    if (size_ != 0 && leaf.tick > heap_[0].tick) return push(slots, leaf);
    add_before_heap(slots, leaf);
  }
  void remove(const SlotView& slots, BlockId block) noexcept {
    const std::uint32_t place = std::exchange(slots.links(block).place, 0);
    if (place == kAside) {
      aside_ = Leaf{};
    } else {
      fill(slots, place - 1);
    }
  }
  /// remove() and add() in one. Precondition: `block` became idle last of all.
  void replace(const SlotView& slots, BlockId leaf, BlockId block) noexcept {
    const std::uint32_t place = std::exchange(slots.links(leaf).place, 0);
    if (place == kAside) {
      aside_ = Leaf{};
      add(slots, block);
    } else {
      sift_down(slots, place - 1, Leaf{slots.links(block).tick(), block});
    }
  }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0 && aside_.tick == 0; }

  /// Takes the first leaf out.
  BlockId take_front(const SlotView& slots) noexcept {
    BlockId block = aside_.block;
    if (aside_.tick != 0) {
      aside_ = Leaf{};
    } else {
      block = heap_[0].block;
      fill(slots, 0);
    }
    slots.links(block).place = 0;
    return block;
  }

 private:
  struct Leaf {
    std::uint64_t tick;  // from 1
    BlockId block;
  };
  static constexpr std::uint32_t kArity = 4;
  static constexpr std::uint32_t kAside = 0xFFFF'FFFFu;  // the place of the leaf aside; beyond the heap of any pool

  void put(const SlotView& slots, std::uint32_t place, Leaf leaf) noexcept {
    heap_[place] = leaf;
    slots.links(leaf.block).place = place + 1;
  }
  void push(const SlotView& slots, Leaf leaf) noexcept { sift_up(slots, size_++, leaf); }
  void add_before_heap(const SlotView& slots, Leaf leaf) noexcept {
    if (aside_.tick != 0 && aside_.tick < leaf.tick) return push(slots, leaf);
    if (aside_.tick != 0) push(slots, aside_);
    aside_ = leaf;
    slots.links(leaf.block).place = kAside;
  }
  void fill(const SlotView& slots, std::uint32_t hole) noexcept {
    const Leaf last = heap_[--size_];
    if (hole == size_) return;
    if (hole > 0 && last.tick < heap_[(hole - 1) / kArity].tick) {
      sift_up(slots, hole, last);
    } else {
      sift_down(slots, hole, last);
    }
  }
  void sift_up(const SlotView& slots, std::uint32_t place, Leaf leaf) noexcept {
    while (place > 0) {
      const std::uint32_t above = (place - 1) / kArity;
      if (heap_[above].tick < leaf.tick) break;
      put(slots, place, heap_[above]);
      place = above;
    }
    put(slots, place, leaf);
  }
  void sift_down(const SlotView& slots, std::uint32_t place, Leaf leaf) noexcept {
    for (;;) {
      const std::uint64_t first = std::uint64_t{place} * kArity + 1;
      if (first >= size_) break;
      const std::uint64_t end = first + kArity < size_ ? first + kArity : size_;
      std::uint64_t least = first;
      for (std::uint64_t child = first + 1; child < end; ++child) {
        if (heap_[child].tick < heap_[least].tick) least = child;
      }
      if (leaf.tick < heap_[least].tick) break;
      put(slots, place, heap_[least]);
      place = static_cast<std::uint32_t>(least);
    }
    put(slots, place, leaf);
  }

  std::uint64_t tick_ = 0;
  std::uint32_t size_ = 0;  // of the heap
  ZeroedArray<Leaf> heap_;
  Leaf aside_{};  // before all of the heap; tick 0: none
};

/// Leaves in the order in which they became leaves; one that becomes a leaf again goes to the end.
class FifoOrder {
 public:
  void reserve(const SlotView& /*slots*/) noexcept {}
  void became_idle(OrderLinks& /*links*/) noexcept {}
  void add(const SlotView& slots, BlockId block) noexcept { list_.push_back(slots, block); }
  void remove(const SlotView& slots, BlockId block) noexcept { list_.remove(slots, block); }
  void replace(const SlotView& slots, BlockId leaf, BlockId block) noexcept {
    remove(slots, leaf);
    add(slots, block);
  }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
  BlockId take_front(const SlotView& slots) noexcept { return list_.pop_front(slots); }

 private:
  BlockList list_;
};

}  // namespace kvbm
