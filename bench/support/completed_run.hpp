#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"

namespace kvbm::bench {

/// A run for all of `hashes`: the blocks that `present` has of them, and between them those that `add` makes for a span
/// of the hashes that are missing, all at once. `found(id, hash)` is called for each block that was there.
template <class Found, class Add>
[[nodiscard]] BlockRun<ImmutableBlock<G1>> completed_run(const SparseRun<G1>& present,
                                                         std::span<const SequenceHash> hashes, Found&& found,
                                                         Add&& add) {
  std::vector<SequenceHash> missing;
  for (std::uint32_t i = 0; i < present.size(); ++i) {
    if (present.has(i)) {
      found(present.ids()[i], hashes[i]);
    } else {
      missing.push_back(hashes[i]);
    }
  }
  std::vector<ImmutableBlock<G1>> added = add(std::span<const SequenceHash>(missing)).into_blocks();
  auto next = added.begin();
  std::vector<ImmutableBlock<G1>> blocks;
  blocks.reserve(hashes.size());
  for (std::uint32_t i = 0; i < present.size(); ++i) {
    std::optional<ImmutableBlock<G1>> block = present.block(i);
    blocks.push_back(std::move(block ? *block : *next++));
  }
  return BlockRun<ImmutableBlock<G1>>::of(std::move(blocks));
}

}  // namespace kvbm::bench
