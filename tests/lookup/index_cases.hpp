#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kvbm/lookup/prefix_index.hpp"

namespace kvbm::test {

/// The length of one request's prefix; its hints are at the start of `answers`.
[[nodiscard]] inline std::uint32_t prefix_of(const PrefixIndex& index, std::span<const SequenceHash> hashes,
                                             PrefixAnswers& answers) {
  const std::vector<std::uint32_t> offsets{0, static_cast<std::uint32_t>(hashes.size())};
  index.look_up(offsets, hashes, answers);
  return answers.prefixes.front();
}

/// Every block that a manager has is in the index, and what the index has of it is there: as many as it says, all in
/// the faster of two tiers. Where fingerprints are shared, the hint may be at another block with the same.
template <class Fast, class Slow>
void expect_index_knows(const PrefixIndex& index, PrefixAnswers& answers, const BlockManager<Fast>& fast,
                        const BlockManager<Slow>& slow) {
  const std::vector<RegisteredBlocks::Block> in_fast = fast.registered_blocks().blocks;
  const std::vector<RegisteredBlocks::Block> in_slow = slow.registered_blocks().blocks;
  const auto check = [&](const std::vector<RegisteredBlocks::Block>& blocks) {
    for (const RegisteredBlocks::Block& block : blocks) {
      ASSERT_EQ(prefix_of(index, {&block.hash, 1}, answers), 1u) << block.hash.text();
      const BlockHint hint = answers.hints.front();
      const std::vector<RegisteredBlocks::Block>& there = hint.tier() == 0 ? in_fast : in_slow;
      const auto found = std::ranges::find(there, hint.id(), &RegisteredBlocks::Block::id);
      ASSERT_NE(found, there.end());
      ASSERT_EQ(found->generation & BlockHint::kGenerationMask, hint.generation());
      ASSERT_EQ(index.fingerprint(found->hash), index.fingerprint(block.hash));
    }
  };
  check(in_fast);
  check(in_slow);
}

}  // namespace kvbm::test
