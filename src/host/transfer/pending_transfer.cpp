#include "kvbm/transfer/pending_transfer.hpp"

#include <array>
#include <cstdio>

#include "transfer/strategy.hpp"

namespace kvbm {
namespace {

const char* reason_of(PendingTransfer::WaitsFor waits_for) noexcept {
  switch (waits_for) {
    case PendingTransfer::WaitsFor::Turn:
      return "waits for its turn";
    case PendingTransfer::WaitsFor::Precondition:
      return "waits for its precondition";
    case PendingTransfer::WaitsFor::Bytes:
      break;
  }
  return "is being moved";
}

}  // namespace

std::string to_text(const PendingTransfer& transfer, PendingTransfer::Time now) {
  std::array<char, 32> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%.1f", std::chrono::duration<double>(now - transfer.queued).count());
  return "transfer " + std::to_string(transfer.number) + " from " + name_of(transfer.source) + " to " +
         name_of(transfer.target) + " (" + to_text(transfer.mechanism) + ", " +
         (transfer.priority == TransferPriority::OnDemand ? "OnDemand" : "WriteBehind") + ", " +
         std::to_string(transfer.blocks) + (transfer.blocks == 1 ? " block, " : " blocks, ") +
         std::to_string(transfer.bytes) + " bytes) is pending for " + seconds.data() + " s and " +
         reason_of(transfer.waits_for);
}

}  // namespace kvbm
