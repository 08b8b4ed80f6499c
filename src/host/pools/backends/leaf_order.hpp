#pragma once

#include "src/host/base/zeroed_array.hpp"
#include "src/host/pools/backends/block_list.hpp"

namespace kvbm {

/// Leaves by the time their block became idle: a 4-ary heap over ticks. A block keeps its tick while it is idle, so one
/// that becomes a leaf again returns to its old place.
class TickOrder {
 public:
  void reserve(const SlotView& slots) { heap_ = ZeroedArray<Leaf>(slots.capacity()); }

  void became_idle(OrderLinks& links) noexcept { links.set_tick(++tick_); }
  void add(const SlotView& slots, BlockId block) noexcept {
    const Leaf leaf{slots.links(block).tick(), block};
    if (front_taken_) {
      front_taken_ = false;
      sift_down(slots, 0, leaf);
    } else {
      sift_up(slots, size_++, leaf);
    }
  }
  void remove(const SlotView& slots, BlockId block) noexcept {
    const std::uint32_t place = slots.links(block).place - 1;
    slots.links(block).place = 0;
    fill(slots, place);
  }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Takes the first leaf out. Its place stays open, since its parent is likely the next to be added and belongs near
  /// the top; front_settled() ends that.
  BlockId take_front(const SlotView& slots) noexcept {
    const BlockId block = heap_[0].block;
    slots.links(block).place = 0;
    front_taken_ = true;
    return block;
  }
  void front_settled(const SlotView& slots) noexcept {
    if (!front_taken_) return;
    front_taken_ = false;
    fill(slots, 0);
  }

 private:
  struct Leaf {
    std::uint64_t tick;
    BlockId block;
  };
  static constexpr std::uint32_t kArity = 4;

  void put(const SlotView& slots, std::uint32_t place, Leaf leaf) noexcept {
    heap_[place] = leaf;
    slots.links(leaf.block).place = place + 1;
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
  std::uint32_t size_ = 0;
  bool front_taken_ = false;
  ZeroedArray<Leaf> heap_;
};

/// Leaves in the order in which they became leaves; one that becomes a leaf again goes to the end.
class FifoOrder {
 public:
  void reserve(const SlotView& /*slots*/) noexcept {}
  void became_idle(OrderLinks& /*links*/) noexcept {}
  void add(const SlotView& slots, BlockId block) noexcept { list_.push_back(slots, block); }
  void remove(const SlotView& slots, BlockId block) noexcept { list_.remove(slots, block); }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
  BlockId take_front(const SlotView& slots) noexcept { return list_.pop_front(slots); }
  void front_settled(const SlotView& /*slots*/) noexcept {}

 private:
  BlockList list_;
};

}  // namespace kvbm
