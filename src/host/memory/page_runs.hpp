#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "kvbm/base/assert.hpp"
#include "src/host/base/zeroed_array.hpp"

namespace kvbm {

/// Which pages of an arena are free, as runs that touch no other free run. Both ends of a run carry its length; its
/// first page links it to other runs of its size class, which are the powers of two. Not safe for threads.
class PageRuns {
 public:
  explicit PageRuns(std::uint32_t pages) : runs_(std::size_t{pages} + 2) {  // one page never free at either end
    insert(1, pages);
    free_pages_ = pages;
  }

  /// The first of `pages` pages, counted from 0; nothing if no run is long enough.
  [[nodiscard]] std::optional<std::uint32_t> take(std::uint32_t pages) noexcept {
    const std::size_t first = find(pages);
    if (first == kNone) return std::nullopt;
    const std::uint32_t length = runs_[first].pages;
    remove(first);
    if (length > pages) insert(first + pages, length - pages);
    free_pages_ -= pages;
    return static_cast<std::uint32_t>(first - 1);
  }
  /// Precondition: `pages` pages from `taken` on are what one take() returned.
  void give_back(std::uint32_t taken, std::uint32_t pages) noexcept {
    std::size_t first = std::size_t{taken} + 1;
    std::uint32_t length = pages;
    free_pages_ += pages;
    if (const std::uint32_t before = runs_[first - 1].pages; before != 0) {
      first -= before;
      length += before;
      remove(first);
    }
    if (const std::size_t after = std::size_t{taken} + 1 + pages; runs_[after].pages != 0) {
      length += runs_[after].pages;
      remove(after);
    }
    insert(first, length);
  }

  [[nodiscard]] std::uint32_t free_pages() const noexcept { return free_pages_; }
  [[nodiscard]] std::uint32_t longest() const noexcept {
    if (classes_in_use_ == 0) return 0;
    std::uint32_t longest = 0;
    const int top = 31 - std::countl_zero(classes_in_use_);
    for (std::size_t run = heads_[static_cast<std::size_t>(top)]; run != kNone; run = runs_[run].next) {
      longest = runs_[run].pages > longest ? runs_[run].pages : longest;
    }
    return longest;
  }

 private:
  static constexpr std::uint32_t kNone = 0;
  struct Run {
    std::uint32_t pages;  // at the first and the last page of a free run, else 0
    std::uint32_t next, previous;
  };

  [[nodiscard]] static std::size_t class_of(std::uint32_t pages) noexcept {
    return static_cast<std::size_t>(31 - std::countl_zero(pages));
  }

  /// Any run of a higher class is long enough; those of the same class are looked at one by one.
  [[nodiscard]] std::size_t find(std::uint32_t pages) const noexcept {
    const std::size_t own = class_of(pages);
    for (std::uint32_t run = heads_[own]; run != kNone; run = runs_[run].next) {
      if (runs_[run].pages >= pages) return run;
    }
    const std::uint32_t higher = classes_in_use_ & ~((2u << own) - 1);
    return higher == 0 ? kNone : heads_[static_cast<std::size_t>(std::countr_zero(higher))];
  }

  void insert(std::size_t first, std::uint32_t pages) noexcept {
    const std::size_t of = class_of(pages);
    const auto run = static_cast<std::uint32_t>(first);
    runs_[first + pages - 1].pages = pages;
    runs_[first] = {.pages = pages, .next = heads_[of], .previous = kNone};
    if (heads_[of] != kNone) runs_[heads_[of]].previous = run;
    heads_[of] = run;
    classes_in_use_ |= 1u << of;
  }

  void remove(std::size_t first) noexcept {
    const Run run = runs_[first];
    const std::size_t of = class_of(run.pages);
    if (run.next != kNone) runs_[run.next].previous = run.previous;
    if (run.previous != kNone) {
      runs_[run.previous].next = run.next;
    } else {
      heads_[of] = run.next;
      if (run.next == kNone) classes_in_use_ &= ~(1u << of);
    }
    runs_[first + run.pages - 1].pages = 0;
    runs_[first].pages = 0;
  }

  ZeroedArray<Run> runs_;  // page p of the arena is place p + 1
  std::array<std::uint32_t, 32> heads_{};
  std::uint32_t classes_in_use_ = 0;
  std::uint32_t free_pages_ = 0;
};

}  // namespace kvbm
