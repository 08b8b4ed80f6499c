#include <gtest/gtest.h>

#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

/// Hints for all that is registered, as an index would keep them.
std::vector<BlockHint> hints_for(const BlockManager<G1>& manager, std::span<const SequenceHash> hashes) {
  std::vector<BlockHint> hints(hashes.size());
  for (const RegisteredBlocks::Block& block : manager.registered_blocks().blocks) {
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      if (hashes[i] == block.hash) hints[i] = BlockHint(0, block.id, block.generation);
    }
  }
  return hints;
}

class MatchHinted : public testing::Test {
 protected:
  BlockManager<G1> manager_ = test::manager({.blocks = 6, .tokens_per_block = 4});
  std::vector<SequenceHash> hashes_ = test::chain(1, 4);
};

TEST_F(MatchHinted, PinsWhatIsWhereTheHintsSay) {
  { const auto run = test::registered(manager_, hashes_); }
  const std::vector<BlockHint> hints = hints_for(manager_, hashes_);

  const auto found = manager_.match_hinted(hashes_, hints);

  ASSERT_EQ(found.size(), 4u);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(found.hash(i), hashes_[i]);
  EXPECT_EQ(manager_.available_blocks(), 2u);
  manager_.check_invariants();
}

TEST_F(MatchHinted, StopsAtTheFirstHintThatIsMissing) {
  { const auto run = test::registered(manager_, hashes_); }
  std::vector<BlockHint> hints = hints_for(manager_, hashes_);
  hints[2] = {};

  EXPECT_EQ(manager_.match_hinted(hashes_, hints).size(), 2u);
  hints[0] = {};
  EXPECT_TRUE(manager_.match_hinted(hashes_, hints).empty());
}

TEST_F(MatchHinted, StopsAtABlockThatWasEvicted) {
  { const auto run = test::registered(manager_, hashes_); }
  const std::vector<BlockHint> hints = hints_for(manager_, hashes_);
  const auto victims = manager_.allocate(3);  // two free ones and the leaf

  EXPECT_EQ(manager_.match_hinted(hashes_, hints).size(), 3u);
}

TEST_F(MatchHinted, StopsAtASlotThatHoldsAnotherHash) {
  { const auto run = test::registered(manager_, hashes_); }
  std::vector<BlockHint> hints = hints_for(manager_, hashes_);
  std::swap(hints[1], hints[2]);

  EXPECT_EQ(manager_.match_hinted(hashes_, hints).size(), 1u);
}

TEST_F(MatchHinted, StopsAtAnotherTenancyOfTheSameHashInTheSameSlot) {
  const auto manager = test::manager({.blocks = 1, .tokens_per_block = 4});
  { const auto first = test::registered(manager, hashes_[0]); }
  const std::vector<BlockHint> hints = hints_for(manager, std::span(hashes_).first(1));
  manager.reset_inactive_pool();
  { const auto again = test::registered(manager, hashes_[0]); }

  EXPECT_TRUE(manager.match_hinted(std::span(hashes_).first(1), hints).empty());
}

TEST_F(MatchHinted, AStagedBlockIsNotFound) {
  auto run = std::move(*manager_.allocate(1));
  const BlockId id = run.id(0);
  const auto staged = std::move(run).stage(std::span(hashes_).first(1), 4);

  const BlockHint hint(0, id, 0);
  EXPECT_TRUE(manager_.match_hinted(std::span(hashes_).first(1), {&hint, 1}).empty());
}

TEST_F(MatchHinted, AnIdBeyondTheManagerIsAMiss) {
  const BlockHint hint(0, 6, 0);

  EXPECT_TRUE(manager_.match_hinted(std::span(hashes_).first(1), {&hint, 1}).empty());
}

TEST_F(MatchHinted, CountsAndTouchesOnlyWhatItReturns) {
  const auto tracker = std::make_shared<test::CountingTracker>();
  const auto manager =
      test::manager({.blocks = 6, .tokens_per_block = 4, .registry = BlockRegistry({.tracker = tracker})});
  { const auto run = test::registered(manager, std::span(hashes_).first(2)); }
  const std::vector<BlockHint> hints = hints_for(manager, hashes_);
  tracker->reset();

  { const auto found = manager.match_hinted(hashes_, hints); }

  EXPECT_EQ(tracker->touches(), 2u);
  EXPECT_EQ(manager.metrics().match_hashes_requested, 2u);
  EXPECT_EQ(manager.metrics().match_blocks_returned, 2u);
}

TEST_F(MatchHinted, RepeatedHashesArePinnedAsOftenAsTheyOccur) {
  { const auto one = test::registered(manager_, hashes_[0]); }
  const std::vector<SequenceHash> twice(3, hashes_[0]);
  {
    const auto found = manager_.match_hinted(twice, hints_for(manager_, twice));
    EXPECT_EQ(found.size(), 3u);
  }
  EXPECT_EQ(manager_.available_blocks(), 6u);
  manager_.check_invariants();
}

TEST_F(MatchHinted, HintsKeepTheirParts) {
  constexpr BlockHint hint(14, 0x3FFF'FFFFu, 0xABCD'EF12u);
  static_assert(hint.present() && hint.tier() == 14 && hint.id() == 0x3FFF'FFFFu);
  static_assert(hint.generation() == (0xABCD'EF12u & BlockHint::kGenerationMask));
  static_assert(BlockHint::from_bits(hint.bits() | BlockHint::kTableBit) == hint);
  static_assert(!BlockHint().present() && BlockHint(0, 0, 0).present());
}

}  // namespace
}  // namespace kvbm
