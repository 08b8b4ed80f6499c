#pragma once

#include <cstdint>

#include "kernels/prefix_table.hpp"
#include "kvbm/device/kernel_call.hpp"

namespace kvbm::kernels {

/// What a lookup says about the table it read. If both are equal, every answer is of the table as it was after just
/// that batch of changes; else changes came in between, and some answers may be older or newer than others.
struct TableEpochs {
  std::uint64_t before;  // finished when the first reader began; set to all ones before
  std::uint64_t after;   // begun when the last reader was through; set to 0 before
};

/// A batch of requests, and where the answers go.
///
/// Shape  offsets [requests + 1], rising; keys [offsets[requests]]; hints as keys; prefixes [requests].
/// All    accessible to whoever runs it, untouched by others meanwhile. `Input` is the slots' key, or SequenceHash.
template <class SlotType, class InputType>
struct PrefixMatchBatch {
  using Slot = SlotType;
  using Input = InputType;

  PrefixTableView<Slot> table;
  const Input* keys;
  const std::uint32_t* offsets;
  std::uint32_t requests;
  std::uint32_t blocks_max;  // of any one request, or more

  BlockHint* hints;         // of the blocks inside each prefix; what stands behind means nothing
  std::uint32_t* prefixes;  // how many blocks from the start have hints; set to all ones before
  TableEpochs* epochs;      // null: not wanted
  /// Null, or a word that becomes `done_value` when all answers are there, for a host that polls pinned memory.
  std::uint64_t* done;
  std::uint64_t done_value;
  std::uint32_t* blocks_left;  // with `done`: a count of thread blocks, 0 before and after

  std::uint32_t blocks = 0;  // offsets[requests], by which work is cut into even shares; 0: not known
  /// Only prefixes are wanted, `hints` may be null: found by a search while the table's header lets it.
  bool count_only = false;
};

/// One look-up of a whole batch in one launch. No requests launch nothing, and leave `done` alone.
template <class Slot, class Input>
[[nodiscard]] KernelCall prefix_match(const PrefixMatchBatch<Slot, Input>& batch) noexcept;

}  // namespace kvbm::kernels
