#include "src/host/tiering/tiering_state.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "kvbm/tiering/tiered_cache.hpp"
#include "src/host/registry/registry_state.hpp"
#include "src/host/tiering/load.hpp"
#include "src/host/tiering/put.hpp"

namespace kvbm {
namespace {

using Operation = TieringFailure::Operation;

const char* text_of(Operation operation) {
  switch (operation) {
    case Operation::Onboard:
      return "onboard from G2 to G1";
    case Operation::Stage:
      return "stage from G1";
    case Operation::Offload:
      return "offload to G2";
    case Operation::Order:
      break;
  }
  return "order copies by a stream";
}

TieringFailure with_reason(TieringFailure failure, const std::string& reason) {
  const bool is_known = failure.first_block != kNoBlock;
  failure.text = text_of(failure.operation) + (is_known ? ", block " + std::to_string(failure.first_block)
                                                        : std::string(", a block that is in G1 no more"));
  if (failure.blocks > 1) failure.text += " and " + std::to_string(failure.blocks - 1) + " more";
  failure.text += ": " + reason;
  return failure;
}

}  // namespace

TieringState::TieringState(BlockManager<G1> g1, BlockManager<G2> g2, TieringOptions options,
                           std::shared_ptr<StagingPool> staging)
    : g1_(std::move(g1)),
      g2_(std::move(g2)),
      options_(std::move(options)),
      staging_(std::move(staging)),
      chain_(options_.engine->device(), StreamPriority::High, "kvbm.tiering"),
      write_behind_(options_.queue_max, tickets_),
      page_records_(g2_.total_blocks(), options_.g2_layout->config().block_bytes()) {}

TieringState::~TieringState() = default;

TieringState::Copied TieringState::copy(TieringCopy copy, bool after_chain) {
  std::vector<BlockPair> pairs;
  pairs.reserve(copy.source_blocks.size());
  for (std::size_t i = 0; i < copy.source_blocks.size(); ++i) {
    pairs.push_back({copy.source_blocks[i], copy.target_blocks[i]});
  }
  std::vector<StreamView> after = options_.after_streams;
  if (after_chain) after.push_back(chain_.view());
  const bool waited_for = copy.operation == Operation::Onboard || copy.operation == Operation::Stage;
  TransferRequest request{.source = copy.source,
                          .target = copy.target,
                          .blocks = pairs,
                          .after_streams = after,
                          .after_events = copy.after_events,
                          .priority = waited_for ? TransferPriority::OnDemand : TransferPriority::WriteBehind,
                          .layer_events = options_.layer_events && copy.operation == Operation::Onboard,
                          .mechanism = options_.mechanism,
                          .keepalive = std::move(copy.keepalive)};
  Result<Completion, TransferError> submitted = options_.engine->submit(std::move(request));
  if (submitted) return std::move(*submitted);
  return fail(Refused{with_reason(copy.failure(), submitted.error().text),
                      submitted.error().code == TransferError::Code::Precondition});
}

std::optional<TieringFailure> TieringState::refused_load(const ImmutableBlock<G2>& block) const {
  const std::optional<std::string> why = page_records_.unreadable(block.id());
  if (!why) return std::nullopt;
  return with_reason({Operation::Onboard, 1, block.hash(), block.id(), {}}, *why);
}

TieringFailure TieringState::not_begun(const SequenceHash& first, std::uint32_t blocks, const std::string& why) const {
  const G1Run found = g1_.scan_matches({&first, 1}, false);
  return with_reason({Operation::Offload, blocks, first, found.empty() ? kNoBlock : found.id(0), {}}, why);
}

void TieringState::chain(const Completion& first, const TieringFailure& failure) {
  try {
    first.wait_on(chain_.view());
  } catch (const DeviceError& error) {
    TieringFailure unordered = failure;
    unordered.operation = Operation::Order;
    report(with_reason(std::move(unordered), error.what()));
    static_cast<void>(first.wait());
  }
}

bool TieringState::cancelled(const Completion& copied) {
  const std::optional<TransferError>& error = copied.wait().error;
  return error && error->code == TransferError::Code::Cancelled;
}

std::optional<TieringFailure> TieringState::failed(const Completion& copied, const TieringFailure& failure) {
  const TransferOutcome& outcome = copied.wait();
  if (!outcome.error) return std::nullopt;
  return with_reason(failure, outcome.error->text);
}

void TieringState::add(Jobs one) noexcept {
  {
    MutexLock lock(mutex_);
    jobs_.splice(jobs_.end(), one);
  }
  tickets_->changed();
}

void TieringState::poll() {
  for (;;) {
    std::shared_ptr<TieringJob> front;
    {
      MutexLock lock(mutex_);
      if (jobs_.empty()) return;
      front = jobs_.front();
    }
    if (!front->arrived()) return;
    front->settle(*this);
    remove(front);
  }
}

bool TieringState::settle_front() {
  std::shared_ptr<TieringJob> front;
  {
    MutexLock lock(mutex_);
    if (jobs_.empty()) return false;
    front = jobs_.front();
  }
  front->settle(*this);
  remove(front);
  return true;
}

/// Takes a settled job out, unless somebody else has. What it holds goes with the caller's reference.
void TieringState::remove(const std::shared_ptr<TieringJob>& job) {
  Jobs removed;
  MutexLock lock(mutex_);
  const auto found = std::find(jobs_.begin(), jobs_.end(), job);
  if (found != jobs_.end()) removed.splice(removed.end(), jobs_, found);
}

std::shared_ptr<Load> TieringState::claim(const SequenceHash& hash, const std::shared_ptr<Load>& mine) {
  std::shared_ptr<Load> bringing = mine;
  MutexLock lock(mutex_);
  std::shared_ptr<Load>& known = loads_.try_emplace(hash, mine).first->second;
  if (known == mine) return bringing;
  if (known->given_up()) {
    std::swap(known, bringing);  // what is given up goes unlocked
    return mine;
  }
  known->wanted_ += 1;
  return bringing = known;
}

bool TieringState::give_up(Load& load) noexcept {
  MutexLock lock(mutex_);
  --load.wanted_;
  if (load.wanted_ == 0) load.given_up_.store(true);
  return load.wanted_ == 0;
}

void TieringState::unclaim(std::span<const SequenceHash> hashes, const Load& mine) noexcept {
  MutexLock lock(mutex_);
  for (const SequenceHash& hash : hashes) {
    const auto found = loads_.find(hash);
    if (found != loads_.end() && found->second.get() == &mine) loads_.erase(found);
  }
}

std::vector<std::uint32_t> TieringState::worth_keeping(std::span<const SequenceHash> victims) const {
  std::vector<std::uint32_t> kept;
  if (options_.offload != OffloadPolicy::OnEviction) return kept;
  kept.reserve(victims.size());
  for (std::uint32_t i = 0; i < victims.size(); ++i) {
    if (!is_in<G2>(victims[i]) && !pending_.contains(victims[i])) kept.push_back(i);
  }
  return kept;
}

void TieringState::give_up(OffloadWork& work) {
  if (!work.give_up()) return;
  count({.cancelled_blocks = write_behind_.sweep(work)});
  std::vector<std::shared_ptr<TieringJob>> jobs;
  {
    MutexLock lock(mutex_);
    jobs.assign(jobs_.begin(), jobs_.end());
  }
  for (const auto& job : jobs) drop_if_unwanted(*job);
}

void TieringState::drop_if_unwanted(TieringJob& job) {
  if (job.drop_if_unwanted() && job.arrived()) job.settle(*this);
}

std::optional<BlockRun<MutableBlock<G2>>> TieringState::room_in_g2(std::uint32_t most) const {
  for (std::uint32_t count = std::min(most, g2_.total_blocks()); count != 0;
       count = std::min(count - 1, g2_.available_blocks())) {
    if (std::optional<BlockRun<MutableBlock<G2>>> run = g2_.allocate(count)) return run;
  }
  return std::nullopt;
}

void TieringState::drop_from_g2(std::span<const SequenceHash> hashes) const {
  const BlockRun<ImmutableBlock<G2>> found = g2_.scan_matches(hashes, false);
  for (std::uint32_t i = 0; i < found.size(); ++i) found.block(i).set_evict_on_reset(true);
}

std::vector<Registration> TieringState::keep_registrations(std::span<const SequenceHash> hashes) const {
  std::vector<Registration> kept;
  const BlockRegistry& registry = g2_.registry();
  if (!registry.has_frequency_tracking() && !registry.state()->has_hook()) return kept;
  kept.reserve(hashes.size());
  for (const SequenceHash& hash : hashes) kept.push_back(registry.transfer_registration(hash));
  return kept;
}

void TieringState::report(TieringFailure failure) {
  MutexLock lock(mutex_);
  ++counts_.failures;
  failures_.push_back(std::move(failure));
  if (failures_.size() <= TieredCache::kFailuresKept) return;
  failures_.pop_front();
  ++counts_.unreported_failures;
}

std::vector<TieringFailure> TieringState::take_failures() {
  std::deque<TieringFailure> taken;
  {
    MutexLock lock(mutex_);
    taken.swap(failures_);
  }
  return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
}

void TieringState::count(const TieringCounts& more) noexcept {
  MutexLock lock(mutex_);
  counts_.onboarded_blocks += more.onboarded_blocks;
  counts_.offloaded_blocks += more.offloaded_blocks;
  counts_.bytes_onboarded += more.onboarded_blocks * page_bytes();
  counts_.bytes_offloaded += more.offloaded_blocks * page_bytes();
  counts_.lost_blocks += more.lost_blocks;
  counts_.skipped_blocks += more.skipped_blocks;
  counts_.forgotten_blocks += more.forgotten_blocks;
  counts_.cancelled_blocks += more.cancelled_blocks;
  counts_.failures += more.failures;
}

TieringCounts TieringState::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

}  // namespace kvbm
