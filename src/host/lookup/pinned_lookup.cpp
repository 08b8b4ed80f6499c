#include "src/host/lookup/pinned_lookup.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "kvbm/base/assert.hpp"
#include "kvbm/lookup/pinned_prefix_batch.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm {
namespace {

constexpr std::size_t aligned(std::size_t bytes) noexcept { return (bytes + 255) / 256 * 256; }

std::uint32_t longest(std::span<const std::uint32_t> offsets) noexcept {
  std::uint32_t blocks = 0;
  for (std::size_t i = 1; i < offsets.size(); ++i) blocks = std::max(blocks, offsets[i] - offsets[i - 1]);
  return blocks;
}

}  // namespace

PinnedLookup::Places PinnedLookup::places_for(std::size_t requests, std::size_t blocks) noexcept {
  Places places{};
  places.done = sizeof(kernels::TableEpochs);
  places.offsets = 256;
  places.keys = places.offsets + aligned((requests + 1) * sizeof(std::uint32_t));
  places.prefixes = places.keys + aligned(blocks * sizeof(std::uint64_t));
  places.hints = places.prefixes + aligned(requests * sizeof(std::uint32_t));
  places.end = places.hints + blocks * sizeof(BlockHint);
  return places;
}

PinnedLookup::PinnedLookup(std::shared_ptr<Device> device, std::uint32_t requests_max, std::uint32_t blocks_max)
    : device_(std::move(device)),
      requests_max_(requests_max),
      blocks_max_(blocks_max),
      places_(places_for(requests_max, blocks_max)),
      memory_(allocate_pinned(device_, places_.end)),
      device_memory_(allocate_device(device_, places_.end)),
      counter_(allocate_device(device_, sizeof(std::uint32_t))),
      lanes_{Lane(device_), Lane(device_), Lane(device_)} {
  if (requests_max == 0 || blocks_max == 0) throw std::invalid_argument("a batch with room for no request or no block");
  offsets()[0] = 0;
  try {
    device_->fill(counter_.address(), 0, sizeof(std::uint32_t), lanes_[0].stream.view());
    // Hints behind a prefix are never written, but come back with the others.
    device_->fill(device_memory_.address(), 0, device_memory_.bytes(), lanes_[0].stream.view());
    device_->synchronize(lanes_[0].stream.view());
  } catch (...) {
    abandon();  // before the memory goes
    throw;
  }
}

PinnedLookup::~PinnedLookup() { abandon(); }

PinnedLookup::Batch PinnedLookup::batch_in(std::byte* base,
                                           const kernels::PrefixTableView<Slot>& table) const noexcept {
  return {.table = table,
          .keys = reinterpret_cast<const std::uint64_t*>(base + places_.keys),
          .offsets = reinterpret_cast<const std::uint32_t*>(base + places_.offsets),
          .requests = 0,
          .blocks_max = 0,
          .hints = reinterpret_cast<BlockHint*>(base + places_.hints),
          .prefixes = reinterpret_cast<std::uint32_t*>(base + places_.prefixes),
          .epochs = reinterpret_cast<kernels::TableEpochs*>(base),
          .done = nullptr,
          .done_value = 0,
          .blocks_left = reinterpret_cast<std::uint32_t*>(counter_.address())};
}

void PinnedLookup::check(std::uint32_t requests) const {
  KVBM_ASSERT(requests <= requests_max_, "more requests than there is room for");
  const std::span<const std::uint32_t> all = offsets().first(std::size_t{requests} + 1);
  KVBM_ASSERT(all.front() == 0 && std::ranges::is_sorted(all), "offsets rise from 0");
  KVBM_ASSERT(all.back() <= blocks_max_, "a request lies beyond the fingerprints");
}

void PinnedLookup::run(const kernels::PrefixTableView<Slot>& table, EventView ready, std::uint32_t requests,
                       std::uint32_t small_blocks) {
  check(requests);
  *pinned<kernels::TableEpochs>(0) =
      requests == 0 ? kernels::TableEpochs{0, 0} : kernels::TableEpochs{~std::uint64_t{0}, 0};
  if (requests == 0) return;
  try {
    offsets()[requests] <= small_blocks ? run_small(table, ready, requests) : run_in_pieces(table, ready, requests);
  } catch (...) {
    abandon();
    throw;
  }
}

/// The kernel reads and writes the pinned memory itself, and a word there tells that it is through.
void PinnedLookup::run_small(const kernels::PrefixTableView<Slot>& table, EventView ready, std::uint32_t requests) {
  auto* const base = static_cast<std::byte*>(device_->device_address(memory_.address()));
  std::ranges::fill(prefixes().first(requests), ~0u);
  Batch batch = batch_in(base, table);
  batch.requests = requests;
  batch.blocks_max = longest(offsets().first(std::size_t{requests} + 1));
  batch.blocks = offsets()[requests];
  batch.done = reinterpret_cast<std::uint64_t*>(base + places_.done);
  batch.done_value = ++runs_;
  const StreamView stream = lanes_[0].stream.view();
  device_->wait(stream, ready);
  device_->launch(kernels::prefix_match(batch), stream);
  device_->record(lanes_[0].reached.view(), stream);
  wait_for(lanes_[0].reached.view(), true);
}

