#include "src/host/tiering/load.hpp"

#include <utility>

#include "src/host/tiering/put.hpp"

namespace kvbm {

using Operation = TieringFailure::Operation;

void Load::set_parts(Parts parts) {
  hashes_ = std::move(parts.hashes);
  held_ = std::make_shared<Held>(Held{std::move(parts.targets), std::move(parts.sources)});
  victim_blocks_ = std::move(parts.victim_blocks);
  victim_hashes_ = std::move(parts.victim_hashes);
}

/// Hands the copies over to whoever settles, as far as begin() has come. In one order with given_up_: begin() sees
/// that, or leave() sees this.
class Load::Beginning {
 public:
  explicit Beginning(Load& load) noexcept : load_(load) {}
  Beginning(const Beginning&) = delete;
  Beginning& operator=(const Beginning&) = delete;
  ~Beginning() {
    load_.begun_.store(true);
    load_.begun_.notify_all();
  }

 private:
  Load& load_;
};

void Load::begin(const std::shared_ptr<Load>& load, TieringState& state, StagingPages pages) {
  const auto lost = static_cast<std::ptrdiff_t>(load->victims() - pages.ids().size());
  load->victim_blocks_.erase(load->victim_blocks_.begin(), load->victim_blocks_.begin() + lost);
  load->victim_hashes_.erase(load->victim_hashes_.begin(), load->victim_hashes_.begin() + lost);
  load->pages_ = std::make_shared<StagingPages>(std::move(pages));
  load->hold(state.ticket());
  TieringState::Jobs job{load};
  state.pending().mark(load->victim_hashes_);
  load->marked_ = true;
  state.count({.lost_blocks = static_cast<std::uint64_t>(lost)});
  state.add(std::move(job));  // whatever is under way from now on is settled
  {
    const Beginning beginning(*load);
    load->stage_victims(state);
    if (!load->given_up()) load->submit(state);
  }
  if (load->given_up()) static_cast<void>(load->cancel_copy());
}

void Load::begin_nothing() noexcept {
  begun_.store(true, std::memory_order_release);
  begun_.notify_all();
}

void Load::drop(TieringState& state) {
  const std::shared_ptr<Held> held = std::move(held_);
  progress_.store(BlockProgress::Cancelled);
  state.count({.cancelled_blocks = hashes_.size()});
  begin_nothing();
  { const BlockRun<ImmutableBlock<G2>> gone = std::move(held->sources); }
  auto targets = state.room_in_g2(static_cast<std::uint32_t>(victims()));
  const std::size_t room = targets ? targets->size() : 0;
  state.count({.lost_blocks = victims() - room});
  if (!targets) return;
  Put::Source source{state.options().g1_layout, std::span<const BlockId>(victim_blocks_).last(room),
                     Keepalive(std::shared_ptr<Held>(held))};
  static_cast<void>(Put::pass_on(state, std::move(source), std::move(*targets), std::span(victim_hashes_).last(room)));
}

void Load::leave(TieringState& state) {
  if (state.give_up(*this) && begun_.load() && cancel_copy() && arrived()) settle(state);
}

/// If it is too late for that, others may wait for it again.
bool Load::cancel_copy() {
  const bool cancelled = loaded_ && loaded_->cancel();
  if (loaded_ && !cancelled) given_up_.store(false);
  return cancelled;
}

BlockProgress Load::progress() const noexcept { return begun() ? progress_.load() : BlockProgress::Queued; }

void Load::stage_victims(TieringState& state) {
  if (victim_blocks_.empty()) return;
  using Owners = std::pair<std::shared_ptr<Held>, std::shared_ptr<StagingPages>>;
  TieringCopy copy{.operation = Operation::Stage,
                   .source = state.options().g1_layout,
                   .target = state.staging()->layout(),
                   .source_blocks = victim_blocks_,
                   .target_blocks = pages_->ids(),
                   .hashes = victim_hashes_,
                   .keepalive = Keepalive(Owners{held_, pages_})};
  stage_failure_ = copy.failure();
  TieringState::Copied copied = state.copy(std::move(copy));
  if (copied) {
    staged_ = std::move(*copied);
    state.chain(*staged_, stage_failure_);
  } else {
    state.count({.lost_blocks = victim_blocks_.size()});
    state.report(std::move(copied.error().failure));
  }
}

void Load::submit(TieringState& state) {
  TieringCopy copy{.operation = Operation::Onboard,
                   .source = state.options().g2_layout,
                   .target = state.options().g1_layout,
                   .source_blocks = held_->sources.ids(),
                   .target_blocks = held_->targets.ids(),
                   .hashes = hashes_,
                   .keepalive = Keepalive(std::shared_ptr<Held>(held_))};
  load_failure_ = copy.failure();
  TieringState::Copied copied = state.copy(std::move(copy), staged_.has_value());
  if (copied) {
    loaded_ = std::move(*copied);
  } else {
    failure_ = std::move(copied.error().failure);
  }
}

bool Load::arrived() const noexcept {
  return begun() && (!staged_ || staged_->done()) && (!loaded_ || loaded_->done());
}

/// However it ends, the copies are done then, what did not enter G1 goes home, and the sources, and nobody waits for it
/// any more.
class Load::Leaving {
 public:
  Leaving(Load& load, TieringState& state) noexcept : load_(load), state_(state) {}
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  ~Leaving() {
    for (const std::optional<Completion>* const copy : {&load_.loaded_, &load_.staged_}) {
      if (*copy) static_cast<void>((*copy)->wait());
    }
    if (load_.held_ != nullptr) {
      if (load_.progress_.load() == BlockProgress::UnderWay) load_.progress_.store(BlockProgress::Failed);
      const Held gone = std::move(*load_.held_);
    }
    state_.unclaim(load_.claimed_, load_);
  }

