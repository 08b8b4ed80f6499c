#include "kvbm/tiering/offloading.hpp"

#include "src/host/tiering/offload_work.hpp"
#include "src/host/tiering/tiering_state.hpp"

namespace kvbm {

TieringProgress Offloading::progress() const { return work_->progress(); }
std::vector<SequenceHash> Offloading::blocks(BlockProgress where) const { return work_->blocks(where); }
std::vector<Offloading::Finished> Offloading::take_finished() const { return work_->take_finished(); }

bool Offloading::advance() const {
  if (const std::shared_ptr<TieringState> state = state_.lock()) {
    state->poll();
    static_cast<void>(state->write_behind().begin(*state));
  }
  return work_->done();
}

void Offloading::wait() const {
  if (const std::shared_ptr<TieringState> state = state_.lock()) {
    state->drive([&] { return work_->done(); });
  }
}

void Offloading::cancel() const {
  if (const std::shared_ptr<TieringState> state = state_.lock()) {
    state->give_up(*work_);
  } else {
    static_cast<void>(work_->give_up());
  }
}

}  // namespace kvbm
