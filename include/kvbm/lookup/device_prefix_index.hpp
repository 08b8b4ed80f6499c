#pragma once

#include <memory>
#include <span>

#include "kvbm/device/device.hpp"
#include "kvbm/lookup/pinned_prefix_batch.hpp"
#include "kvbm/lookup/prefix_index.hpp"

namespace kvbm {

struct DevicePrefixIndexOptions {
  PrefixIndexOptions index{};
  /// Blocks that go to the device in one piece; longer batches are cut, and pieces overlap.
  std::uint32_t blocks_at_once = 1u << 16;
  /// Batches of so few blocks take one launch, without a copy: the kernel reads and writes pinned memory.
  std::uint32_t small_blocks = 4096;
};

/// A PrefixIndex whose table is copied to a device, which answers the look-ups.
///
/// Threads   one at a time.
/// Lifetime  as PrefixIndex. Look-ups are over when they return; nothing is under way between calls but the last
///           update's copies.
/// Errors    look_up, update: DeviceError. The index stays right: the next update() sends the whole table if need be.
/// Cost      a look-up allocates nothing but its answers' memory, where it hashes no tokens on the host.
class DevicePrefixIndex {
 public:
  /// Errors  as PrefixIndex; DeviceError; std::invalid_argument if blocks_at_once is 0 or below small_blocks.
  explicit DevicePrefixIndex(std::shared_ptr<Device> device, DevicePrefixIndexOptions options = {});
  ~DevicePrefixIndex();
  DevicePrefixIndex(DevicePrefixIndex&&) noexcept;
  DevicePrefixIndex& operator=(DevicePrefixIndex&&) noexcept;

  template <class Tier>
  void add_tier(const BlockManager<Tier>& manager) {
    host().add_tier(manager);
  }
  /// Takes up what changed, and enqueues its way to the device.
  PrefixIndex::Update update();

  /// As those of PrefixIndex, with the same answers.
  void look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes, PrefixAnswers& answers);
  void look_up(std::span<const std::uint32_t> offsets, std::span<const std::uint64_t> fingerprints,
               PrefixAnswers& answers);

  /// From tokens, which the device hashes and links: what comes back is answers. (Blocks too large for a lane's memory,
  /// and indices with short fingerprints, are hashed on the host.)
  void look_up(const TokenRequests& requests, PrefixAnswers& answers);
  /// As that of PrefixIndex.
  void count(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes, PrefixAnswers& answers);
  /// Answers the first `requests` requests of a batch in pinned memory, with the same answers. In no case is the host
  /// to copy a key or a hint; what crosses does so in pieces, both ways at once.
  /// Precondition: the index is not exact; the batch is of the same device, and its offsets rise from 0.
  void look_up(PinnedPrefixBatch& batch, std::uint32_t requests);

  /// The index on the host that this one is a copy of: fingerprints, guards, tiers, and look-ups without the device.
  [[nodiscard]] const PrefixIndex& host_index() const noexcept;

 private:
  class Impl;
  [[nodiscard]] PrefixIndex& host() noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace kvbm
