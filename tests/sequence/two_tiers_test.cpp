#include <gtest/gtest.h>

#include <map>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/blocks.hpp"

// A source of blocks need not be a manager: preemption through two tiers.
namespace kvbm::test {
namespace {

/// Two managers with their pages. What an allocation evicts from the upper one goes to the lower one; a match brings up
/// what the lower one has behind the upper one's prefix.
class TwoTiers {
 public:
  [[nodiscard]] BlockRun<ImmutableBlock<G1>> match_blocks(std::span<const SequenceHash> hashes) {
    auto prefix = device_.match_blocks(hashes);
    const auto below = host_.match_blocks(hashes.subspan(prefix.size()));
    auto targets = allocate(below.size());
    if (below.empty() || !targets) return prefix;
    for (std::uint32_t i = 0; i < below.size(); ++i) device_pages_[targets->id(i)] = host_pages_[below.id(i)];
    onboarded_ += below.size();
    auto staged = std::move(*targets).stage(hashes.subspan(prefix.size(), below.size()), kB);
    prefix.append(device_.register_blocks(std::move(*staged)));
    return prefix;
  }
  [[nodiscard]] std::optional<BlockRun<MutableBlock<G1>>> allocate(std::uint32_t count) {
    auto allocation = device_.allocate_with_evictions(count);
    if (!allocation) return std::nullopt;
    const auto fresh = static_cast<std::uint32_t>(count - allocation->evicted.size());
    for (std::uint32_t i = fresh; i < count; ++i) {
      const ImmutableBlock<G2> kept = registered(host_, allocation->evicted[i - fresh]);
      host_pages_[kept.id()] = device_pages_[allocation->blocks.id(i)];
    }
    return std::move(allocation->blocks);
  }
  [[nodiscard]] BlockRun<ImmutableBlock<G1>> register_blocks(BlockRun<CompleteBlock<G1>> blocks) {
    return device_.register_blocks(std::move(blocks));
  }
  [[nodiscard]] std::uint32_t tokens_per_block() const { return kB; }

  /// As an engine does: each block's page holds its hash from now on.
  void fill(const Schedulable& sequence) {
    for (std::size_t i = sequence.writable_from() / kB; i < sequence.num_blocks(); ++i) {
      device_pages_[sequence.page_indices()[i]] = sequence.hashes()[i];
    }
  }
  [[nodiscard]] bool holds(const Schedulable& sequence) {
    for (std::size_t i = 0; i < sequence.kv_position() / kB; ++i) {
      if (device_pages_[sequence.page_indices()[i]] != sequence.hashes()[i]) return false;
    }
    return true;
  }
  [[nodiscard]] std::uint32_t onboarded() const { return onboarded_; }
  [[nodiscard]] const BlockManager<G1>& device() const { return device_; }

 private:
  const BlockManager<G1> device_ = manager<G1>({.blocks = 6, .tokens_per_block = kB});
  const BlockManager<G2> host_ = manager<G2>({.blocks = 20, .tokens_per_block = kB});
  std::map<BlockId, SequenceHash> device_pages_, host_pages_;
  std::uint32_t onboarded_ = 0;
};

class SequenceOnTwoTiers : public testing::Test {
 protected:
  Schedulable prefilled(Token first, std::size_t tokens) {
    Schedulable sequence(counting_tokens(first, tokens), options(10));
    EXPECT_TRUE(sequence.schedule_prefill(tokens, tiers_).has_value());
    tiers_.fill(sequence);
    EXPECT_TRUE(sequence.apply_prefill(1, tiers_).has_value());
    return sequence;
  }
  TwoTiers tiers_;
};

TEST_F(SequenceOnTwoTiers, APreemptedRequestComesBackWithWhatSurvivedBelow) {
  Schedulable first = prefilled(0, 16);
  ASSERT_TRUE(first.release().has_value());
  {
    Schedulable second = prefilled(500, 24);  // takes the whole device
    EXPECT_EQ(tiers_.device().match_blocks(first.hashes()).size(), 0u);
  }

  EXPECT_TRUE(first.reacquire(tiers_).value());

  EXPECT_EQ(tiers_.onboarded(), 4u);
  EXPECT_EQ(first.kv_position(), 16u);
  EXPECT_TRUE(tiers_.holds(first));
  ASSERT_TRUE(first.schedule_prefill(1, tiers_).has_value());
  EXPECT_TRUE(first.apply_prefill(2, tiers_).has_value());
}

TEST_F(SequenceOnTwoTiers, ANewRequestStartsBehindWhatIsBelow) {
  { const Schedulable first = prefilled(0, 16); }
  { const Schedulable second = prefilled(500, 24); }
  Schedulable third(counting_tokens(0, 20), options(10));

  EXPECT_EQ(third.match_and_add_prefix(tiers_).value(), 4u);

  EXPECT_EQ(third.kv_position(), 16u);
  EXPECT_TRUE(tiers_.holds(third));
}

TEST_F(SequenceOnTwoTiers, APrefixBroughtUpBeforeIsHandedIn) {
  Schedulable first = prefilled(0, 16);
  ASSERT_TRUE(first.release().has_value());
  { const Schedulable second = prefilled(500, 24); }
  auto prefix = tiers_.match_blocks(first.hashes());

  EXPECT_TRUE(first.reacquire(tiers_, std::move(prefix)).value());

  EXPECT_EQ(first.kv_position(), 16u);
}

}  // namespace
}  // namespace kvbm::test
