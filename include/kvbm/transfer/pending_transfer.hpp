#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvbm/memory/region.hpp"
#include "kvbm/transfer/completion.hpp"
#include "kvbm/transfer/transfer_request.hpp"

namespace kvbm {

/// A transfer that has not ended, as it was when somebody asked.
///
/// Made by  TransferEngine::pending_since.
struct PendingTransfer {
  using Time = TransferOutcome::Time;

  enum class WaitsFor : std::uint8_t {
    Turn,          ///< nothing of it is enqueued: others go first
    Precondition,  ///< what its request names has not come about
    Bytes,         ///< it is being moved, or is behind others on the same stream
  };

  std::uint64_t number = 0;  ///< among those of its engine, from 1; of no other transfer
  MemoryKind source{};
  MemoryKind target{};
  TransferPriority priority{};
  Mechanism mechanism{};
  std::uint32_t blocks = 0;
  std::uint64_t bytes = 0;
  Time queued{};
  std::optional<Time> submitted{};  ///< when the first of it was enqueued, if any is
  WaitsFor waits_for{};

  friend bool operator==(const PendingTransfer&, const PendingTransfer&) = default;
};

/// One line for a log: "transfer 17 from Device to Pinned (CopyKernel, WriteBehind, 7 blocks, 1792 bytes) is pending
/// for 60.0 s and waits for its precondition".
[[nodiscard]] std::string to_text(const PendingTransfer& transfer, PendingTransfer::Time now);

}  // namespace kvbm
