#pragma once

#include <memory>

#include "src/host/pools/backends/lineage_backend.hpp"
#include "src/host/pools/backends/list_backend.hpp"

namespace kvbm {

/// The store's eviction backend. Calls to kvbm's usual ones are not virtual, and those to lists in line: a virtual call
/// with a span of one block costs three times what linking that block does.
class IdleOrder {
 public:
  explicit IdleOrder(std::unique_ptr<EvictionBackend> backend) noexcept
      : backend_(std::move(backend)),
        list_(dynamic_cast<ListBackend*>(backend_.get())),
        lineage_(dynamic_cast<LineageBackend<TickOrder>*>(backend_.get())) {}

  [[nodiscard]] EvictionBackend* operator->() const noexcept { return backend_.get(); }

  void insert(BlockId block) noexcept {
    if (list_ != nullptr) return list_->insert_one(block);
    if (lineage_ != nullptr) return lineage_->insert_one(block);
    backend_->insert({&block, 1});
  }
  void erase(BlockId block) noexcept {
    if (list_ != nullptr) return list_->erase_one(block);
    if (lineage_ != nullptr) return lineage_->erase_one(block);
    backend_->erase({&block, 1});
  }

 private:
  const std::unique_ptr<EvictionBackend> backend_;
  ListBackend* const list_;
  LineageBackend<TickOrder>* const lineage_;
};

}  // namespace kvbm
