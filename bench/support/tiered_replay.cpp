#include "bench/support/tiered_replay.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "bench/support/completed_run.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::bench {
namespace {

constexpr std::size_t kEngineStagingBytes = 4u << 20;

std::shared_ptr<TransferEngine> make_engine(const std::shared_ptr<Device>& device) {
  TransferEngineOptions options;
  options.staging_bytes = kEngineStagingBytes;
  options.calibrate = !device->capabilities().emulated;
  return std::make_shared<TransferEngine>(device, options);
}

/// Whether victims that are taken together are those that are taken one by one, each put into G2 before the next. It is
/// so in lists and among leaves by tick, since what enters is younger than all that is there.
bool may_take_together(const Policy& policy) {
  if (const auto* lineage = std::get_if<LineageEviction>(&policy.eviction)) {
    return lineage->order == LineageEviction::Order::Tick;
  }
  return !std::holds_alternative<MultiLruEviction>(policy.eviction);
}

}  // namespace

TieredReplay::TieredReplay(const Policy& policy, std::uint32_t g1_blocks, const TieredOptions& options)
    : mode_(options.mode),
      device_(open_device(options.device)),
      pages_(device_, {g1_blocks, options.g2_blocks, options.layers, options.page_bytes, options.g1_layout}),
      cache_(make_cache(policy, g1_blocks, options)) {}

TieredCache TieredReplay::make_cache(const Policy& policy, std::uint32_t g1_blocks, const TieredOptions& options) {
  ManagerOptions g1 = options_for(policy, g1_blocks);
  ManagerOptions g2 = options_for(policy, options.g2_blocks);
  g2.registry = g1.registry;
  TieringOptions tiering;
  tiering.g1_layout = pages_.g1();
  tiering.g2_layout = pages_.g2();
  tiering.engine = make_engine(device_);
  tiering.mode = mode_;
  tiering.offload = mode_ == TierMode::Exclusive ? OffloadPolicy::OnEviction : OffloadPolicy::WhenAsked;
  if (!may_take_together(policy)) tiering.offload_blocks_max = 1;
  tiering.on_arrival = [this](const PagesArrived& arrived) { verify(arrived.tier, arrived.blocks, arrived.hashes); };
  auto cache = TieredCache::create(BlockManager<G1>::create(std::move(g1)).value(),
                                   BlockManager<G2>::create(std::move(g2)).value(), std::move(tiering));
  return std::move(cache).value();
}

void TieredReplay::serve(std::span<const SequenceHash> request) {
  ++counts_.requests.requests;
  counts_.requests.input_blocks += request.size();
  const auto part = request.first(std::min<std::size_t>(request.size(), cache_.g1().total_blocks()));
  TieredMatch match = cache_.match(part);
  // What else G1 has of the request stays there while its hits displace others.
  std::optional<Run> orphans;
  if (match.g2_blocks() != 0) orphans = cache_.g1().scan_matches(part.subspan(match.size()), false);
  Run held = onboard(std::move(match), part);
  const auto rest = part.subspan(held.size());
  counts_.requests.hit_blocks += held.size();
  if (!rest.empty()) held.append(obtain(rest));
  orphans.reset();  // held otherwise by now
  if (mode_ == TierMode::Inclusive) cache_.offload(rest);
  cache_.settle();
}

TieredReplay::Run TieredReplay::onboard(TieredMatch match, std::span<const SequenceHash> hashes) {
  std::vector<bool> in_g1(match.size());
  for (std::uint32_t i = 0; i < match.size(); ++i) in_g1[i] = match.in_g1(i);
  const bool loads = match.g2_blocks() != 0;
  Onboarded onboarded = cache_.onboard(std::move(match)).finish();
  if (onboarded.failure) failures_.push_back(std::move(*onboarded.failure));
  if (loads) cache_.settle();
  for (std::uint32_t i = 0; i < onboarded.prefix.size(); ++i) {
    ++(in_g1[i] ? counts_.g1_hit_blocks : counts_.g2_hit_blocks);
    if (in_g1[i]) verify(PagesArrived::Tier::G1, onboarded.prefix.ids().subspan(i, 1), hashes.subspan(i, 1));
  }
  return std::move(onboarded.prefix);
}

/// Blocks for hashes that no prefix led to; those G1 has are taken up.
TieredReplay::Run TieredReplay::obtain(std::span<const SequenceHash> hashes) {
  const SparseRun<G1> present = cache_.g1().match_scattered(hashes);
  if (present.found() == 0) return add(hashes);
  return completed_run(
      present, hashes,
      [this](BlockId id, const SequenceHash& hash) {
        verify(PagesArrived::Tier::G1, {&id, 1}, {&hash, 1});
      },
      [this](std::span<const SequenceHash> missing) { return add(missing); });
}

TieredReplay::Run TieredReplay::add(std::span<const SequenceHash> hashes) {
  std::optional<TieredAllocation> allocation = cache_.allocate(hashes);
  KVBM_ASSERT(allocation.has_value(), "only this request holds blocks, and it needs no more than there are");
  BlockRun<MutableBlock<G1>> blocks = std::move(*allocation).take();
  pages_.fill_g1(blocks.ids(), hashes);
  auto staged = std::move(blocks).stage(hashes, cache_.g1().tokens_per_block());
  return cache_.register_blocks(std::move(staged).value());
}

void TieredReplay::verify(PagesArrived::Tier tier, std::span<const BlockId> blocks,
                          std::span<const SequenceHash> hashes) {
  counts_.requests.verified_pages += blocks.size();
  counts_.requests.corrupt_pages +=
      tier == PagesArrived::Tier::G1 ? pages_.corrupt_in_g1(blocks, hashes) : pages_.corrupt_in_g2(blocks, hashes);
}

std::vector<TieringFailure> TieredReplay::take_failures() {
  for (TieringFailure& failure : cache_.take_failures()) failures_.push_back(std::move(failure));
  return std::exchange(failures_, {});
}

}  // namespace kvbm::bench
