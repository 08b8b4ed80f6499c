#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kvbm/base/block_hint.hpp"
#include "kvbm/device/device.hpp"

namespace kvbm {

class PinnedLookup;

/// Questions and answers of one look-up at a time in pinned memory, which the device reads and writes itself: no byte
/// is copied by the host. For callers that make their fingerprints in place, and use the answers where they are.
///
/// Made by   its constructor; asked with DevicePrefixIndex::look_up(batch, requests).
/// Shape     offsets [requests_max + 1], from 0 and rising; fingerprints and hints [blocks_max]; prefixes
///           [requests_max]. Only the first of each count in a look-up.
/// Threads   one at a time.
/// Lifetime  keeps the device alive.
class PinnedPrefixBatch {
 public:
  /// Errors  DeviceError; std::bad_alloc; std::invalid_argument if there is room for no request or no block.
  PinnedPrefixBatch(std::shared_ptr<Device> device, std::uint32_t requests_max, std::uint32_t blocks_max);
  ~PinnedPrefixBatch();
  PinnedPrefixBatch(PinnedPrefixBatch&&) noexcept;
  PinnedPrefixBatch& operator=(PinnedPrefixBatch&&) noexcept;

  /// To be filled before a look-up. Fingerprints are those of PrefixIndex::fingerprint().
  [[nodiscard]] std::span<std::uint32_t> offsets() noexcept;
  [[nodiscard]] std::span<std::uint64_t> fingerprints() noexcept;

  /// What the last look-up answered, in the terms of PrefixAnswers; hints behind a request's prefix mean nothing.
  [[nodiscard]] std::span<const std::uint32_t> prefixes() const noexcept;
  [[nodiscard]] std::span<const BlockHint> hints() const noexcept;
  [[nodiscard]] std::uint64_t epoch_before() const noexcept;
  [[nodiscard]] std::uint64_t epoch_after() const noexcept;

 private:
  friend class DevicePrefixIndex;
  std::unique_ptr<PinnedLookup> lookup_;
};

}  // namespace kvbm
