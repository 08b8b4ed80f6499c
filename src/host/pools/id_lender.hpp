#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

#include "kvbm/base/types.hpp"
#include "src/host/base/zeroed_array.hpp"

namespace kvbm {

/// Lends the arrays of ids that runs are made of, in sizes of powers of two, from one region that is reserved when the
/// store is made. Returned arrays are lent again, the last one first, so that a busy store uses a few warm ones.
///
/// Cost  a few instructions; the heap only where runs hold more ids at once than the region has.
/// Threads  under the store's lock.
class IdLender {
 public:
  struct Loan {
    BlockId* ids = nullptr;
    std::uint32_t capacity = 0;
  };

  /// Errors  std::bad_alloc.
  explicit IdLender(std::uint32_t blocks)
      : region_ids_(kIdsPerBlock * std::uint64_t{blocks} + kSpareIds), region_(static_cast<std::size_t>(region_ids_)) {}
  IdLender(const IdLender&) = delete;
  IdLender& operator=(const IdLender&) = delete;

  /// Room for `count` ids. Errors  std::bad_alloc.
  [[nodiscard]] Loan borrow(std::uint32_t count) {
    Loan loan = borrow_from_region(count);
    if (loan.ids == nullptr) {
      loan.capacity = 1u << size_class(count);
      loan.ids = static_cast<BlockId*>(::operator new(sizeof(BlockId) * loan.capacity));
      ++lent_;
    }
    return loan;
  }

  /// borrow() without the heap: nothing if the region has no room.
  [[nodiscard]] Loan borrow_from_region(std::uint32_t count) noexcept {
    const unsigned size = size_class(count);
    const std::uint32_t capacity = 1u << size;
    BlockId* ids = returned_[size];
    if (ids != nullptr) {
      std::memcpy(&returned_[size], ids, sizeof(BlockId*));
    } else if (region_ids_ - used_ >= capacity) {
      ids = region_.data() + used_;
      used_ += capacity;
    } else {
      return {};
    }
    ++lent_;
    return {ids, capacity};
  }

  /// Loans not given back yet.
  [[nodiscard]] std::uint64_t lent() const noexcept { return lent_; }

  void give_back(Loan loan) noexcept {
    --lent_;
    if (!in_region(loan.ids)) return ::operator delete(loan.ids);
    const unsigned size = size_class(loan.capacity);
    std::memcpy(loan.ids, &returned_[size], sizeof(BlockId*));
    returned_[size] = loan.ids;
  }

  /// Whether `count` ids would fit a smaller array than `capacity`.
  [[nodiscard]] static bool wasteful(std::uint32_t count, std::uint32_t capacity) noexcept {
    return (1u << size_class(count)) < capacity;
  }

 private:
  static constexpr std::uint64_t kIdsPerBlock = 8;
  static constexpr std::uint64_t kSpareIds = std::uint64_t{1} << 18;
  static constexpr std::uint32_t kSmallest = 16;

  [[nodiscard]] static unsigned size_class(std::uint32_t count) noexcept {
    return static_cast<unsigned>(std::bit_width((count < kSmallest ? kSmallest : count) - 1));
  }
  [[nodiscard]] bool in_region(const BlockId* ids) const noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(ids);
    const auto first = reinterpret_cast<std::uintptr_t>(region_.data());
    return address >= first && address < first + region_ids_ * sizeof(BlockId);
  }

  std::uint64_t region_ids_;
  std::uint64_t used_ = 0;
  std::uint64_t lent_ = 0;
  ZeroedArray<BlockId> region_;
  std::array<BlockId*, 33> returned_{};  // one list per power of two, linked through the arrays themselves
};

}  // namespace kvbm
