#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "kvbm/tokens/token_block.hpp"
#include "tests/support/managers.hpp"

namespace kvbm::test {

/// A sequence's first block: `size` tokens that count up from `first`.
[[nodiscard]] inline TokenBlock token_block(std::uint32_t size, Token first = 0) {
  std::vector<Token> tokens(size);
  std::iota(tokens.begin(), tokens.end(), first);
  return TokenBlock(std::move(tokens), BlockPlace{});
}

/// Hashes of `count` unrelated roots, numbered from `first`.
[[nodiscard]] inline std::vector<SequenceHash> roots(std::uint64_t first, std::uint64_t count) {
  std::vector<SequenceHash> hashes;
  for (std::uint64_t i = 0; i < count; ++i) hashes.push_back(hash(first + i));
  return hashes;
}

/// Allocates a run; the manager has the blocks.
template <class Tier>
[[nodiscard]] BlockRun<MutableBlock<Tier>> allocated(const BlockManager<Tier>& manager, std::uint32_t count) {
  return std::move(manager.allocate(count)).value();
}

/// Allocates one block; the manager has it.
template <class Tier>
[[nodiscard]] MutableBlock<Tier> allocated_block(const BlockManager<Tier>& manager) {
  return std::move(manager.allocate_block()).value();
}

/// Allocates and stages a run.
template <class Tier>
[[nodiscard]] BlockRun<CompleteBlock<Tier>> staged(const BlockManager<Tier>& manager,
                                                   std::span<const SequenceHash> hashes) {
  auto run = allocated(manager, static_cast<std::uint32_t>(hashes.size()));
  return std::move(std::move(run).stage(hashes, manager.tokens_per_block())).value();
}

/// Drops guards one by one, the first one first.
template <class Guard>
void drop_in_order(std::vector<Guard> guards) {
  for (Guard& guard : guards) const Guard dropped(std::move(guard));
}

/// Registers blocks and lets them go in order of the hashes.
template <class Tier>
void make_idle(const BlockManager<Tier>& manager, std::span<const SequenceHash> hashes) {
  drop_in_order(registered(manager, hashes).into_blocks());
}

template <class Run>
[[nodiscard]] std::vector<BlockId> ids_of(const Run& run) {
  return {run.ids().begin(), run.ids().end()};
}

/// The order in which the manager hands out all that is available now.
template <class Tier>
[[nodiscard]] std::vector<BlockId> allocation_order(const BlockManager<Tier>& manager) {
  return ids_of(allocated(manager, manager.available_blocks()));
}

template <class Tier>
[[nodiscard]] bool is_present(const BlockManager<Tier>& manager, const SequenceHash& hash) {
  return manager.registry().template check_presence<Tier>(std::span(&hash, 1)).front().second;
}

}  // namespace kvbm::test
