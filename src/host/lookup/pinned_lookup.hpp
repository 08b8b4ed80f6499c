#pragma once

#include <array>
#include <memory>
#include <span>

#include "kernels/prefix_match.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// A whole look-up from pinned memory and back: pieces of whole requests take turns on a few streams, so that the keys
/// of one, the kernel of another and the answers of a third are on their way together.
///
/// Shape    epochs and done, offsets, keys, prefixes, hints, each at a multiple of 256 bytes; the same on the device.
/// Threads  one at a time.
class PinnedLookup {
 public:
  using Slot = kernels::FingerprintSlot;

  /// Errors  DeviceError; std::bad_alloc; std::invalid_argument.
  PinnedLookup(std::shared_ptr<Device> device, std::uint32_t requests_max, std::uint32_t blocks_max);
  ~PinnedLookup();
  PinnedLookup(const PinnedLookup&) = delete;
  PinnedLookup& operator=(const PinnedLookup&) = delete;

  [[nodiscard]] std::span<std::uint32_t> offsets() const noexcept {
    return {pinned<std::uint32_t>(places_.offsets), std::size_t{requests_max_} + 1};
  }
  [[nodiscard]] std::span<std::uint64_t> keys() const noexcept {
    return {pinned<std::uint64_t>(places_.keys), blocks_max_};
  }
  [[nodiscard]] std::span<std::uint32_t> prefixes() const noexcept {
    return {pinned<std::uint32_t>(places_.prefixes), requests_max_};
  }
  [[nodiscard]] std::span<BlockHint> hints() const noexcept { return {pinned<BlockHint>(places_.hints), blocks_max_}; }
  [[nodiscard]] kernels::TableEpochs epochs() const noexcept { return *pinned<kernels::TableEpochs>(0); }

  /// Answers the first `requests` requests, and returns when the answers are there. Up to `small_blocks` blocks take
  /// one launch and no copy. Precondition: offsets rise from 0 and end within the keys. Errors  DeviceError; nothing is
  /// under way then, and the answers mean nothing.
  void run(const kernels::PrefixTableView<Slot>& table, EventView ready, std::uint32_t requests,
           std::uint32_t small_blocks);

 private:
  using Batch = kernels::PrefixMatchBatch<Slot, std::uint64_t>;
  static constexpr std::size_t kLanes = 3;
  /// 1 MB of keys: at 55 GB/s some 20 us, in which a few calls are made. A batch of four pieces is through in 5/4 of
  /// the time that its keys take.
  static constexpr std::uint32_t kPieceBlocks = 1u << 17;
  struct Places {  // in bytes
    std::size_t done, offsets, keys, prefixes, hints, end;
  };
  struct Lane {
    explicit Lane(const std::shared_ptr<Device>& device)
        : stream(device, StreamPriority::High, "kvbm.lookup"), reached(device) {}
    Stream stream;
    Event reached;
  };

  [[nodiscard]] static Places places_for(std::size_t requests, std::size_t blocks) noexcept;
  template <class T>
  [[nodiscard]] T* pinned(std::size_t place) const noexcept {
    return reinterpret_cast<T*>(memory_.address() + place);
  }
  /// All of the batch, in memory that begins at `base` for the device.
  [[nodiscard]] Batch batch_in(std::byte* base, const kernels::PrefixTableView<Slot>& table) const noexcept;
  void check(std::uint32_t requests) const;
  void run_small(const kernels::PrefixTableView<Slot>& table, EventView ready, std::uint32_t requests);
  void run_in_pieces(const kernels::PrefixTableView<Slot>& table, EventView ready, std::uint32_t requests);
  void send_piece(Batch batch, std::uint32_t first, std::uint32_t requests, StreamView stream);
  void copy(std::size_t place, std::size_t bytes, bool to_device, StreamView stream);
  void wait_for(EventView event, bool for_word);
  void abandon() noexcept;

  std::shared_ptr<Device> device_;
  std::uint32_t requests_max_;
  std::uint32_t blocks_max_;
  Places places_;
  Memory memory_;  // pinned
  Memory device_memory_;
  Memory counter_;  // on the device: thread blocks that are through
  std::array<Lane, kLanes> lanes_;
  std::uint64_t runs_ = 0;
};

}  // namespace kvbm
