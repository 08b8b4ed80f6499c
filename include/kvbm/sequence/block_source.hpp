#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "kvbm/blocks/block_run.hpp"

namespace kvbm {

/// Where a sequence has its blocks from, and where they become findable: a BlockManager, or what stands in front of
/// one, such as a cache of several tiers that onboards what survived in a lower tier before it answers a match, and
/// sees what an allocation evicts.
///
/// match_blocks      the longest prefix of the hashes, in order, nothing else.
/// allocate          all blocks or none.
/// register_blocks   as many as it was given, in order; each may be another block of the same hash.
template <class Source, class Tier>
concept BlockSource = requires(Source& source, std::span<const SequenceHash> hashes, std::uint32_t count,
                               BlockRun<CompleteBlock<Tier>> complete) {
  { source.match_blocks(hashes) } -> std::same_as<BlockRun<ImmutableBlock<Tier>>>;
  { source.allocate(count) } -> std::same_as<std::optional<BlockRun<MutableBlock<Tier>>>>;
  { source.register_blocks(std::move(complete)) } -> std::same_as<BlockRun<ImmutableBlock<Tier>>>;
  { source.tokens_per_block() } -> std::convertible_to<std::uint32_t>;
};

}  // namespace kvbm
