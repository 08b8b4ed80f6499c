#pragma once

#include <span>

#include "src/host/lookup/prefix_planner.hpp"

namespace kvbm {

/// A copy of an index's table somewhere else.
class TableMirror {
 public:
  virtual ~TableMirror() = default;
  /// Room for just so many changed words, which apply() need not copy from there; none if there is not so much.
  [[nodiscard]] virtual ChangeRoom room(std::size_t words) noexcept = 0;
  /// Brings the copy up to date with a batch; `whole` is the table after it. Errors  what the copy's place throws; the
  /// copy makes up for it the next time.
  virtual void apply(const TableChanges& changes, std::span<const kernels::TableWord> whole) = 0;
};

}  // namespace kvbm
