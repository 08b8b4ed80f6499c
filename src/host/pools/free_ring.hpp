#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "kvbm/base/types.hpp"
#include "src/host/base/zeroed_array.hpp"

namespace kvbm {

/// The reset pool: ids of free slots, first in, first out. Moving many is a copy of ids and touches no slot.
class FreeRing {
 public:
  /// Holds 0 .. capacity - 1 in this order. Errors  std::bad_alloc.
  explicit FreeRing(std::uint32_t capacity) : capacity_(capacity), size_(capacity), ids_(capacity) {
    for (std::uint32_t i = 0; i < capacity; ++i) ids_[i] = i;
  }

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  /// Takes the front. Precondition: not empty.
  [[nodiscard]] BlockId pop() noexcept {
    const BlockId id = ids_[first_];
    first_ = first_ + 1 == capacity_ ? 0 : first_ + 1;
    --size_;
    return id;
  }
  /// Takes out.size() ids from the front. Precondition: there are as many.
  void pop(std::span<BlockId> out) noexcept {
    const std::size_t straight = std::min<std::size_t>(out.size(), capacity_ - first_);
    std::copy_n(ids_.data() + first_, straight, out.data());
    std::copy_n(ids_.data(), out.size() - straight, out.data() + straight);
    first_ = wrap(first_ + out.size());
    size_ -= static_cast<std::uint32_t>(out.size());
  }
  void push(BlockId id) noexcept {
    ids_[wrap(std::uint64_t{first_} + size_)] = id;
    ++size_;
  }
  void push(std::span<const BlockId> ids) noexcept {
    const std::uint32_t end = wrap(std::uint64_t{first_} + size_);
    const std::size_t straight = std::min<std::size_t>(ids.size(), capacity_ - end);
    std::copy_n(ids.data(), straight, ids_.data() + end);
    std::copy_n(ids.data() + straight, ids.size() - straight, ids_.data());
    size_ += static_cast<std::uint32_t>(ids.size());
  }
  /// Puts ids back in front that pop() took last, in their old order.
  void unpop(std::span<const BlockId> ids) noexcept {
    first_ = wrap(std::uint64_t{first_} + capacity_ - ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) ids_[wrap(std::uint64_t{first_} + i)] = ids[i];
    size_ += static_cast<std::uint32_t>(ids.size());
  }
  /// The i-th from the front.
  [[nodiscard]] BlockId at(std::uint32_t i) const noexcept { return ids_[wrap(std::uint64_t{first_} + i)]; }

 private:
  [[nodiscard]] std::uint32_t wrap(std::uint64_t place) const noexcept {
    return static_cast<std::uint32_t>(place >= capacity_ ? place - capacity_ : place);
  }

  std::uint32_t capacity_;
  std::uint32_t first_ = 0;
  std::uint32_t size_;
  ZeroedArray<BlockId> ids_;
};

}  // namespace kvbm
