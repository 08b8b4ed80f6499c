#pragma once

#include <cstdint>
#include <vector>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

/// Counts the blocks whose parent is not there. While there are none, whoever finds a block finds all blocks before it.
///
/// A parent is known by its position and the 38 bits of its hash that every child keeps: where two hashes of one
/// position agree in them, once in 10^11 pairs, a hole may be overlooked.
///
/// Threads  one at a time.
/// Cost     add, remove: amortised O(1), two cache lines. 21 to 43 bytes a hash.
class LineageHoles {
 public:
  /// One more block of this hash, in whichever tier. Errors  std::bad_alloc, with nothing changed.
  void add(const SequenceHash& hash);
  /// Precondition: added more often than removed.
  void remove(const SequenceHash& hash) noexcept;
  [[nodiscard]] std::uint64_t holes() const noexcept { return holes_; }

 private:
  /// One lineage: how many blocks it has, and how many blocks have it as their parent. None of either: empty.
  struct Line {
    std::uint64_t name = 0;
    std::uint32_t blocks = 0;
    std::uint32_t children = 0;

    [[nodiscard]] bool empty() const noexcept { return blocks == 0 && children == 0; }
  };

  [[nodiscard]] std::size_t home(std::uint64_t name) const noexcept;
  [[nodiscard]] Line& line(std::uint64_t name) noexcept;
  void settle(Line& line) noexcept;
  void make_room();

  std::vector<Line> lines_;  // open addressing, at most 3/4 full
  std::size_t used_ = 0;
  std::uint64_t holes_ = 0;
};

}  // namespace kvbm
