#pragma once

#include <cstdint>
#include <utility>

#include "src/host/base/zeroed_array.hpp"

namespace kvbm {

/// Open addressing over (tag, id) pairs of 8 bytes. A pair's home follows from its tag alone, so removal shifts back
/// what stood behind without a look at the keys, and there are no tombstones. Behind the last home there is room for
/// all ids, so that probes never wrap; it is not resident unless it is used.
///
/// Cost  16 bytes per id at the load of 1/2 that callers keep; a probe reads a key only where all 32 tag bits agree.
class HashIndex {
 public:
  struct Pair {
    std::uint32_t tag;
    std::uint32_t id_plus_1;  // 0: empty
  };

  /// The table by value, for loops that want it in registers.
  class Reader {
   public:
    Reader(const Pair* pairs, std::uint64_t homes) noexcept : pairs_(pairs), homes_(homes) {}

    /// Calls same(id) for ids with this tag until it says true. Returns that id, or `none`.
    template <class Same>
    [[nodiscard]] std::uint32_t find(std::uint32_t tag, std::uint32_t none, Same&& same) const noexcept {
      for (const Pair* place = pairs_ + ((tag * homes_) >> 32);; ++place) {
        const Pair pair = *place;
        if (pair.id_plus_1 == 0) return none;
        if (pair.tag == tag && same(pair.id_plus_1 - 1)) return pair.id_plus_1 - 1;
      }
    }
    void prefetch(std::uint32_t tag) const noexcept { __builtin_prefetch(pairs_ + ((tag * homes_) >> 32)); }

   private:
    const Pair* pairs_;
    std::uint64_t homes_;
  };

  HashIndex() = default;
  /// `present`: takes its memory at once, rather than where it is used. Errors  std::bad_alloc.
  explicit HashIndex(std::uint32_t most_ids, bool present = false)
      : homes_(2 * std::uint64_t{most_ids} + 1),
        pairs_(static_cast<std::size_t>(homes_ + most_ids + 1), present ? static_cast<std::size_t>(homes_) : 0) {}

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] Reader reader() const noexcept { return {pairs_.data(), homes_}; }

  template <class Same>
  [[nodiscard]] std::uint32_t find(std::uint32_t tag, std::uint32_t none, Same&& same) const noexcept {
    return reader().find(tag, none, same);
  }

  /// find(), or else adds `id`. Precondition: fewer ids than the table was made for.
  template <class Same>
  std::uint32_t find_or_insert(std::uint32_t tag, std::uint32_t id, std::uint32_t none, Same&& same) noexcept {
    for (Pair* place = home(tag);; ++place) {
      const Pair pair = *place;
      if (pair.id_plus_1 == 0) {
        *place = {tag, id + 1};
        ++size_;
        return none;
      }
      if (pair.tag == tag && same(pair.id_plus_1 - 1)) return pair.id_plus_1 - 1;
    }
  }

  /// Precondition: the pair is there.
  void erase(std::uint32_t tag, std::uint32_t id) noexcept {
    Pair* hole = home(tag);
    while (hole->id_plus_1 != id + 1) ++hole;
    for (Pair* place = hole + 1; place->id_plus_1 != 0; ++place) {
      if (home(place->tag) > hole) continue;
      *hole = *place;
      hole = place;
    }
    *hole = {0, 0};
    --size_;
  }

  /// The same ids in a table made for `most_ids`.
  /// Errors  std::bad_alloc, with this table as it was.
  void grow(std::uint32_t most_ids) {
    HashIndex larger(most_ids);
    std::uint32_t left = size_;
    for (const Pair* place = pairs_.data(); left != 0; ++place) {
      if (place->id_plus_1 == 0) continue;
      larger.find_or_insert(place->tag, place->id_plus_1 - 1, 0, [](std::uint32_t) { return false; });
      --left;
    }
    *this = std::move(larger);
  }

 private:
  [[nodiscard]] Pair* home(std::uint32_t tag) const noexcept { return pairs_.data() + ((tag * homes_) >> 32); }

  std::uint64_t homes_ = 0;
  std::uint32_t size_ = 0;
  ZeroedArray<Pair> pairs_;
};

}  // namespace kvbm
