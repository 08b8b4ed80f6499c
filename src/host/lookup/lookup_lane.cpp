#include "src/host/lookup/lookup_lane.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/token_hash.hpp"
#include "kvbm/base/assert.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm {
namespace {

constexpr std::size_t on_16(std::size_t bytes) noexcept { return (bytes + 15) / 16 * 16; }

}  // namespace

LookupLane::Places LookupLane::places_for(std::size_t requests, std::size_t blocks, std::size_t key_bytes,
                                          std::size_t salt_bytes) noexcept {
  Places places{};
  places.keys = on_16((requests + 1) * sizeof(std::uint32_t));
  places.salts = places.keys + on_16(blocks * key_bytes);
  places.epochs = places.salts + on_16(requests * salt_bytes);
  places.done = places.epochs + sizeof(kernels::TableEpochs);
  places.prefixes = places.done + 16;
  places.hints = places.prefixes + on_16(requests * sizeof(std::uint32_t));
  places.end = places.hints + blocks * sizeof(BlockHint);
  return places;
}

std::uint32_t LookupLane::token_blocks_max(std::uint32_t block_size) const noexcept {
  const std::size_t token_bytes = std::size_t{block_size} * sizeof(Token);
  const auto end = [&](std::uint32_t blocks) {
    return places_for(blocks, blocks, token_bytes, sizeof(std::uint64_t)).end;
  };
  std::uint32_t fit = 0, beyond = blocks_max_ + 1;  // end(fit) <= all < end(beyond), or beyond the most
  while (beyond - fit > 1) {
    const std::uint32_t middle = fit + (beyond - fit) / 2;
    (end(middle) <= memory_.bytes() ? fit : beyond) = middle;
  }
  return fit;
}

LookupLane::LookupLane(std::shared_ptr<Device> device, std::uint32_t blocks_max)
    : device_(std::move(device)),
      blocks_max_(blocks_max),
      requests_max_(blocks_max),
      stream_(device_, StreamPriority::High, "kvbm.lookup"),
      finished_(device_),
      hashed_(device_),
      memory_(allocate_pinned(device_, places_for(requests_max_, blocks_max_, kMostKeyBytes).end)),
      device_memory_(allocate_device(device_, memory_.bytes())),
      hashes_(allocate_device(device_, std::size_t{blocks_max_} * sizeof(SequenceHash))),
      counter_(allocate_device(device_, sizeof(std::uint32_t))) {
  under_way_ = true;
  try {
    device_->fill(counter_.address(), 0, sizeof(std::uint32_t), stream_.view());
    // Hints behind a prefix are never written, but come back with the others.
    device_->fill(device_memory_.address(), 0, device_memory_.bytes(), stream_.view());
    device_->synchronize(stream_.view());
  } catch (...) {
    abandon();  // before the memory goes
    throw;
  }
  under_way_ = false;
}

LookupPiece LookupLane::piece_at(std::span<const std::uint32_t> offsets, LookupPiece from,
                                 std::uint32_t blocks_most) const noexcept {
  const std::uint32_t requests_here = std::min(requests_max_, blocks_most);
  const std::uint32_t blocks_here = std::min(blocks_max_, blocks_most);
  const auto requests = static_cast<std::uint32_t>(offsets.size()) - 1;
  LookupPiece piece{from.request, from.start, 0, 0};
  std::uint32_t begin = offsets[from.request] + from.start;
  for (std::uint32_t request = from.request;
       request < requests && piece.requests < requests_here && piece.blocks < blocks_here; ++request) {
    piece.blocks += std::min(offsets[request + 1] - begin, blocks_here - piece.blocks);
    ++piece.requests;
    begin = offsets[request + 1];
  }
  return piece;
}

std::byte* LookupLane::open(std::span<const std::uint32_t> offsets, const LookupPiece& piece, bool small,
                            const Places& places) {
  KVBM_ASSERT(!under_way_, "a lane carries one piece at a time");
  KVBM_ASSERT(places.end <= memory_.bytes(), "a piece is larger than its lane");
  piece_ = piece;
  small_ = small;
  places_ = places;
  under_way_ = true;  // from here on: whatever throws, abandon() waits for what was enqueued
  write_offsets(offsets, piece);
  *pinned<kernels::TableEpochs>(places_.epochs) = {~std::uint64_t{0}, 0};
  std::fill_n(pinned<std::uint32_t>(places_.prefixes), piece.requests, ~0u);
  return small ? static_cast<std::byte*>(device_->device_address(memory_.address())) : device_memory_.address();
}

