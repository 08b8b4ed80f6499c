#include "kvbm/lookup/pinned_prefix_batch.hpp"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/lookup/device_prefix_index.hpp"
#include "tests/lookup/index_cases.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kBatchSeed = 47;

/// An index over one manager, and questions about chains of which some are there.
class PinnedPrefixBatchTest : public testing::Test {
 protected:
  void set_up(std::optional<std::uint64_t> delay_seed, std::uint32_t small_blocks) {
    device_ = EmulatedDevice::create({.delay_seed = delay_seed});
    index_.emplace(device_, DevicePrefixIndexOptions{.small_blocks = small_blocks});
    index_->add_tier(manager_);
    for (int i = 0; i < 20; ++i) runs_.push_back(test::registered(manager_, test::chain(i, 1 + random_() % 150)));
    index_->update();
  }
  /// Fills a batch and asks it; the answers are the host's.
  void expect_hosts_answers(PinnedPrefixBatch& batch, std::uint32_t requests, std::uint32_t length_max) {
    std::vector<std::uint32_t> offsets{0};
    std::vector<SequenceHash> hashes;
    for (std::uint32_t i = 0; i < requests; ++i) {
      const auto chain = test::chain(random_() % 30, random_() % (length_max + 1));
      hashes.insert(hashes.end(), chain.begin(), chain.end());
      offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
    }
    std::ranges::copy(offsets, batch.offsets().begin());
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      batch.fingerprints()[i] = index_->host_index().fingerprint(hashes[i]);
    }
    index_->look_up(batch, requests);
    PrefixAnswers expected;
    index_->host_index().look_up(offsets, hashes, expected);

    for (std::uint32_t i = 0; i < requests; ++i) {
      ASSERT_EQ(batch.prefixes()[i], expected.prefixes[i]) << "seed " << kBatchSeed << ", request " << i;
      for (std::uint32_t block = offsets[i]; block < offsets[i] + expected.prefixes[i]; ++block) {
        ASSERT_EQ(batch.hints()[block], expected.hints[block]) << "request " << i;
      }
    }
    ASSERT_EQ(batch.epoch_before(), expected.epoch_before);
    ASSERT_EQ(batch.epoch_after(), expected.epoch_after);
  }

  std::shared_ptr<EmulatedDevice> device_;
  BlockManager<G1> manager_ = test::manager<G1>({.blocks = 4000, .tokens_per_block = 4, .change_log = 8192});
  std::optional<DevicePrefixIndex> index_;
  std::vector<BlockRun<ImmutableBlock<G1>>> runs_;
  std::mt19937_64 random_{kBatchSeed};
};

TEST_F(PinnedPrefixBatchTest, AnswersAsTheHostDoesInOneLaunch) {
  set_up({}, 4096);
  PinnedPrefixBatch batch(device_, 40, 4096);
  for (std::uint32_t i = 1; i <= 10; ++i) expect_hosts_answers(batch, i * 4, 100);
}

// Longer than a piece of 128k blocks: pieces are whole requests, of which one is longer than a piece itself.
TEST_F(PinnedPrefixBatchTest, AnswersAsTheHostDoesInPieces) {
  for (const std::optional<std::uint64_t> delay_seed :
       {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(3)}) {
    runs_.clear();
    set_up(delay_seed, 0);
    PinnedPrefixBatch batch(device_, 2000, 500'000);
    expect_hosts_answers(batch, 40, 300);
    expect_hosts_answers(batch, 1800, 200);
    expect_hosts_answers(batch, 2, 150'000);
  }
}

TEST_F(PinnedPrefixBatchTest, ABatchMayBeAskedAgainAfterAnUpdate) {
  set_up({}, 0);
  PinnedPrefixBatch batch(device_, 30, 10'000);
  for (int i = 0; i < 5; ++i) {
    runs_.erase(runs_.begin());
    runs_.push_back(test::registered(manager_, test::chain(20 + i, 50)));
    index_->update();
    expect_hosts_answers(batch, 30, 200);
  }
}

TEST_F(PinnedPrefixBatchTest, NoRequestsAndRequestsWithoutBlocksAreAnswered) {
  set_up({}, 0);
  PinnedPrefixBatch batch(device_, 3, 1);
  index_->look_up(batch, 0);
  EXPECT_EQ(batch.epoch_before(), batch.epoch_after());

  std::ranges::fill(batch.offsets(), 0u);
  index_->look_up(batch, 3);
  EXPECT_EQ(std::vector<std::uint32_t>(batch.prefixes().begin(), batch.prefixes().end()),
            (std::vector<std::uint32_t>{0, 0, 0}));
}

TEST_F(PinnedPrefixBatchTest, ARefusedCallLeavesTheNextLookUpRight) {
  set_up({}, 0);
  PinnedPrefixBatch batch(device_, 40, 10'000);
  expect_hosts_answers(batch, 40, 200);
  for (std::uint64_t n = 1; n <= 4; ++n) {
    device_->add_fault({.kind = FaultKind::Copy, .n = device_->call_counts().copies + n});
    EXPECT_THROW(index_->look_up(batch, 40), DeviceError) << n;
    expect_hosts_answers(batch, 40, 200);
  }
  device_->add_fault({.kind = FaultKind::Launch, .n = device_->call_counts().launches + 1});
  EXPECT_THROW(index_->look_up(batch, 40), DeviceError);
  expect_hosts_answers(batch, 40, 200);
}

TEST_F(PinnedPrefixBatchTest, ABrokenDeviceEndsTheLookUpRatherThanHanging) {
  for (const std::uint32_t small_blocks : {0u, 4096u}) {
    runs_.clear();
    set_up({}, small_blocks);
    PinnedPrefixBatch batch(device_, 1, 10);
    batch.offsets()[1] = 10;
    device_->add_fault(
        {.kind = FaultKind::Launch, .n = device_->call_counts().launches + 1, .effect = DeviceFault::Effect::Break});
    EXPECT_THROW(index_->look_up(batch, 1), DeviceError);
  }
}

TEST_F(PinnedPrefixBatchTest, RoomForNothingIsRefused) {
  const auto device = EmulatedDevice::create();
  EXPECT_THROW(PinnedPrefixBatch(device, 0, 10), std::invalid_argument);
  EXPECT_THROW(PinnedPrefixBatch(device, 10, 0), std::invalid_argument);
}

TEST_F(PinnedPrefixBatchTest, OffsetsThatDoNotFitAreABug) {
  set_up({}, 0);
  PinnedPrefixBatch batch(device_, 2, 10);
  batch.offsets()[1] = 11;
  batch.offsets()[2] = 11;
  EXPECT_DEATH(index_->look_up(batch, 2), "beyond the fingerprints");
  batch.offsets()[1] = 5;
  batch.offsets()[2] = 4;
  EXPECT_DEATH(index_->look_up(batch, 2), "rise from 0");
  EXPECT_DEATH(index_->look_up(batch, 3), "more requests");
}

}  // namespace
}  // namespace kvbm
