#include "transfer/error_text.hpp"

#include <new>

namespace kvbm {

std::string transfer_text(Mechanism mechanism, MemoryKind source, MemoryKind target, std::size_t blocks) {
  return std::string(to_text(mechanism)) + " from " + name_of(source) + " to " + name_of(target) + ", " +
         std::to_string(blocks) + (blocks == 1 ? " block" : " blocks");
}

std::string from_block_text(BlockPair pair) {
  return ", from block " + std::to_string(pair.source) + " -> " + std::to_string(pair.target) + " on";
}

std::string text_of(const std::exception& error) noexcept {
  try {
    return error.what();
  } catch (const std::bad_alloc&) {
    return "out of memory";  // short enough to need none
  }
}

TransferError transfer_failed(const Slice& slice, const char* reason) noexcept {
  const TransferSlot& slot = *slice.slot;
  const TransferSlot& piece = slice.begin.piece != nullptr ? *slice.begin.piece : slot;
  const std::uint32_t layers_begin = slot.layerwise() ? slice.begin.layer : slot.plan.layers.begin;
  const std::uint32_t layers_end = slot.layerwise() ? slice.end.layer : slot.plan.layers.end;
  try {
    return {
        TransferError::Code::DeviceFailed,
        transfer_text(slot.plan.mechanism, slot.source->memory_kind(), slot.target->memory_kind(), slot.total_blocks) +
            from_block_text(piece.pairs[slice.begin.pair]) + ", layers [" + std::to_string(layers_begin) + ", " +
            std::to_string(layers_end) + "): " + reason};
  } catch (const std::bad_alloc&) {
    return {TransferError::Code::DeviceFailed, "out of memory"};
  }
}

TransferError cancelled_error() { return {TransferError::Code::Cancelled, "cancelled before all of it was enqueued"}; }

}  // namespace kvbm
