#include "kvbm/lookup/device_prefix_index.hpp"

#include <array>
#include <stdexcept>
#include <string>

#include "src/host/lookup/device_table.hpp"
#include "src/host/lookup/lookup_lane.hpp"
#include "src/host/lookup/pinned_lookup.hpp"
#include "src/host/lookup/token_blocks.hpp"

namespace kvbm {

/// The index, its copy, and two lanes: while one piece is on the device, the next is written and the last is read.
class DevicePrefixIndex::Impl {
 public:
  Impl(const std::shared_ptr<Device>& device, const DevicePrefixIndexOptions& options)
      : index(options.index),
        exact(options.index.exact),
        whole_fingerprints(options.index.fingerprint_bits == 64),
        small_blocks(options.small_blocks),
        table(device),
        lanes{LookupLane(device, options.blocks_at_once), LookupLane(device, options.blocks_at_once)} {}

  template <class Slot>
  [[nodiscard]] kernels::PrefixTableView<Slot> view() const noexcept {
    return kernels::PrefixTableView<Slot>::over(reinterpret_cast<const Slot*>(table.words()), table.size());
  }

  template <class Slot, class KeyAt>
  void look_up(std::span<const std::uint32_t> offsets, PrefixAnswers& answers, KeyAt&& key_at, bool count_only) {
    in_pieces(
        offsets, answers, ~0u,
        [&](LookupLane& lane, const LookupLane&, const LookupPiece& piece, bool small) {
          lane.begin(view<Slot>(), table.changed(), offsets, piece, small, key_at);
        },
        count_only);
  }
  void look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes, PrefixAnswers& answers,
               bool count_only) {
    KVBM_ASSERT(offsets.empty() || offsets.back() <= hashes.size(), "a request lies beyond the hashes");
    if (exact) {
      look_up<kernels::ExactSlot>(
          offsets, answers, [hashes](std::size_t i) { return hashes[i]; }, count_only);
    } else {
      look_up<kernels::FingerprintSlot>(
          offsets, answers, [&](std::size_t i) { return index.fingerprint(hashes[i]); }, count_only);
    }
  }
  template <class Slot>
  void look_up(const TokenRequests& requests, std::uint32_t blocks_most, PrefixAnswers& answers) {
    in_pieces(answers.offsets, answers, blocks_most,
              [&](LookupLane& lane, const LookupLane& before, const LookupPiece& piece, bool small) {
                lane.begin(view<Slot>(), table.changed(), answers.offsets, piece, small, requests, before);
              });
  }

  /// Cuts a batch into pieces and sends them over the lanes in turn. begin(lane, the other lane, piece, small).
  template <class Begin>
  void in_pieces(std::span<const std::uint32_t> offsets, PrefixAnswers& answers, std::uint32_t blocks_most,
                 Begin&& begin, bool count_only = false) {
    const std::uint32_t requests = offsets.empty() ? 0 : static_cast<std::uint32_t>(offsets.size()) - 1;
    answers.prefixes.assign(requests, 0);
    const std::size_t blocks = requests == 0 ? 0 : offsets.back();
    answers.hints.resize(count_only ? 0 : blocks);
    for (LookupLane& lane : lanes) lane.count_only(count_only);
    answers.epoch_before = requests == 0 ? 0 : ~std::uint64_t{0};
    answers.epoch_after = 0;
    const bool small = blocks <= std::min(small_blocks, blocks_most);
    try {
      std::size_t turn = 0;
      for (LookupPiece next; next.request < requests; turn ^= 1) {
        lanes[turn].finish(offsets, answers);
        const LookupPiece piece = lanes[turn].piece_at(offsets, next, blocks_most);
        begin(lanes[turn], lanes[turn ^ 1], piece, small);
        next = piece.next(offsets);
      }
      lanes[turn].finish(offsets, answers);  // the older piece first: a request's parts are put together in order
      lanes[turn ^ 1].finish(offsets, answers);
    } catch (...) {
      for (LookupLane& lane : lanes) lane.abandon();
      throw;
    }
  }

  PrefixIndex index;
  const bool exact;
  const bool whole_fingerprints;  // as the device makes them of hashes
  const std::uint32_t small_blocks;
  DeviceTable table;
  std::array<LookupLane, 2> lanes;
};

DevicePrefixIndex::DevicePrefixIndex(std::shared_ptr<Device> device, DevicePrefixIndexOptions options) {
  if (options.blocks_at_once == 0 || options.blocks_at_once < options.small_blocks) {
    throw std::invalid_argument("blocks_at_once is " + std::to_string(options.blocks_at_once) +
                                ", which is 0 or below small_blocks");
  }
  impl_ = std::make_unique<Impl>(device, options);
  update();  // an empty table is a table too
}

DevicePrefixIndex::~DevicePrefixIndex() = default;
DevicePrefixIndex::DevicePrefixIndex(DevicePrefixIndex&&) noexcept = default;
DevicePrefixIndex& DevicePrefixIndex::operator=(DevicePrefixIndex&&) noexcept = default;

PrefixIndex::Update DevicePrefixIndex::update() { return impl_->index.update(&impl_->table); }

void DevicePrefixIndex::look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
                                PrefixAnswers& answers) {
  impl_->look_up(offsets, hashes, answers, false);
}

void DevicePrefixIndex::count(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
                              PrefixAnswers& answers) {
  impl_->look_up(offsets, hashes, answers, true);
}

void DevicePrefixIndex::look_up(std::span<const std::uint32_t> offsets, std::span<const std::uint64_t> fingerprints,
                                PrefixAnswers& answers) {
  KVBM_ASSERT(!impl_->exact, "an exact index knows no fingerprints");
  KVBM_ASSERT(offsets.empty() || offsets.back() <= fingerprints.size(), "a request lies beyond the fingerprints");
  impl_->look_up<kernels::FingerprintSlot>(
      offsets, answers, [fingerprints](std::size_t i) { return fingerprints[i]; }, false);
}

void DevicePrefixIndex::look_up(const TokenRequests& requests, PrefixAnswers& answers) {
  find_blocks(requests, answers.offsets);
  const std::uint32_t blocks_most = impl_->lanes[0].token_blocks_max(requests.block_size);
  if (blocks_most == 0 || !(impl_->exact || impl_->whole_fingerprints)) {
    return look_up(answers.offsets, hash_requests(requests, answers.offsets), answers);
  }
  if (impl_->exact) {
    impl_->look_up<kernels::ExactSlot>(requests, blocks_most, answers);
  } else {
    impl_->look_up<kernels::FingerprintSlot>(requests, blocks_most, answers);
  }
}

void DevicePrefixIndex::look_up(PinnedPrefixBatch& batch, std::uint32_t requests) {
  KVBM_ASSERT(!impl_->exact, "an exact index knows no fingerprints");
  batch.lookup_->run(impl_->view<kernels::FingerprintSlot>(), impl_->table.changed(), requests, impl_->small_blocks);
}

const PrefixIndex& DevicePrefixIndex::host_index() const noexcept { return impl_->index; }
PrefixIndex& DevicePrefixIndex::host() noexcept { return impl_->index; }

}  // namespace kvbm
