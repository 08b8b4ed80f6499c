#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// Cuts pieces of whole pages out of one large region of any kind, such as bounce space. A piece is Memory like any
/// other; dropped, its pages join the free pages beside them.
///
/// Threads   any; pieces too.
/// Lifetime  pieces keep the region alive, and may outlive the arena.
/// Cost      allocate() looks at free runs of about the size asked for, at worst; giving back looks at the neighbours
///           and allocates nothing. 12 bytes a page, which take memory as pages are used.
class Arena {
 public:
  /// Bytes after the last whole page are left unused.
  /// Errors  std::invalid_argument if page_bytes is not a power of two, or the region holds no page or 2^32 of them.
  Arena(Memory region, std::size_t page_bytes);

  /// At least `bytes`, beginning with a page; its size is as asked for. Nothing if no free run of pages is long enough.
  /// Errors  std::invalid_argument for zero bytes, std::bad_alloc.
  [[nodiscard]] std::optional<Memory> allocate(std::size_t bytes);

  [[nodiscard]] std::size_t page_bytes() const noexcept;
  [[nodiscard]] std::size_t free_bytes() const noexcept;
  /// The most that one allocate() can have now.
  [[nodiscard]] std::size_t largest_free_bytes() const noexcept;

 private:
  struct State;
  struct Piece;

  std::shared_ptr<State> state_;
};

}  // namespace kvbm
