#pragma once

#include <algorithm>
#include <memory>
#include <span>

#include "kernels/prefix_match.hpp"
#include "kvbm/base/assert.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/lookup/prefix_index.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// A piece of a look-up: blocks from block `start` of request `request` on, through as many requests as fit.
struct LookupPiece {
  std::uint32_t request = 0;
  std::uint32_t start = 0;
  std::uint32_t requests = 0;  // of which the first and the last may be parts
  std::uint32_t blocks = 0;

  /// Where the piece behind this one begins; behind the last request if there is none.
  [[nodiscard]] LookupPiece next(std::span<const std::uint32_t> offsets) const noexcept {
    const std::uint32_t last = request + requests - 1;
    const std::uint32_t reached = offsets[request] + start + blocks;
    if (reached == offsets[last + 1]) return {last + 1, 0, 0, 0};
    return {last, reached - offsets[last], 0, 0};
  }
};

/// One piece at a time on its way to the device and back: a stream, and memory for questions and answers on both sides.
///
/// Shape    offsets [requests + 1], keys or tokens [blocks], salts [requests], epochs, done, prefixes [requests], hints
/// [blocks], each at a multiple
///          of 16 bytes. All but the hints go to the device, what stands from the epochs on comes back.
/// Threads  one at a time.
class LookupLane {
 public:
  /// Errors  DeviceError, std::bad_alloc.
  LookupLane(std::shared_ptr<Device> device, std::uint32_t blocks_max);

  /// As much of a batch as goes into one piece, from where `from` begins: `blocks_most` blocks and requests at most.
  [[nodiscard]] LookupPiece piece_at(std::span<const std::uint32_t> offsets, LookupPiece from,
                                     std::uint32_t blocks_most = ~0u) const noexcept;
  /// How many blocks of so many tokens go into a piece, in as many requests.
  [[nodiscard]] std::uint32_t token_blocks_max(std::uint32_t block_size) const noexcept;

  /// Whether pieces begun from now on are to be counted only: no hints then.
  void count_only(bool value) noexcept { count_only_ = value; }
  /// Enqueues a piece behind `ready`. `key(i)` is the key of the batch's i-th block. `small`: without copies.
  /// Precondition: no piece is under way.
  template <class Slot, class KeyAt>
  void begin(const kernels::PrefixTableView<Slot>& table, EventView ready, std::span<const std::uint32_t> offsets,
             const LookupPiece& piece, bool small, KeyAt&& key_at);
  /// The same from tokens, which the device hashes. `offsets` are in blocks. `before` carried the piece before this
  /// one, where a request may have begun. Precondition: the piece is of token_blocks_max() at most.
  template <class Slot>
  void begin(const kernels::PrefixTableView<Slot>& table, EventView ready, std::span<const std::uint32_t> offsets,
             const LookupPiece& piece, bool small, const TokenRequests& requests, const LookupLane& before);
  /// Waits for the piece that is under way, if any, and adds it to the answers.
  void finish(std::span<const std::uint32_t> offsets, PrefixAnswers& answers);
  /// Waits for what is under way and forgets it.
  void abandon() noexcept;

 private:
  struct Places {  // in bytes
    std::size_t keys, salts, epochs, done, prefixes, hints, end;
  };
  static constexpr std::size_t kMostKeyBytes = sizeof(SequenceHash);
  [[nodiscard]] static Places places_for(std::size_t requests, std::size_t blocks, std::size_t key_bytes,
                                         std::size_t salt_bytes = 0) noexcept;
  template <class T>
  [[nodiscard]] T* pinned(std::size_t place) const noexcept {
    return reinterpret_cast<T*>(memory_.address() + place);
  }
  /// What all pieces have in common: everything but the keys is written. Returns where the piece lies for the device.
  std::byte* open(std::span<const std::uint32_t> offsets, const LookupPiece& piece, bool small, const Places& places);
  /// Enqueues the way there, for what stands before the hints.
  void upload(EventView ready);
  void write_offsets(std::span<const std::uint32_t> offsets, const LookupPiece& piece) noexcept;
  void write_tokens(const TokenRequests& requests) noexcept;
  void hash_tokens(std::byte* base, const TokenRequests& requests, const LookupLane& before);
  /// Enqueues the look-up of keys that the device reaches, and the way back.
  template <class Slot, class Input>
  void match(const kernels::PrefixTableView<Slot>& table, const Input* keys, std::byte* base);
  void wait();

