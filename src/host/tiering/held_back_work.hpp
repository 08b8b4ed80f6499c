#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <vector>

#include "src/host/tiering/offload_work.hpp"

namespace kvbm {

/// Work whose blocks are not queued before its event has come, in the order in which it came.
///
/// Threads  one at a time: under the lock of its owner.
class HeldBackWork {
 public:
  struct Item {
    std::shared_ptr<OffloadWork> work;
    std::vector<OffloadDuty> duties;
  };
  using Items = std::list<Item>;

  [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
  /// Takes one item. Returns the oldest, as many as there are blocks beyond `blocks_max`, but not this one.
  [[nodiscard]] Items add(Items one, std::size_t blocks_max) noexcept;
  /// Null if the work is not held back, or no longer.
  [[nodiscard]] Item* find(const OffloadWork& work) noexcept;
  /// The item of that work, or none.
  [[nodiscard]] Items take(const OffloadWork& work) noexcept;
  /// Errors  std::bad_alloc.
  [[nodiscard]] std::vector<std::shared_ptr<OffloadWork>> works() const;

 private:
  [[nodiscard]] Items::iterator place_of(const OffloadWork& work) noexcept;

  Items items_;
  std::size_t blocks_ = 0;
};

}  // namespace kvbm
