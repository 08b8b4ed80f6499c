#include "kvbm/tiering/tiered_cache.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "kvbm/base/assert.hpp"
#include "kvbm/memory/memory.hpp"
#include "src/host/tiering/check_tiering.hpp"
#include "src/host/tiering/onboarding_plan.hpp"
#include "src/host/tiering/put.hpp"
#include "src/host/tiering/tiering_state.hpp"

namespace kvbm {
namespace {

using StagingMade = Result<std::shared_ptr<StagingPool>, InvalidTiering>;

/// Pages in device memory, in the order of G1's. None where victims of G1 are never kept.
StagingMade make_staging(const TieringOptions& options, std::uint32_t g1_blocks) {
  if (options.offload != OffloadPolicy::OnEviction) return std::shared_ptr<StagingPool>();
  LayoutConfig config = options.g1_layout->config();
  const std::size_t fit = options.staging_bytes_max / config.block_bytes();
  config.blocks = static_cast<std::uint32_t>(std::clamp<std::size_t>(fit, 1, g1_blocks));
  const std::shared_ptr<Device>& device = options.engine->device();
  auto layout = BlockLayout::create(config, LayoutKind::FullyContiguous,
                                    {allocate_device(device, config.block_bytes() * config.blocks)}, device);
  if (!layout)
    return fail(InvalidTiering{InvalidTiering::Code::StagingRefused, "staging pages: " + layout.error().text});
  return std::make_shared<StagingPool>(std::move(*layout));
}

/// Pages of blocks that were evicted go on to G2, batch after batch; all but the last are waited for. Returns when the
/// last has been read.
Completion pass_on(TieringState& state, const std::shared_ptr<BlockRun<MutableBlock<G1>>>& held,
                   std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) {
  std::shared_ptr<Put> last;
  while (!blocks.empty()) {
    if (last != nullptr) last->settle(state);
    const std::size_t most = std::min<std::size_t>(blocks.size(), state.options().offload_blocks_max);
    auto targets = state.room_in_g2(static_cast<std::uint32_t>(most));
    if (!targets && state.settle_front()) continue;
    if (!targets) {
      state.count({.lost_blocks = blocks.size()});
      break;
    }
    const std::size_t count = targets->size();
    Put::Source source{state.options().g1_layout, blocks.first(count),
                       Keepalive(std::shared_ptr<BlockRun<MutableBlock<G1>>>(held))};
    last = Put::pass_on(state, std::move(source), std::move(*targets), hashes.first(count));
    blocks = blocks.subspan(count);
    hashes = hashes.subspan(count);
  }
  return last == nullptr ? Completion::ready() : last->copied();
}

}  // namespace

Result<TieredCache, InvalidTiering> TieredCache::create(BlockManager<G1> g1, BlockManager<G2> g2,
                                                        TieringOptions options) {
  if (std::optional<InvalidTiering> invalid = check_tiering(g1, g2, options)) return fail(std::move(*invalid));
  StagingMade staging = make_staging(options, g1.total_blocks());
  if (!staging) return fail(std::move(staging).error());
  return TieredCache(
      std::make_shared<TieringState>(std::move(g1), std::move(g2), std::move(options), std::move(*staging)));
}

TieredCache::TieredCache(std::shared_ptr<TieringState> state) noexcept : state_(std::move(state)) {}
TieredCache::TieredCache(TieredCache&&) noexcept = default;
TieredCache& TieredCache::operator=(TieredCache&&) noexcept = default;
TieredCache::~TieredCache() = default;

TieredMatch TieredCache::match(std::span<const SequenceHash> hashes) const {
  state_->poll();
  BlockRun<ImmutableBlock<G1>> head = g1().match_blocks(hashes);
  std::vector<TieredMatch::Place> tail;
  std::uint32_t g2_blocks = 0;
  for (const SequenceHash& hash : hashes.subspan(head.size())) {
    // A block of both tiers counts for G1. The first behind the head was not there a moment ago.
    std::optional<ImmutableBlock<G1>> in_g1;
    if (!tail.empty()) in_g1 = g1().match_block(hash);
    std::optional<ImmutableBlock<G2>> in_g2;
    if (!in_g1) in_g2 = g2().match_block(hash);
    if (!in_g1 && !in_g2) in_g1 = g1().match_block(hash);  // it may have moved up between the two looks
    if (in_g1) {
      tail.emplace_back(std::move(*in_g1));
    } else if (in_g2) {
      tail.emplace_back(std::move(*in_g2));
      ++g2_blocks;
    } else {
      break;
    }
  }
  return TieredMatch(std::move(head), std::move(tail), g2_blocks);
}

Onboarding TieredCache::onboard(TieredMatch match) const {
  state_->poll();
  auto plan = std::make_unique<Onboarding::Plan>(state_, std::move(match.head_));
  plan->make(std::move(match.tail_));
  return Onboarding(std::move(plan));
}

std::optional<TieredAllocation> TieredCache::allocate(std::uint32_t count) const {
  state_->poll();
  std::optional<BlockManager<G1>::Allocation> allocation = g1().allocate_with_evictions(count);
  if (!allocation) return std::nullopt;
  const auto held = std::make_shared<BlockRun<MutableBlock<G1>>>(std::move(allocation->blocks));
  const std::span<const BlockId> victims = held->ids().last(allocation->evicted.size());
  std::vector<BlockId> blocks;
  std::vector<SequenceHash> hashes;
  for (const std::uint32_t i : state_->worth_keeping(allocation->evicted)) {
    blocks.push_back(victims[i]);
    hashes.push_back(allocation->evicted[i]);
  }
  return TieredAllocation(held, pass_on(*state_, held, blocks, hashes));
}

std::optional<TieredAllocation> TieredCache::allocate(std::span<const SequenceHash> hashes) const {
  if (state_->exclusive()) state_->drop_from_g2(hashes);
  return allocate(static_cast<std::uint32_t>(hashes.size()));
}

BlockRun<ImmutableBlock<G1>> TieredCache::register_blocks(BlockRun<CompleteBlock<G1>> blocks) const {
  std::vector<SequenceHash> hashes;
  hashes.reserve(blocks.size());
  for (std::uint32_t i = 0; i < blocks.size(); ++i) hashes.push_back(blocks.hash(i));
  BlockRun<ImmutableBlock<G1>> registered = g1().register_blocks(std::move(blocks));
  if (state_->exclusive()) state_->drop_from_g2(hashes);
  if (state_->options().offload == OffloadPolicy::WriteBehind) static_cast<void>(offload(hashes));
  return registered;
}

Offloading TieredCache::offload(std::span<const SequenceHash> hashes, std::shared_ptr<const Event> after,
                                std::optional<std::chrono::steady_clock::time_point> deadline) const {
  KVBM_ASSERT(!state_->exclusive(), "in exclusive mode a block is offloaded when it is evicted");
  auto work = std::make_shared<OffloadWork>(std::vector<SequenceHash>(hashes.begin(), hashes.end()), std::move(after),
                                            deadline, state_->ticket());
  state_->count({.forgotten_blocks = state_->write_behind().queue(work)});
  return Offloading(state_, std::move(work));
}

std::uint32_t TieredCache::fail_overdue(std::chrono::steady_clock::time_point now) const {
  return state_->write_behind().fail_overdue(*state_, now);
}

void TieredCache::advance() const {
  state_->poll();
  static_cast<void>(state_->write_behind().begin(*state_));
}

void TieredCache::settle() const {
  for (std::uint64_t end = state_->tickets().given();; end = state_->tickets().given()) {
    state_->drive([&] { return state_->tickets().settled(end); });
    state_->poll();  // those that settled by failing hold their blocks until they are taken out
    if (state_->tickets().given() == end) return;
  }
}

SettlementToken TieredCache::token() const { return token_at(state_->tickets().given()); }

SettlementToken TieredCache::token_at(std::uint64_t number) const { return SettlementToken(state_, number); }

std::optional<SettlementError> TieredCache::wrong_with(const SettlementToken& token) const {
  using Code = SettlementError::Code;
  const std::shared_ptr<const TieringState> of = token.of_.lock();
  if (of == nullptr) return SettlementError{Code::Stale, "the cache of this settlement token is gone"};
  if (of != state_) return SettlementError{Code::Foreign, "the settlement token is of another cache"};
  const std::uint64_t given = state_->tickets().given();
  if (token.number() <= given) return std::nullopt;
  return SettlementError{Code::Overflow, "settlement token " + std::to_string(token.number()) +
                                             ", but the cache has given " + std::to_string(given) + " at most"};
}

Result<bool, SettlementError> TieredCache::settled(const SettlementToken& token) const {
  if (auto wrong = wrong_with(token)) return fail(std::move(*wrong));
  advance();
  return state_->tickets().settled(token.number());
}

Result<void, SettlementError> TieredCache::settle(const SettlementToken& token) const {
  if (auto wrong = wrong_with(token)) return fail(std::move(*wrong));
  state_->drive([&] { return state_->tickets().settled(token.number()); });
  return {};
}

PageRecord TieredCache::page_record(const ImmutableBlock<G2>& block) const {
  KVBM_ASSERT(block.id() < g2().total_blocks(), "a block of this cache's G2");
  return state_->page_records().of(block.id());
}

void TieredCache::describe_page(const MutableBlock<G2>& block, const PageRecord& record) const {
  KVBM_ASSERT(block.id() < g2().total_blocks(), "a block of this cache's G2");
  state_->page_records().set(block.id(), record);
}

TieringCounts TieredCache::counts() const { return state_->counts(); }
std::vector<TieringFailure> TieredCache::take_failures() const { return state_->take_failures(); }
const BlockManager<G1>& TieredCache::g1() const noexcept { return state_->g1(); }
const BlockManager<G2>& TieredCache::g2() const noexcept { return state_->g2(); }
std::uint32_t TieredCache::staging_blocks() const noexcept { return state_->staging_blocks(); }

}  // namespace kvbm
