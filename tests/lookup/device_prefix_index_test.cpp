#include "kvbm/lookup/device_prefix_index.hpp"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "kvbm/device/emulated_device.hpp"
#include "tests/lookup/index_cases.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kIndexSeed = 31;

struct Kind {
  const char* name;
  DevicePrefixIndexOptions options;
  std::optional<std::uint64_t> delay_seed;
};

/// On an emulated device, where copies are late and streams overtake one another.
class DevicePrefixIndexTest : public testing::TestWithParam<Kind> {
 protected:
  std::shared_ptr<EmulatedDevice> device_ = EmulatedDevice::create({.delay_seed = GetParam().delay_seed});
  BlockManager<G1> manager_ = test::manager<G1>({.blocks = 2000, .tokens_per_block = 4, .change_log = 512});
  BlockManager<G2> lower_ = test::manager<G2>({.blocks = 2000, .tokens_per_block = 4, .change_log = 4096});
  std::mt19937_64 random_{kIndexSeed};

  /// Requests of all lengths, some there for a part.
  void ask(std::vector<std::uint32_t>& offsets, std::vector<SequenceHash>& hashes, std::size_t requests) {
    offsets.assign(1, 0);
    hashes.clear();
    for (std::size_t i = 0; i < requests; ++i) {
      const auto chain = test::chain(random_() % 40, i % 7 == 0 ? 0 : 1 + random_() % 300);
      hashes.insert(hashes.end(), chain.begin(), chain.end());
      offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
    }
  }
  void change() {
    for (int i = 0; i < 5; ++i) {
      { const auto run = test::registered(manager_, test::chain(random_() % 40, 1 + random_() % 250)); }
      { const auto run = test::registered(lower_, test::chain(random_() % 40, 1 + random_() % 250)); }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(
    Kinds, DevicePrefixIndexTest,
    testing::Values(Kind{"Large", {.small_blocks = 0}, {}}, Kind{"Small", {}, {}},
                    Kind{"Pieces", {.blocks_at_once = 100, .small_blocks = 0}, 5},
                    Kind{"PiecesOfOne", {.blocks_at_once = 1, .small_blocks = 0}, {}},
                    Kind{"Exact", {.index = {.exact = true}, .blocks_at_once = 500, .small_blocks = 0}, 6},
                    Kind{"Growing", {.index = {.hashes = 16}, .blocks_at_once = 5000, .small_blocks = 500}, 7}),
    [](const auto& kind) { return kind.param.name; });

TEST_P(DevicePrefixIndexTest, AnswersAsTheHostDoesHoweverTheTableChanges) {
  DevicePrefixIndex index(device_, GetParam().options);
  index.add_tier(manager_);
  index.add_tier(lower_);
  std::vector<std::uint32_t> offsets;
  std::vector<SequenceHash> hashes;
  PrefixAnswers answers, expected;
  const bool single = GetParam().options.blocks_at_once == 1;
  std::uint64_t found = 0;
  for (int round = 0; round < 12; ++round) {
    change();
    const PrefixIndex::Update update = index.update();
    ask(offsets, hashes, single ? 3 : 1 + random_() % 40);
    index.look_up(offsets, hashes, answers);
    index.host_index().look_up(offsets, hashes, expected);

    ASSERT_EQ(answers.prefixes, expected.prefixes) << "seed " << kIndexSeed << ", round " << round;
    for (std::size_t request = 0; request + 1 < offsets.size(); ++request) {
      for (std::uint32_t i = 0; i < answers.prefixes[request]; ++i) {
        ASSERT_EQ(answers.hints[offsets[request] + i], expected.hints[offsets[request] + i]);
      }
      found += answers.prefixes[request];
    }
    ASSERT_EQ(answers.epoch_before, update.epoch);
    ASSERT_EQ(answers.epoch_after, update.epoch);
  }
  EXPECT_GT(found, 0u);
}

TEST_P(DevicePrefixIndexTest, NoRequestsAndRequestsWithoutBlocksAreAnswered) {
  DevicePrefixIndex index(device_, GetParam().options);
  PrefixAnswers answers;
  index.look_up({}, std::span<const SequenceHash>(), answers);
  EXPECT_TRUE(answers.prefixes.empty());

  const std::vector<std::uint32_t> offsets{0, 0, 0};
  index.look_up(offsets, std::span<const SequenceHash>(), answers);
  EXPECT_EQ(answers.prefixes, (std::vector<std::uint32_t>{0, 0}));
}

TEST(DevicePrefixIndex, SmallBatchesCopyNothing) {
  const auto device = EmulatedDevice::create();
  const auto manager = test::manager<G1>({.blocks = 16, .tokens_per_block = 4, .change_log = 64});
  DevicePrefixIndex index(device);
  index.add_tier(manager);
  const auto hashes = test::chain(1, 10);
  const auto run = test::registered(manager, std::span(hashes).first(6));
  index.update();
  const DeviceCallCounts before = device->call_counts();
  PrefixAnswers answers;
  const std::vector<std::uint32_t> offsets{0, 10};
  index.look_up(offsets, hashes, answers);

  EXPECT_EQ(answers.prefixes.front(), 6u);
  EXPECT_EQ(device->call_counts().copies, before.copies);
  EXPECT_EQ(device->call_counts().launches, before.launches + 1);
}

TEST(DevicePrefixIndex, FingerprintsAnswerAsHashesDo) {
  const auto manager = test::manager<G1>({.blocks = 16, .tokens_per_block = 4, .change_log = 64});
  DevicePrefixIndex index(EmulatedDevice::create());
  index.add_tier(manager);
  const auto hashes = test::chain(1, 10);
  const auto run = test::registered(manager, std::span(hashes).first(6));
  index.update();
  std::vector<std::uint64_t> fingerprints;
  for (const SequenceHash& hash : hashes) fingerprints.push_back(index.host_index().fingerprint(hash));

  PrefixAnswers by_hash, by_fingerprint;
  const std::vector<std::uint32_t> offsets{0, 10};
  index.look_up(offsets, hashes, by_hash);
  index.look_up(offsets, fingerprints, by_fingerprint);

  EXPECT_EQ(by_fingerprint.prefixes, by_hash.prefixes);
  EXPECT_EQ(by_fingerprint.prefixes.front(), 6u);
  EXPECT_TRUE(std::equal(by_hash.hints.begin(), by_hash.hints.begin() + 6, by_fingerprint.hints.begin()));
}

TEST(DevicePrefixIndex, WhatAFailedUpdateLostTheNextOneSends) {
  const auto device = EmulatedDevice::create();
  const auto manager = test::manager<G1>({.blocks = 16, .tokens_per_block = 4, .change_log = 64});
  DevicePrefixIndex index(device);
  index.add_tier(manager);
  index.update();
  const auto hashes = test::chain(1, 10);
  const auto run = test::registered(manager, hashes);
  device->add_fault({.kind = FaultKind::Copy, .n = device->call_counts().copies + 1});

  EXPECT_THROW(index.update(), DeviceError);
  index.update();

  PrefixAnswers answers;
  const std::vector<std::uint32_t> offsets{0, 10};
  index.look_up(offsets, hashes, answers);
  EXPECT_EQ(answers.prefixes.front(), 10u);
}

TEST(DevicePrefixIndex, ARefusedLookUpLeavesTheNextOneRight) {
  const auto device = EmulatedDevice::create();
  const auto manager = test::manager<G1>({.blocks = 16, .tokens_per_block = 4, .change_log = 64});
  DevicePrefixIndex index(device, {.blocks_at_once = 3, .small_blocks = 0});
  index.add_tier(manager);
  const auto hashes = test::chain(1, 10);
  const auto run = test::registered(manager, hashes);
  index.update();
  PrefixAnswers answers;
  const std::vector<std::uint32_t> offsets{0, 10};
  for (std::uint64_t n = 1; n <= 3; ++n) {
    device->add_fault({.kind = FaultKind::Launch, .n = device->call_counts().launches + n});
    EXPECT_THROW(index.look_up(offsets, hashes, answers), DeviceError) << n;
    index.look_up(offsets, hashes, answers);
    EXPECT_EQ(answers.prefixes.front(), 10u);
  }
}

TEST(DevicePrefixIndex, ABrokenDeviceEndsTheLookUpRatherThanHanging) {
  const auto device = EmulatedDevice::create();
  DevicePrefixIndex index(device);
  const auto hashes = test::chain(1, 10);
  const std::vector<std::uint32_t> offsets{0, 10};
  PrefixAnswers answers;
  device->add_fault(
      {.kind = FaultKind::Launch, .n = device->call_counts().launches + 1, .effect = DeviceFault::Effect::Break});

  EXPECT_THROW(index.look_up(offsets, hashes, answers), DeviceError);
}

TEST(DevicePrefixIndex, PiecesOfNothingAreRefused) {
  EXPECT_THROW(DevicePrefixIndex(EmulatedDevice::create(), {.blocks_at_once = 0, .small_blocks = 0}),
               std::invalid_argument);
  EXPECT_THROW(DevicePrefixIndex(EmulatedDevice::create(), {.blocks_at_once = 10}), std::invalid_argument);
}

}  // namespace
}  // namespace kvbm
