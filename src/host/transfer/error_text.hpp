#pragma once

#include <exception>
#include <optional>
#include <string>

#include "kvbm/device/device.hpp"
#include "transfer/transfer_slot.hpp"

namespace kvbm {

/// "CopyKernel from Device to Pinned, 7 blocks".
[[nodiscard]] std::string transfer_text(Mechanism mechanism, MemoryKind source, MemoryKind target, std::size_t blocks);
/// ", from block 3 -> 9 on".
[[nodiscard]] std::string from_block_text(BlockPair pair);

/// What it says, or that there was no memory to say it.
[[nodiscard]] std::string text_of(const std::exception& error) noexcept;

/// DeviceFailed, naming mechanism, kinds of memory, blocks and layers, and what the device said; only the reason's kind
/// if there is no memory for more.
[[nodiscard]] TransferError transfer_failed(const Slice& slice, const char* reason) noexcept;

/// How a transfer ends that was given up. Errors  std::bad_alloc.
[[nodiscard]] TransferError cancelled_error();

/// Runs `synchronize` until the device takes the call. Returns why the device is broken, if it is: then it writes no
/// more either. A device that refuses this often without a reason counts as broken.
template <class Synchronize>
[[nodiscard]] std::optional<std::string> synchronize_or_break(const Synchronize& synchronize) {
  constexpr int kTries = 16;
  for (int tried = 1;; ++tried) {
    try {
      synchronize();
      return std::nullopt;
    } catch (const DeviceError& error) {
      if (error.kind() == DeviceError::Kind::Broken || tried == kTries) return text_of(error);
    }
  }
}

}  // namespace kvbm