void PinnedLookup::run_in_pieces(const kernels::PrefixTableView<Slot>& table, EventView ready, std::uint32_t requests) {
  const StreamView front = lanes_[0].stream.view();
  device_->wait(front, ready);
  copy(0, places_.offsets + (std::size_t{requests} + 1) * sizeof(std::uint32_t), true, front);
  device_->fill(device_memory_.address() + places_.prefixes, 0xFF, requests * sizeof(std::uint32_t), front);
  device_->record(lanes_[0].reached.view(), front);
  for (std::size_t i = 1; i < kLanes; ++i) device_->wait(lanes_[i].stream.view(), lanes_[0].reached.view());
  const Batch batch = batch_in(device_memory_.address(), table);
  const std::span<const std::uint32_t> begins = offsets();
  std::size_t turn = 0;
  for (std::uint32_t first = 0; first < requests; turn = (turn + 1) % kLanes) {
    std::uint32_t end = first + 1;
    while (end < requests && begins[end] - begins[first] < kPieceBlocks) ++end;
    send_piece(batch, first, end - first, lanes_[turn].stream.view());
    first = end;
  }
  for (std::size_t i = 1; i < kLanes; ++i) {
    device_->record(lanes_[i].reached.view(), lanes_[i].stream.view());
    device_->wait(front, lanes_[i].reached.view());
  }
  copy(0, sizeof(kernels::TableEpochs), false, front);
  copy(places_.prefixes, requests * sizeof(std::uint32_t), false, front);
  device_->record(lanes_[0].reached.view(), front);
  wait_for(lanes_[0].reached.view(), false);
}

/// Offsets stay those of the whole batch, and so do the places of keys and hints.
void PinnedLookup::send_piece(Batch batch, std::uint32_t first, std::uint32_t requests, StreamView stream) {
  const std::span<const std::uint32_t> begins = offsets().subspan(first, std::size_t{requests} + 1);
  const std::size_t begin = begins.front(), blocks = begins.back() - begins.front();
  copy(places_.keys + begin * sizeof(std::uint64_t), blocks * sizeof(std::uint64_t), true, stream);
  batch.offsets += first;
  batch.prefixes += first;
  batch.requests = requests;
  batch.blocks_max = longest(begins);
  batch.blocks = static_cast<std::uint32_t>(blocks);
  device_->launch(kernels::prefix_match(batch), stream);
  copy(places_.hints + begin * sizeof(BlockHint), blocks * sizeof(BlockHint), false, stream);
}

void PinnedLookup::copy(std::size_t place, std::size_t bytes, bool to_device, StreamView stream) {
  if (bytes == 0) return;
  std::byte* const here = memory_.address() + place;
  std::byte* const there = device_memory_.address() + place;
  to_device ? device_->copy(there, here, bytes, stream) : device_->copy(here, there, bytes, stream);
}

/// Sleeping and waking costs as much as a look-up, so that the first milliseconds are spent asking. A word in pinned
/// memory tells sooner than the event; a device that fails writes none, and the event throws.
void PinnedLookup::wait_for(EventView event, bool for_word) {
  constexpr int kLooks = 2000;
  constexpr int kWords = 256;
  for (int look = 0; look < kLooks; ++look) {
    for (int i = 0; for_word && i < kWords; ++i) {
      // acquire: the answers were written before the word
      if (std::atomic_ref(*pinned<std::uint64_t>(places_.done)).load(std::memory_order_acquire) == runs_) return;
    }
    if (device_->done(event)) return;
  }
  device_->synchronize(event);
}

void PinnedLookup::abandon() noexcept {
  for (const Lane& lane : lanes_) {
    try {
      device_->synchronize(lane.stream.view());
    } catch (const DeviceError&) {  // then it is over as well
    }
  }
}

PinnedPrefixBatch::PinnedPrefixBatch(std::shared_ptr<Device> device, std::uint32_t requests_max,
                                     std::uint32_t blocks_max)
    : lookup_(std::make_unique<PinnedLookup>(std::move(device), requests_max, blocks_max)) {}
PinnedPrefixBatch::~PinnedPrefixBatch() = default;
PinnedPrefixBatch::PinnedPrefixBatch(PinnedPrefixBatch&&) noexcept = default;
PinnedPrefixBatch& PinnedPrefixBatch::operator=(PinnedPrefixBatch&&) noexcept = default;

std::span<std::uint32_t> PinnedPrefixBatch::offsets() noexcept { return lookup_->offsets(); }
std::span<std::uint64_t> PinnedPrefixBatch::fingerprints() noexcept { return lookup_->keys(); }
std::span<const std::uint32_t> PinnedPrefixBatch::prefixes() const noexcept { return lookup_->prefixes(); }
std::span<const BlockHint> PinnedPrefixBatch::hints() const noexcept { return lookup_->hints(); }
std::uint64_t PinnedPrefixBatch::epoch_before() const noexcept { return lookup_->epochs().before; }
std::uint64_t PinnedPrefixBatch::epoch_after() const noexcept { return lookup_->epochs().after; }

}  // namespace kvbm
