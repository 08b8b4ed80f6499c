#include "src/host/tiering/put.hpp"

#include <cstdint>
#include <optional>

namespace kvbm {

std::shared_ptr<Put> Put::begin(TieringState& state, Source source, BlockRun<MutableBlock<G2>> targets,
                                std::span<const SequenceHash> hashes) {
  const auto held = std::make_shared<Held>(Held{std::move(targets), std::move(source.keepalive)});
  TieringCopy copy{TieringFailure::Operation::Offload,
                   source.layout,
                   state.options().g2_layout,
                   source.blocks,
                   held->targets.ids(),
                   hashes,
                   Keepalive(std::shared_ptr<Held>(held))};
  const TieringFailure failure = copy.failure();
  TieringState::Copied copied = state.copy(std::move(copy));
  if (!copied) {
    if (!source.write_behind) state.count({.lost_blocks = hashes.size()});
    state.report(std::move(copied.error()));
    return nullptr;
  }
  std::shared_ptr<Put> put(new Put(held, std::move(*copied), hashes, failure, source.write_behind));
  state.add(put);
  return put;
}

void Put::finish(TieringState& state) {
  const std::optional<TieringFailure> failure = TieringState::failed(copied_, failure_);
  BlockRun<MutableBlock<G2>> targets = std::move(held_->targets);  // the device is through with the pages
  held_->sources = Keepalive();
  if (write_behind_) state.write_behind().ended();
  if (failure) {
    if (!write_behind_) state.count({.lost_blocks = hashes_.size()});
    state.report(*failure);
    return;
  }
  state.arrived({PagesArrived::Tier::G2, targets.ids(), hashes_});
  enter_g2(state, std::move(targets));
}

/// One block after another becomes idle, so that the last one is the youngest.
void Put::enter_g2(TieringState& state, BlockRun<MutableBlock<G2>> targets) const {
  const std::vector<Registration> kept = state.keep_registrations(hashes_);
  const std::uint32_t tokens = state.g2().tokens_per_block();
  std::vector<MutableBlock<G2>> blocks = std::move(targets).into_blocks();
  std::uint64_t entered = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    MutableBlock<G2> block = std::move(blocks[i]);
    if (state.exclusive() && state.is_in<G1>(hashes_[i])) continue;  // computed anew meanwhile
    static_cast<void>(state.g2().register_block(std::move(std::move(block).stage(hashes_[i], tokens)).value()));
    ++entered;
  }
  state.count({.offloaded_blocks = entered});
}

}  // namespace kvbm