 private:
  Load& load_;
  TieringState& state_;
};

void Load::finish(TieringState& state) {
  wait_until_begun();
  PendingMarks pending(state.pending(),
                       marked_ ? std::span<const SequenceHash>(victim_hashes_) : std::span<const SequenceHash>());
  std::optional<TieringFailure> not_staged;
  {
    const Leaving leaving(*this, state);
    const bool cancelled = loaded_ ? TieringState::cancelled(*loaded_) : !failure_ && given_up();
    if (loaded_ && !cancelled) failure_ = TieringState::failed(*loaded_, load_failure_);
    if (staged_) {
      not_staged = TieringState::failed(*staged_, stage_failure_);
      static_cast<void>(staged_->take_keepalive());  // or its pages would be in use while anybody remembers the copy
    }
    if (held_ != nullptr) leave_or_enter(state, cancelled);
  }
  if (not_staged) {
    state.count({.lost_blocks = victim_blocks_.size()});
    state.report(std::move(*not_staged));
  } else if (staged_) {
    pass_victims_on(state, pending);
  }
  report_second(state);
}

void Load::leave_or_enter(TieringState& state, bool cancelled) {
  if (cancelled) state.count({.cancelled_blocks = hashes_.size()});
  const bool failed = failure_ || !loaded_;
  if (!cancelled && !failed) enter_g1(state);
  progress_.store(cancelled ? BlockProgress::Cancelled : failed ? BlockProgress::Failed : BlockProgress::Completed);
}

void Load::enter_g1(TieringState& state) {
  state.arrived({PagesArrived::Tier::G1, held_->targets.ids(), hashes_});
  auto staged = std::move(held_->targets).stage(hashes_, state.g1().tokens_per_block());
  registered_ = state.g1().register_blocks(std::move(staged).value());
  state.count({.onboarded_blocks = hashes_.size()});
  if (!state.exclusive()) return;
  for (std::uint32_t i = 0; i < held_->sources.size(); ++i) held_->sources.block(i).set_evict_on_reset(true);
}

/// The blocks that were loaded have left G2, or have not if the load failed. The youngest victims find room first.
void Load::pass_victims_on(TieringState& state, PendingMarks& pending) {
  auto targets = state.room_in_g2(static_cast<std::uint32_t>(victim_hashes_.size()));
  const std::size_t room = targets ? targets->size() : 0;
  state.count({.lost_blocks = victim_hashes_.size() - room});
  if (!targets) return;
  const std::span<const BlockId> blocks = pages_->ids().last(room);
  Put::Source source{.layout = state.staging()->layout(),
                     .blocks = blocks,
                     .keepalive = Keepalive(std::shared_ptr<StagingPages>(std::move(pages_))),
                     .ticket = share_ticket(),
                     .marked = true};
  pending.hand_over(room);
  static_cast<void>(Put::pass_on(state, std::move(source), std::move(*targets), std::span(victim_hashes_).last(room)));
}

void Load::report_second(TieringState& state) {
  // acq_rel: the second of the two sees the failure
  if (met_.exchange(true, std::memory_order_acq_rel) && failure_) state.report(std::move(*failure_));
}

}  // namespace kvbm
