#include "src/host/lookup/lookup_lane.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kvbm/base/assert.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm {
namespace {

constexpr std::size_t on_16(std::size_t bytes) noexcept { return (bytes + 15) / 16 * 16; }

}  // namespace

LookupLane::Places LookupLane::places_for(std::uint32_t requests, std::uint32_t blocks,
                                          std::size_t key_bytes) noexcept {
  Places places{};
  places.keys = on_16((std::size_t{requests} + 1) * sizeof(std::uint32_t));
  places.epochs = places.keys + on_16(blocks * key_bytes);
  places.done = places.epochs + sizeof(kernels::TableEpochs);
  places.prefixes = places.done + 16;
  places.hints = places.prefixes + on_16(requests * sizeof(std::uint32_t));
  places.end = places.hints + blocks * sizeof(BlockHint);
  return places;
}

LookupLane::LookupLane(std::shared_ptr<Device> device, std::uint32_t blocks_max)
    : device_(std::move(device)),
      blocks_max_(blocks_max),
      requests_max_(blocks_max),
      stream_(device_, StreamPriority::High, "kvbm.lookup"),
      finished_(device_),
      memory_(allocate_pinned(device_, places_for(requests_max_, blocks_max_, kMostKeyBytes).end)),
      device_memory_(allocate_device(device_, memory_.bytes())),
      counter_(allocate_device(device_, sizeof(std::uint32_t))) {
  device_->fill(counter_.address(), 0, sizeof(std::uint32_t), stream_.view());
  device_->synchronize(stream_.view());
}

LookupPiece LookupLane::piece_at(std::span<const std::uint32_t> offsets, LookupPiece from) const noexcept {
  const auto requests = static_cast<std::uint32_t>(offsets.size()) - 1;
  LookupPiece piece{from.request, from.start, 0, 0};
  std::uint32_t begin = offsets[from.request] + from.start;
  for (std::uint32_t request = from.request;
       request < requests && piece.requests < requests_max_ && piece.blocks < blocks_max_; ++request) {
    piece.blocks += std::min(offsets[request + 1] - begin, blocks_max_ - piece.blocks);
    ++piece.requests;
    begin = offsets[request + 1];
  }
  return piece;
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
    std::copy_n(hints + begins[i], prefixes[i], answers.hints.begin() + offsets[request] + start);
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
