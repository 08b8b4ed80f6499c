#include "transfer/error_text.hpp"

namespace kvbm {

TransferError transfer_failed(const Slice& slice, const std::string& reason) {
  const TransferSlot& slot = *slice.slot;
  const TransferSlot& piece = slice.begin.piece != nullptr ? *slice.begin.piece : slot;
  const BlockPair first = piece.pairs[slice.begin.pair];
  const std::uint32_t layers_begin = slot.layerwise() ? slice.begin.layer : slot.plan.layers.begin;
  const std::uint32_t layers_end = slot.layerwise() ? slice.end.layer : slot.plan.layers.end;
  return {TransferError::Code::DeviceFailed,
          std::string(to_text(slot.plan.mechanism)) + " from " + name_of(slot.source->memory_kind()) + " to " +
              name_of(slot.target->memory_kind()) + ", " + std::to_string(slot.total_blocks) +
              " blocks, failed from block " + std::to_string(first.source) + " -> " + std::to_string(first.target) +
              " on, layers [" + std::to_string(layers_begin) + ", " + std::to_string(layers_end) + "): " + reason};
}

}  // namespace kvbm
