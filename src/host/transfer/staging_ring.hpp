#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/memory.hpp"
#include "transfer/transfer_plan.hpp"
#include "transfer/transfer_slot.hpp"

namespace kvbm {

/// A batch of blocks on its way through one slot of a ring.
struct StagedBatch {
  std::uint32_t layer;  ///< the first
  std::uint32_t layer_count;
  std::uint32_t first;  ///< pairs [first, last) of a piece
  std::uint32_t last;
};

/// Memory through which batches pass in two hops, as slots used in turn. A slot's `full` is recorded behind the hop
/// that fills it, `vacant` behind the hop that empties it.
///
/// Threads  one at a time.
class StagingRing {
 public:
  struct Slot {
    StagingSlot address;
    Event full;
    Event vacant;
  };

  /// `kernels` is the address of `memory` for kernels. Errors  DeviceError.
  StagingRing(const std::shared_ptr<Device>& device, Memory memory, std::byte* kernels, std::uint32_t slots)
      : memory_(std::move(memory)) {
    const std::size_t slot_bytes = memory_.bytes() / slots;
    slots_.reserve(slots);
    for (std::uint32_t i = 0; i < slots; ++i) {
      slots_.push_back({{memory_.address() + i * slot_bytes, kernels + i * slot_bytes}, Event(device), Event(device)});
    }
  }

  [[nodiscard]] Slot& next() noexcept {
    Slot& slot = slots_[turn_];
    turn_ = (turn_ + 1) % slots_.size();
    return slot;
  }
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

 private:
  Memory memory_;
  std::vector<Slot> slots_;
  std::size_t turn_ = 0;
};

/// Calls visit(batch) for all that pass pairs [first, last) of `part` through a ring. The pair at p has the place
/// p % batch.blocks in its slot, whatever the borders.
template <class Visit>
void for_each_batch(const TransferPlan& plan, LayerRange part, std::uint32_t first, std::uint32_t last,
                    const Visit& visit) {
  const std::uint32_t blocks = plan.batch.blocks;
  for (std::uint32_t layer = part.begin; layer < part.end; layer += plan.batch.layers) {
    const std::uint32_t layer_count = std::min(plan.batch.layers, part.end - layer);
    for (std::uint32_t begin = first; begin < last;) {
      const std::uint32_t end =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(last, (std::uint64_t{begin} / blocks + 1) * blocks));
      visit(StagedBatch{layer, layer_count, begin, end});
      begin = end;
    }
  }
}

}  // namespace kvbm
