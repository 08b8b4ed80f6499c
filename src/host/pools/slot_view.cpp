#include "kvbm/pools/slot_view.hpp"

#include "src/host/pools/slot_table.hpp"

namespace kvbm {

BlockId SlotView::find(std::uint64_t position, std::uint64_t fragment) const noexcept {
  return table_->find_key(position, fragment);
}

BlockId SlotView::find_parent(const SequenceHash& child) const noexcept { return table_->find_parent(child); }

}  // namespace kvbm
