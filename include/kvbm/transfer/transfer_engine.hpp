#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/device/device.hpp"
#include "kvbm/transfer/completion.hpp"
#include "kvbm/transfer/pending_transfer.hpp"
#include "kvbm/transfer/transfer_request.hpp"

namespace kvbm {

struct TransferEngineOptions {
  std::uint32_t transfers_max = 256;  ///< under way and queued together; more: submit waits, try_submit fails
  std::uint32_t blocks_max = 4096;    ///< of one request; a larger one counts as several, under one Completion
  std::size_t bytes_in_flight_max = 32u << 20;  ///< per direction of the link; the rest waits where priorities count
  std::size_t staging_bytes = 64u << 20;  ///< of the device, half for each direction; as much again pinned if pageable
                                          ///< memory is moved; 0: nothing is staged
  std::uint32_t staging_slots = 4;        ///< of each ring
  bool calibrate = true;                  ///< measure once per device; else a built-in table
  std::uint32_t kernel_grid_max = 0;      ///< most thread blocks a kernel may use; 0: as many as pay
  /// Told of what is no error and may be none meant: the first transfer between two layouts of unknown order, which are
  /// taken to be equal. Once for an engine, on the thread that submits, with no lock held. It must not throw.
  std::function<void(std::string_view)> on_warning{};
};

class TransferCore;

/// Moves pages between layouts of one device and the host, and between that device and others of its kind (both GPUs,
/// or both emulated): by copy calls, in one order. Memory of a third device, or of the host for another device, is that
/// device's engine's affair.
///
/// Order    transfers are ordered by what their requests wait for, and otherwise not at all. OnDemand overtakes. One
///          that waits for others' work may hold up those of its direction and priority behind it.
/// Threads  any. Submitting never waits for the device, and allocates nothing once the first few have gone through.
///          The engine has a thread for each direction and priority, which blocks on the events of what is under way.
/// Errors   validation errors move no byte. A transfer that the device fails ends with DeviceFailed; a broken device
///          fails all outstanding and all later transfers, and nothing hangs.
/// Lifetime its end waits for all transfers. It does not end on a thread of its own, so not in a callback.
class TransferEngine {
 public:
  /// Errors  DeviceError; std::bad_alloc; std::system_error if there is no thread; std::invalid_argument naming the
  ///         option.
  explicit TransferEngine(std::shared_ptr<Device> device, TransferEngineOptions options = {});
  TransferEngine(TransferEngine&&) = delete;
  ~TransferEngine();

  /// Waits while transfers_max are under way; first come, first served. In callbacks of completions as try_submit.
  /// Errors  TransferError, with the keepalive still in `request`.
  [[nodiscard]] Result<Completion, TransferError> submit(TransferRequest&& request);
  /// As submit, but QueueFull instead of waiting.
  [[nodiscard]] Result<Completion, TransferError> try_submit(TransferRequest&& request);

  /// Refuses new transfers (Quiesced) and waits until none is under way and their callbacks have run; then memory that
  /// others lent may be unmapped. Not for callbacks.
  void quiesce();
  void resume();

  /// Transfers that were queued at that time or before and have not ended, by number. For warnings (see
  /// slow_transfer_watch.hpp) and debuggers; submitting takes no lock that this holds. Errors  std::bad_alloc.
  [[nodiscard]] std::vector<PendingTransfer> pending_since(PendingTransfer::Time latest) const;

  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept;

 private:
  std::shared_ptr<TransferCore> core_;  // shared with Completions
};

}  // namespace kvbm
