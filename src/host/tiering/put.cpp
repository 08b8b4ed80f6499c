#include "src/host/tiering/put.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace kvbm {
namespace {

using Works = std::vector<std::shared_ptr<OffloadWork>>;
using Events = std::vector<std::shared_ptr<const Event>>;

template <class Pointer>
std::vector<Pointer> distinct(std::vector<Pointer> all) {
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Works works_of(std::span<const OffloadDuty> duties) {
  Works works;
  for (const OffloadDuty& duty : duties) {
    if (works.empty() || works.back() != duty.shared_work()) works.push_back(duty.shared_work());
  }
  return distinct(std::move(works));
}

Events events_of(std::span<const OffloadDuty> duties) {
  Events events;
  for (const OffloadDuty& duty : duties) {
    const auto& after = duty.work().after();
    if (after != nullptr && (events.empty() || events.back() != after)) events.push_back(after);
  }
  return distinct(std::move(events));
}

}  // namespace

std::size_t Put::Source::events() const { return events_of(duties).size(); }

Put::Put(std::shared_ptr<Held> held, std::span<const SequenceHash> hashes, TieringFailure failure,
         std::span<const OffloadDuty> duties)
    : held_(std::move(held)),
      hashes_(hashes.begin(), hashes.end()),
      failure_(std::move(failure)),
      asked_(works_of(duties)) {}

Put::Begun Put::begin(TieringState& state, Source& source, BlockRun<MutableBlock<G2>> targets,
                      std::span<const SequenceHash> hashes) {
  if (!source.marked) state.pending().mark(hashes);
  PendingMarks marks(state.pending(), hashes);
  const auto held = std::make_shared<Held>(Held{std::move(targets), std::move(source.keepalive)});
  const Events events = events_of(source.duties);
  std::vector<EventView> after;
  for (const auto& event : events) after.push_back(event->view());
  TieringCopy copy{.operation = TieringFailure::Operation::Offload,
                   .source = source.layout,
                   .target = state.options().g2_layout,
                   .source_blocks = source.blocks,
                   .target_blocks = held->targets.ids(),
                   .hashes = hashes,
                   .after_events = after,
                   .keepalive = Keepalive(std::shared_ptr<Held>(held))};
  const TieringFailure failure = copy.failure();
  const std::shared_ptr<Put> put(new Put(held, hashes, failure, source.duties));
  TieringState::Jobs job{put};
  Ticket fresh = source.ticket.empty() && source.duties.empty() ? state.ticket() : Ticket();
  TieringState::Copied copied = state.copy(std::move(copy));
  if (!copied) return fail(std::move(copied.error()));
  put->copied_ = std::move(*copied);
  put->duties_ = std::move(source.duties);
  put->hold(fresh.empty() ? std::move(source.ticket) : std::move(fresh));
  state.add(std::move(job));
  marks.hand_over(hashes.size());
  return put;
}

std::shared_ptr<Put> Put::pass_on(TieringState& state, Source source, BlockRun<MutableBlock<G2>> targets,
                                  std::span<const SequenceHash> hashes) {
  Begun put = begin(state, source, std::move(targets), hashes);
  if (put) return std::move(*put);
  state.count({.lost_blocks = hashes.size()});
  state.report(std::move(put.error().failure));
  return nullptr;
}

bool Put::drop_if_unwanted() {
  if (asked_.empty()) return false;
  const auto given_up = [](const auto& work) { return work->given_up(); };
  return std::all_of(asked_.begin(), asked_.end(), given_up) && copied_.cancel();
}

/// The next batch may go on, and the sources go home, whichever way finish() ends.
class Put::Leaving {
 public:
  Leaving(const Put& put, TieringState& state) noexcept : put_(put), state_(state) {}
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  ~Leaving() {
    static_cast<void>(put_.copied_.wait());
    put_.held_->sources = Keepalive();
    if (!put_.duties_.empty()) state_.write_behind().ended();
  }

 private:
  const Put& put_;
  TieringState& state_;
};

void Put::finish(TieringState& state) {
  PendingMarks marks(state.pending(), hashes_);
  bool cancelled = false;
  std::optional<TieringFailure> failure;
  {
    const Leaving leaving(*this, state);
    cancelled = TieringState::cancelled(copied_);
    failure = TieringState::failed(copied_, failure_);
  }
  BlockRun<MutableBlock<G2>> targets = std::move(held_->targets);  // the device is through with the pages
  if (!failure) {
    state.arrived({PagesArrived::Tier::G2, targets.ids(), hashes_});
    enter_g2(state, std::move(targets), marks);
  } else if (cancelled) {
    state.count({.cancelled_blocks = hashes_.size()});
  } else {
    if (duties_.empty()) state.count({.lost_blocks = hashes_.size()});
    state.report(*failure);
  }
  finish_duties(!failure ? BlockProgress::Completed : cancelled ? BlockProgress::Cancelled : BlockProgress::Failed);
}

void Put::finish_duties(BlockProgress how) noexcept {
  for (OffloadDuty& duty : duties_) duty.finish(how);
  duties_.clear();
}

/// One block after another becomes idle, so that the last one is the youngest.
void Put::enter_g2(TieringState& state, BlockRun<MutableBlock<G2>> targets, PendingMarks& marks) {
  const std::vector<Registration> kept = state.keep_registrations(hashes_);
  const std::uint32_t tokens = state.g2().tokens_per_block();
  std::vector<MutableBlock<G2>> blocks = std::move(targets).into_blocks();
  std::uint64_t entered = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    MutableBlock<G2> block = std::move(blocks[i]);
    // In exclusive mode one that was computed anew meanwhile stays out. If it was evicted again, nobody has passed it
    // on as long as it was pending.
    const bool anew = state.exclusive() && state.is_in<G1>(hashes_[i]);
    if (anew) marks.release_first();
    if (!anew || !state.is_in<G1>(hashes_[i])) {
      state.page_records().set_raw(block.id());
      static_cast<void>(state.g2().register_block(std::move(std::move(block).stage(hashes_[i], tokens)).value()));
      ++entered;
    }
    if (!anew) marks.release_first();
  }
  state.count({.offloaded_blocks = entered});
}

}  // namespace kvbm