void LookupLane::upload(EventView ready) {
  device_->wait(stream_.view(), ready);
  if (!small_) device_->copy(device_memory_.address(), memory_.address(), places_.hints, stream_.view());
}

/// Each request's full blocks follow those of the one before.
void LookupLane::write_tokens(const TokenRequests& requests) noexcept {
  auto* const tokens = pinned<Token>(places_.keys);
  const auto* const begins = pinned<std::uint32_t>(0);
  const std::size_t block_size = requests.block_size;
  for (std::uint32_t i = 0; i < piece_.requests; ++i) {
    const std::uint32_t request = piece_.request + i;
    const std::size_t start = i == 0 ? piece_.start : 0;
    const auto from = requests.tokens.subspan(requests.offsets[request] + start * block_size,
                                              (begins[i + 1] - begins[i]) * block_size);
    std::ranges::copy(from, tokens + begins[i] * block_size);
    if (!requests.salts.empty()) pinned<std::uint64_t>(places_.salts)[i] = requests.salts[request];
  }
}

/// Behind the hashes of the piece before: its last one may be the parent of this one's first, and it may have read what
/// this lane had before.
void LookupLane::hash_tokens(std::byte* base, const TokenRequests& requests, const LookupLane& before) {
  device_->wait(stream_.view(), before.hashed_.view());
  const SequenceHash* parent = nullptr;
  if (piece_.start != 0) {
    parent = reinterpret_cast<const SequenceHash*>(before.hashes_.address()) + before.piece_.blocks - 1;
  }
  device_->launch(
      kernels::token_hash(
          {.tokens = reinterpret_cast<const std::uint32_t*>(base + places_.keys),
           .offsets = reinterpret_cast<const std::uint32_t*>(base),
           .requests = piece_.requests,
           .blocks = piece_.blocks,
           .block_size = requests.block_size,
           .salts = requests.salts.empty() ? nullptr : reinterpret_cast<const std::uint64_t*>(base + places_.salts),
           .hashes = reinterpret_cast<SequenceHash*>(hashes_.address()),
           .before = parent}),
      stream_.view());
  device_->record(hashed_.view(), stream_.view());
}

void LookupLane::write_offsets(std::span<const std::uint32_t> offsets, const LookupPiece& piece) noexcept {
  auto* const own = pinned<std::uint32_t>(0);
  const std::uint32_t first = offsets[piece.request] + piece.start;
  own[0] = 0;
  for (std::uint32_t i = 1; i < piece.requests; ++i) own[i] = offsets[piece.request + i] - first;
  own[piece.requests] = piece.blocks;
}

/// A word in pinned memory tells soonest. A device that fails writes none, so the event is asked now and then, and
/// throws.
void LookupLane::wait() {
  if (small_) {
    constexpr int kLooks = 256;
    for (int look = 0; look < kLooks || !device_->done(finished_.view()); ++look) {
      if (look == kLooks) look = 0;
      // acquire: the answers were written before the word
      if (std::atomic_ref(*pinned<std::uint64_t>(places_.done)).load(std::memory_order_acquire) == pieces_) return;
    }
  }
  device_->synchronize(finished_.view());
}

void LookupLane::finish(std::span<const std::uint32_t> offsets, PrefixAnswers& answers) {
  if (!under_way_) return;
  wait();
  under_way_ = false;
  const auto* const epochs = pinned<kernels::TableEpochs>(places_.epochs);
  answers.epoch_before = std::min(answers.epoch_before, epochs->before);
  answers.epoch_after = std::max(answers.epoch_after, epochs->after);
  const auto* const begins = pinned<std::uint32_t>(0);
  const auto* const prefixes = pinned<std::uint32_t>(places_.prefixes);
  const auto* const hints = pinned<BlockHint>(places_.hints);
  for (std::uint32_t i = 0; i < piece_.requests; ++i) {
    const std::uint32_t request = piece_.request + i;
    const std::uint32_t start = i == 0 ? piece_.start : 0;
    if (answers.prefixes[request] != start) continue;  // it ended in a piece before
    if (!count_only_) {
      std::copy_n(hints + begins[i], prefixes[i], answers.hints.begin() + offsets[request] + start);
    }
    answers.prefixes[request] += prefixes[i];
  }
}

void LookupLane::abandon() noexcept {
  if (!under_way_) return;
  under_way_ = false;
  try {
    device_->synchronize(stream_.view());
  } catch (const DeviceError&) {  // then it is over as well
  }
}

}  // namespace kvbm
