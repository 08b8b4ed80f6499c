#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kvbm/base/result.hpp"
#include "kvbm/device/device.hpp"
#include "kvbm/transfer/completion.hpp"
#include "kvbm/transfer/transfer_request.hpp"

namespace kvbm {

struct TransferEngineOptions {
  std::uint32_t transfers_max = 256;            ///< under way and queued together; more: submit waits, try_submit fails
  std::uint32_t blocks_max = 4096;              ///< of one request; a larger one is moved in pieces, one Completion
  std::size_t bytes_in_flight_max = 32u << 20;  ///< per direction; the rest waits where priorities count
  std::size_t staging_bytes = 64u << 20;        ///< pinned and device, for Mechanism::Staged
  std::uint32_t staging_slots = 4;
  bool calibrate = true;  ///< measure once per device; else a built-in table
};

/// Moves pages between layouts of one device and the host.
///
/// Order    transfers are ordered by what their requests wait for, and otherwise not at all. OnDemand overtakes.
/// Threads  any. Submitting never waits for the device, and allocates nothing.
/// Errors   validation errors move no byte. A transfer that the device fails ends with DeviceFailed; a broken device
///          fails all outstanding and all later transfers, and nothing hangs.
/// Lifetime its end waits for all transfers.
class TransferEngine {
 public:
  /// Errors  DeviceError; std::bad_alloc; std::invalid_argument naming the option.
  explicit TransferEngine(std::shared_ptr<Device> device, TransferEngineOptions options = {});
  TransferEngine(TransferEngine&&) = delete;
  ~TransferEngine();

  /// Waits while transfers_max are under way. Not for callbacks of completions: they use try_submit.
  /// Errors  TransferError, with the keepalive still in `request`.
  [[nodiscard]] Result<Completion, TransferError> submit(TransferRequest&& request);
  /// As submit, but QueueFull instead of waiting.
  [[nodiscard]] Result<Completion, TransferError> try_submit(TransferRequest&& request);

  /// Refuses new transfers (Quiesced) and waits until none is under way; then memory that others lent may be unmapped.
  void quiesce();
  void resume();

  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvbm
