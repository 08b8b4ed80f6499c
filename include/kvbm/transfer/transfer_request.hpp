#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kvbm/base/types.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/transfer/axis_slice.hpp"
#include "kvbm/transfer/keepalive.hpp"

namespace kvbm {

/// How bytes are moved. Chosen from run length, count, direction and the device's calibration; a request may force one.
enum class Mechanism : std::uint8_t {
  HostCopy,        ///< between two kinds of host memory, by the CPU
  Copies,          ///< one copy call per run
  BatchedCopy,     ///< all runs in one call of the driver
  CopyKernel,      ///< 16-byte loads, several in flight
  BulkCopyKernel,  ///< compute capability 9.0 or later
  PermuteKernel,   ///< the orders of the two sides differ, or a part of cells moves; between two kinds of host memory
                   ///< the CPU runs it
  Staged,          ///< through a ring: gather, scatter or permute on the device, and whole spans over the link
};

/// As the enumerator is spelt.
[[nodiscard]] const char* to_text(Mechanism mechanism) noexcept;

/// An onboard that a request waits for overtakes write-behind.
enum class TransferPriority : std::uint8_t { WriteBehind, OnDemand };

/// What to move. Spans and layouts are read during submit() only; layouts are kept alive by the transfer.
struct TransferRequest {
  std::shared_ptr<const BlockLayout> source;
  std::shared_ptr<const BlockLayout> target;
  std::span<const BlockPair> blocks{};
  std::optional<LayerRange> layers{};           ///< absent: all
  std::span<const AxisSlice> slices{};          ///< none: whole pages. One for an axis; the extents of the two sides
                                                ///< may differ there, and layers are counted as the target's
  std::span<const StreamView> after_streams{};  ///< of the engine's device: all enqueued there so far comes first
  std::span<const EventView> after_events{};    ///< the last writer of the source, the last reader of the target;
                                                ///< also of the other side's device
  TransferPriority priority = TransferPriority::WriteBehind;
  bool layer_events = false;                 ///< Completion::wait_for_layer works
  std::optional<Mechanism> mechanism{};      ///< forced: used, or the request is Unsupported
  std::optional<InnerOrder> source_order{};  ///< takes the place of the declared order (fully contiguous only)
  std::optional<InnerOrder> target_order{};
  Keepalive keepalive{};  ///< guards of both sides
};

/// Why a transfer was refused, or how it failed.
struct TransferError {
  enum class Code : std::uint8_t {
    DuplicateTarget,
    BlockOutOfRange,
    SourceIsTarget,  ///< a block is source and target of one layout, or the two layouts overlap
    LayerRangeOutOfRange,
    InvalidSlice,   ///< empty, beyond an extent, of Block, of an axis that is sliced already or that a side does not
                    ///< have
    ShapeMismatch,  ///< layers, outer, cell bytes, element width or heads differ; or an axis that is not sliced
    NoKernel,       ///< no permutation between these orders
    Unsupported,    ///< no path between these kinds of memory, or the forced mechanism cannot do it
    QueueFull,
    Quiesced,
    DeviceFailed,  ///< the device reported an error for this transfer
    Precondition,  ///< an event to wait for failed
    Cancelled,     ///< by Completion::cancel, before all of it was enqueued
  };
  Code code;
  std::string text;  ///< names call, tier and block where there is one
};

}  // namespace kvbm
