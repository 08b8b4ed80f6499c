#pragma once

#include <optional>

#include "kvbm/pools/eviction_backend.hpp"
#include "src/host/pools/backends/block_list.hpp"

namespace kvbm {

/// FifoEviction and LruEviction: blocks go in the order in which they became idle. A block in use is in no order, so
/// first in and least recently used are the same thing here.
class ListBackend final : public EvictionBackend {
 public:
  void reserve(const SlotView& slots) override { slots_.emplace(slots); }
  void insert(std::span<const BlockId> blocks) noexcept override;
  void erase(std::span<const BlockId> blocks) noexcept override;
  [[nodiscard]] std::size_t evict(std::span<BlockId> victims) noexcept override;
  [[nodiscard]] std::size_t size() const noexcept override { return size_; }

 private:
  std::optional<SlotView> slots_;
  BlockList list_;
  std::size_t size_ = 0;
};

}  // namespace kvbm