  std::shared_ptr<Device> device_;
  std::uint32_t blocks_max_;
  std::uint32_t requests_max_;
  Stream stream_;
  Event finished_;
  Event hashed_;
  Memory memory_;  // pinned
  Memory device_memory_;
  Memory hashes_;   // on the device: of the tokens' blocks
  Memory counter_;  // on the device: thread blocks that are through
  LookupPiece piece_;
  Places places_{};
  bool under_way_ = false;
  bool small_ = false;
  bool count_only_ = false;
  std::uint64_t pieces_ = 0;
};

template <class Slot, class KeyAt>
void LookupLane::begin(const kernels::PrefixTableView<Slot>& table, EventView ready,
                       std::span<const std::uint32_t> offsets, const LookupPiece& piece, bool small, KeyAt&& key_at) {
  using Key = typename Slot::Key;
  std::byte* const base = open(offsets, piece, small, places_for(piece.requests, piece.blocks, sizeof(Key)));
  const std::uint32_t first = offsets[piece.request] + piece.start;
  for (std::uint32_t i = 0; i < piece.blocks; ++i) pinned<Key>(places_.keys)[i] = key_at(first + i);
  upload(ready);
  match(table, reinterpret_cast<const Key*>(base + places_.keys), base);
}

template <class Slot>
void LookupLane::begin(const kernels::PrefixTableView<Slot>& table, EventView ready,
                       std::span<const std::uint32_t> offsets, const LookupPiece& piece, bool small,
                       const TokenRequests& requests, const LookupLane& before) {
  std::byte* const base =
      open(offsets, piece, small,
           places_for(piece.requests, piece.blocks, std::size_t{requests.block_size} * sizeof(Token),
                      requests.salts.empty() ? 0 : sizeof(std::uint64_t)));
  write_tokens(requests);
  upload(ready);
  hash_tokens(base, requests, before);
  match(table, reinterpret_cast<const SequenceHash*>(hashes_.address()), base);
}

template <class Slot, class Input>
void LookupLane::match(const kernels::PrefixTableView<Slot>& table, const Input* keys, std::byte* base) {
  std::uint32_t blocks_max = 0;
  for (std::uint32_t i = 0; i < piece_.requests; ++i) {
    blocks_max = std::max(blocks_max, pinned<std::uint32_t>(0)[i + 1] - pinned<std::uint32_t>(0)[i]);
  }
  const kernels::PrefixMatchBatch<Slot, Input> batch{
      .table = table,
      .keys = keys,
      .offsets = reinterpret_cast<const std::uint32_t*>(base),
      .requests = piece_.requests,
      .blocks_max = blocks_max,
      .hints = reinterpret_cast<BlockHint*>(base + places_.hints),
      .prefixes = reinterpret_cast<std::uint32_t*>(base + places_.prefixes),
      .epochs = reinterpret_cast<kernels::TableEpochs*>(base + places_.epochs),
      .done = small_ ? reinterpret_cast<std::uint64_t*>(base + places_.done) : nullptr,
      .done_value = ++pieces_,
      .blocks_left = reinterpret_cast<std::uint32_t*>(counter_.address()),
      .blocks = piece_.blocks,
      .count_only = count_only_};
  device_->launch(kernels::prefix_match(batch), stream_.view());
  if (!small_) {
    const std::size_t end = count_only_ ? places_.hints : places_.end;
    device_->copy(memory_.address() + places_.epochs, base + places_.epochs, end - places_.epochs, stream_.view());
  }
  device_->record(finished_.view(), stream_.view());
}

}  // namespace kvbm
