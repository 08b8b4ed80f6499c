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

void Load::begin(const std::shared_ptr<Load>& load, TieringState& state, StagingPages pages) {
  const auto lost = static_cast<std::ptrdiff_t>(load->victims() - pages.ids().size());
  load->victim_blocks_.erase(load->victim_blocks_.begin(), load->victim_blocks_.begin() + lost);
  load->victim_hashes_.erase(load->victim_hashes_.begin(), load->victim_hashes_.begin() + lost);
  load->pages_ = std::make_shared<StagingPages>(std::move(pages));
  state.count({.lost_blocks = static_cast<std::uint64_t>(lost)});
  load->stage_victims(state);
  load->submit(state);
  // release: hands the copies over to whoever settles
  load->begun_.store(true, std::memory_order_release);
  load->begun_.notify_all();
  state.add(load);
}

void Load::begin_nothing() noexcept {
  begun_.store(true, std::memory_order_release);
  begun_.notify_all();
}

void Load::stage_victims(TieringState& state) {
  if (victim_blocks_.empty()) return;
  using Owners = std::pair<std::shared_ptr<Held>, std::shared_ptr<StagingPages>>;
  TieringCopy copy{
      Operation::Stage, state.options().g1_layout,       state.staging()->layout(), victim_blocks_, pages_->ids(),
      victim_hashes_,   Keepalive(Owners{held_, pages_})};
  stage_failure_ = copy.failure();
  TieringState::Copied copied = state.copy(std::move(copy));
  if (copied) {
    staged_ = std::move(*copied);
    state.chain(*staged_, stage_failure_);
  } else {
    state.count({.lost_blocks = victim_blocks_.size()});
    state.report(std::move(copied.error()));
  }
}

void Load::submit(TieringState& state) {
  TieringCopy copy{Operation::Onboard,
                   state.options().g2_layout,
                   state.options().g1_layout,
                   held_->sources.ids(),
                   held_->targets.ids(),
                   hashes_,
                   Keepalive(std::shared_ptr<Held>(held_))};
  load_failure_ = copy.failure();
  TieringState::Copied copied = state.copy(std::move(copy), staged_.has_value());
  if (copied) {
    loaded_ = std::move(*copied);
  } else {
    failure_ = std::move(copied.error());
  }
}

bool Load::arrived() const noexcept {
  return begun() && (!staged_ || staged_->done()) && (!loaded_ || loaded_->done());
}

void Load::finish(TieringState& state) {
  wait_until_begun();
  if (loaded_) failure_ = TieringState::failed(*loaded_, load_failure_);
  std::optional<TieringFailure> not_staged;
  if (staged_) {
    not_staged = TieringState::failed(*staged_, stage_failure_);
    static_cast<void>(staged_->take_keepalive());  // or its pages would be in use as long as anybody remembers the copy
  }
  if (held_ != nullptr) {
    if (!failure_ && loaded_) enter_g1(state);
    const Held gone = std::move(*held_);  // what did not enter G1 goes home, and the sources
  }
  state.unclaim(claimed_, *this);
  if (not_staged) {
    state.count({.lost_blocks = victim_blocks_.size()});
    state.report(std::move(*not_staged));
  } else if (staged_) {
    pass_victims_on(state);
  }
  report_second(state);
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
void Load::pass_victims_on(TieringState& state) {
  auto targets = state.room_in_g2(static_cast<std::uint32_t>(victim_hashes_.size()));
  const std::size_t room = targets ? targets->size() : 0;
  state.count({.lost_blocks = victim_hashes_.size() - room});
  if (!targets) return;
  const std::span<const BlockId> blocks = pages_->ids().last(room);
  Put::Source source{state.staging()->layout(), blocks, Keepalive(std::shared_ptr<StagingPages>(std::move(pages_)))};
  static_cast<void>(Put::begin(state, std::move(source), std::move(*targets), std::span(victim_hashes_).last(room)));
}

void Load::report_second(TieringState& state) {
  // acq_rel: the second of the two sees the failure
  if (met_.exchange(true, std::memory_order_acq_rel) && failure_) state.report(std::move(*failure_));
}

}  // namespace kvbm
