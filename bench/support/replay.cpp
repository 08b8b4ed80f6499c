#include "bench/support/replay.hpp"

#include <algorithm>
#include <utility>

#include "bench/support/completed_run.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::bench {

void Replay::serve(std::span<const SequenceHash> request, std::span<const BlockHint> hints) {
  ++counts_.requests;
  counts_.input_blocks += request.size();
  const auto part = request.first(std::min<std::size_t>(request.size(), manager_.total_blocks()));
  Run held = match(part, hints.first(std::min(hints.size(), part.size())));
  counts_.hit_blocks += held.size();
  if (held.size() < part.size()) held.append(obtain(part.subspan(held.size())));
  release(std::move(held));
}

/// A look-up knows nothing of what came after it, so the match goes on where its guards end.
Replay::Run Replay::match(std::span<const SequenceHash> hashes, std::span<const BlockHint> hints) {
  Run run = manager_.match_hinted(hashes.first(hints.size()), hints);
  if (run.size() < hashes.size()) run.append(manager_.match_blocks(hashes.subspan(run.size())));
  for (std::uint32_t i = 0; i < run.size(); ++i) verify(run.id(i), hashes[i]);
  return run;
}

/// Blocks for hashes that no prefix led to. Few of them are present: those whose ancestors were evicted before them.
Replay::Run Replay::obtain(std::span<const SequenceHash> hashes) {
  const SparseRun<G1> present = manager_.match_scattered(hashes);
  if (present.found() == 0) return add(hashes);
  return completed_run(
      present, hashes, [this](BlockId id, const SequenceHash& hash) { verify(id, hash); },
      [this](std::span<const SequenceHash> missing) { return add(missing); });
}

Replay::Run Replay::add(std::span<const SequenceHash> hashes) {
  auto allocated = manager_.allocate(static_cast<std::uint32_t>(hashes.size()));
  KVBM_ASSERT(allocated.has_value(), "only this request holds blocks, and it needs no more than there are");
  for (std::uint32_t i = 0; i < allocated->size(); ++i) pages_.fill(allocated->id(i), hashes[i]);
  auto staged = std::move(*allocated).stage(hashes, manager_.tokens_per_block());
  return manager_.register_blocks(std::move(staged).value());
}

void Replay::release(Run run) const {
  if (order_ == ReleaseOrder::TailFirst) return;  // what a run does by itself
  for (ImmutableBlock<G1>& block : std::move(run).into_blocks()) {
    const ImmutableBlock<G1> dropped(std::move(block));
  }
}

void Replay::verify(BlockId id, const SequenceHash& hash) noexcept {
  ++counts_.verified_pages;
  if (!pages_.holds(id, hash)) ++counts_.corrupt_pages;
}

}  // namespace kvbm::bench
