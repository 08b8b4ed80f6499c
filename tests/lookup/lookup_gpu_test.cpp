#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "kernels/launchers.hpp"
#include "kvbm/device/cuda_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/lookup/device_prefix_index.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "kvbm/tokens/block_hash.hpp"
#include "src/host/lookup/device_table.hpp"
#include "tests/lookup/count_cases.hpp"
#include "tests/lookup/match_cases.hpp"

namespace kvbm {
namespace {

/// A GPU, and vectors that are copied there and back.
class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_cuda_device(0);
    if (!opened) GTEST_SKIP() << opened.error().reason;
    device_ = std::move(*opened);
    stream_.emplace(device_, StreamPriority::Normal, "test");
  }

  template <class T>
  Memory to_device(std::span<const T> values) {
    const Memory pinned = allocate_pinned(device_, values.size_bytes());
    Memory there = allocate_device(device_, values.size_bytes());
    std::memcpy(pinned.address(), values.data(), values.size_bytes());
    device_->copy(there.address(), pinned.address(), values.size_bytes(), stream_->view());
    device_->synchronize(stream_->view());
    return there;
  }
  template <class T>
  void to_host(const Memory& there, std::span<T> values) {
    const Memory pinned = allocate_pinned(device_, values.size_bytes());
    device_->copy(pinned.address(), there.address(), values.size_bytes(), stream_->view());
    device_->synchronize(stream_->view());
    std::memcpy(values.data(), pinned.address(), values.size_bytes());
  }

  std::shared_ptr<Device> device_;
  std::optional<Stream> stream_;
};

/// The fused kernel in both orders, and the passes of CUB, against the plain loop on the host.
template <class Case>
class MatchOnGpu : public OnGpu {};
using Cases = testing::Types<test::MatchCase<kernels::FingerprintSlot, std::uint64_t>,
                             test::MatchCase<kernels::FingerprintSlot, SequenceHash>,
                             test::MatchCase<kernels::ExactSlot, SequenceHash>>;
TYPED_TEST_SUITE(MatchOnGpu, Cases);

TYPED_TEST(MatchOnGpu, FusedAndInPassesAnswerAsTheHostDoes) {
  using Slot = typename TypeParam::Slot;
  const TypeParam the_case(1);
  const test::MatchAnswers expected = the_case.expected();
  DeviceTable table(this->device_);
  table.apply({1, true, {}, {}}, the_case.planner.table()->words());
  this->device_->synchronize(table.changed());
  const Memory keys = this->template to_device<typename TypeParam::Input>(the_case.keys);
  const Memory offsets = this->template to_device<std::uint32_t>(the_case.offsets);
  enum class Way { Fused, Passes };
  for (const Way way : {Way::Fused, Way::Passes}) {
    test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
    const Memory hints = this->template to_device<BlockHint>(answers.hints);
    const Memory prefixes = this->template to_device<std::uint32_t>(answers.prefixes);
    auto batch = the_case.batch(answers);
    batch.table = kernels::PrefixTableView<Slot>::over(reinterpret_cast<const Slot*>(table.words()), table.size());
    batch.keys = reinterpret_cast<const typename TypeParam::Input*>(keys.address());
    batch.offsets = reinterpret_cast<const std::uint32_t*>(offsets.address());
    batch.hints = reinterpret_cast<BlockHint*>(hints.address());
    batch.prefixes = reinterpret_cast<std::uint32_t*>(prefixes.address());
    if (way != Way::Passes) {
      kernels::launch_prefix_match(batch, this->stream_->view());
    } else {
      const auto count = static_cast<std::uint32_t>(the_case.keys.size());
      const Memory misses = allocate_device(this->device_, count * sizeof(std::uint32_t));
      auto* const missed = reinterpret_cast<std::uint32_t*>(misses.address());
      std::size_t bytes = 0;
      kernels::launch_prefix_match_in_passes(batch, count, missed, nullptr, bytes, this->stream_->view());
      const Memory scratch = allocate_device(this->device_, std::max<std::size_t>(bytes, 1));
      kernels::launch_prefix_match_in_passes(batch, count, missed, scratch.address(), bytes, this->stream_->view());
      this->device_->synchronize(this->stream_->view());
    }
    this->template to_host<BlockHint>(hints, answers.hints);
    this->template to_host<std::uint32_t>(prefixes, answers.prefixes);

    answers.expect_equal(expected, the_case.offsets);
    if (this->HasFatalFailure()) FAIL() << "way " << static_cast<int>(way);
  }
}

template <class Case>
class CountOnGpu : public OnGpu {};
using CountCases = testing::Types<test::CountCase<kernels::FingerprintSlot, std::uint64_t>,
                                  test::CountCase<kernels::FingerprintSlot, SequenceHash>,
                                  test::CountCase<kernels::ExactSlot, SequenceHash>>;
TYPED_TEST_SUITE(CountOnGpu, CountCases);

TYPED_TEST(CountOnGpu, PrefixesAreFoundBySearchAndByScan) {
  using Slot = typename TypeParam::Slot;
  for (const bool monotone : {true, false}) {
    TypeParam the_case(monotone);
    if (!monotone) the_case.add(600, 10, 5000, 589);  // a hole
    DeviceTable table(this->device_);
    table.apply({1, true, {}, {}}, the_case.planner.table()->words());
    this->device_->synchronize(table.changed());
    const Memory keys = this->template to_device<typename TypeParam::Input>(the_case.keys);
    const Memory offsets = this->template to_device<std::uint32_t>(the_case.offsets);
    std::vector<std::uint32_t> found(the_case.requests(), ~0u);
    const Memory prefixes = this->template to_device<std::uint32_t>(found);
    auto batch = the_case.batch(found);
    batch.table = kernels::PrefixTableView<Slot>::over(reinterpret_cast<const Slot*>(table.words()), table.size());
    batch.keys = reinterpret_cast<const typename TypeParam::Input*>(keys.address());
    batch.offsets = reinterpret_cast<const std::uint32_t*>(offsets.address());
    batch.prefixes = reinterpret_cast<std::uint32_t*>(prefixes.address());
    kernels::launch_prefix_match(batch, this->stream_->view());
    this->template to_host<std::uint32_t>(prefixes, found);

    EXPECT_EQ(found, the_case.expected) << (monotone ? "search" : "scan");
  }
}

TEST_F(OnGpu, TokenHashesAreTheHosts) {
  constexpr std::uint32_t kBlocks = 3000;
  for (const std::uint32_t block_size : {1u, 4u, 16u, 32u, 64u, 256u}) {
    std::mt19937 random(block_size);
    std::vector<Token> tokens(std::size_t{kBlocks} * block_size);
    for (Token& token : tokens) token = static_cast<Token>(random());
    const std::vector<std::uint32_t> offsets{0, 1000, 1000, kBlocks};
    const Memory on_device = to_device<Token>(tokens), begins = to_device<std::uint32_t>(offsets);
    const Memory hashes = allocate_device(device_, kBlocks * sizeof(SequenceHash));
    device_->launch(kernels::token_hash({reinterpret_cast<const std::uint32_t*>(on_device.address()),
                                         reinterpret_cast<const std::uint32_t*>(begins.address()), 3, kBlocks,
                                         block_size, nullptr, reinterpret_cast<SequenceHash*>(hashes.address())}),
                    stream_->view());
    std::vector<SequenceHash> found(kBlocks), expected(kBlocks);
    to_host<SequenceHash>(hashes, found);
    for (std::size_t request = 0; request < 3; ++request) {
      const std::size_t begin = offsets[request], count = offsets[request + 1] - begin;
      static_cast<void>(hash_blocks(std::span(tokens).subspan(begin * block_size, count * block_size),
                                    {.block_size = block_size}, std::span(expected).subspan(begin, count)));
    }

    EXPECT_EQ(found, expected) << "blocks of " << block_size;
  }
}

TEST_F(OnGpu, TheIndexAnswersAsItsHostDoesWhileItChanges) {
  for (const DevicePrefixIndexOptions& options :
       {DevicePrefixIndexOptions{}, DevicePrefixIndexOptions{.index = {.hashes = 16}, .small_blocks = 0},
        DevicePrefixIndexOptions{.index = {.exact = true}, .blocks_at_once = 333, .small_blocks = 0}}) {
    const auto manager = test::manager<G1>({.blocks = 2000, .tokens_per_block = 4, .change_log = 512});
    DevicePrefixIndex index(device_, options);
    index.add_tier(manager);
    std::mt19937_64 random(3);
    PrefixAnswers answers, expected;
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 5; ++i) {
        const auto run = test::registered(manager, test::chain(random() % 40, 1 + random() % 250));
      }
      const PrefixIndex::Update update = index.update();
      std::vector<std::uint32_t> offsets{0};
      std::vector<SequenceHash> hashes;
      for (std::uint64_t requests = 1 + random() % 30; requests-- > 0;) {
        const auto chain = test::chain(random() % 40, random() % 300);
        hashes.insert(hashes.end(), chain.begin(), chain.end());
        offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
      }
      index.look_up(offsets, hashes, answers);
      index.host_index().look_up(offsets, hashes, expected);

      ASSERT_EQ(answers.prefixes, expected.prefixes) << "round " << round;
      for (std::size_t request = 0; request + 1 < offsets.size(); ++request) {
        for (std::uint32_t i = 0; i < answers.prefixes[request]; ++i) {
          ASSERT_EQ(answers.hints[offsets[request] + i], expected.hints[offsets[request] + i]);
        }
      }
      ASSERT_EQ(answers.epoch_before, update.epoch);
      ASSERT_EQ(answers.epoch_after, update.epoch);
    }
  }
}

// In one piece without copies, in one with, and in pieces that cut requests.
TEST_F(OnGpu, TokensAreLookedUpAsOnTheHost) {
  constexpr std::uint32_t kBlockSize = 16;
  std::mt19937 random(17);
  std::vector<Token> tokens(200'000);
  for (Token& token : tokens) token = static_cast<Token>(random());
  const std::vector<std::uint32_t> offsets{0, 16 * 900, 16 * 900, 16 * 900 + 15, 150'001, 200'000};
  const std::vector<std::uint64_t> salts{1, 2, 3, 0, 5};
  const TokenRequests requests{offsets, tokens, kBlockSize, salts};
  const auto manager = test::manager<G1>({.blocks = 12'000, .tokens_per_block = kBlockSize, .change_log = 16'384});
  std::vector<SequenceHash> hashes(8000);
  static_cast<void>(hash_blocks(std::span(tokens).subspan(offsets[3]), {.block_size = kBlockSize}, hashes));
  const auto run = test::registered(manager, hashes);
  for (const DevicePrefixIndexOptions& options :
       {DevicePrefixIndexOptions{.small_blocks = 1u << 16}, DevicePrefixIndexOptions{.small_blocks = 0},
        DevicePrefixIndexOptions{.index = {.exact = true}, .blocks_at_once = 1000, .small_blocks = 0}}) {
    DevicePrefixIndex index(device_, options);
    index.add_tier(manager);
    index.update();
    PrefixAnswers answers, expected;
    index.look_up(requests, answers);
    index.host_index().look_up(requests, expected);

    EXPECT_EQ(expected.prefixes[3], 8000u);
    ASSERT_EQ(answers.prefixes, expected.prefixes);
    ASSERT_EQ(answers.offsets, expected.offsets);
    for (std::uint32_t i = 0; i < answers.prefixes[3]; ++i) {
      ASSERT_EQ(answers.hints[answers.offsets[3] + i], expected.hints[answers.offsets[3] + i]) << "block " << i;
    }
  }
}

// Small ones in one launch, large ones in pieces of 128k blocks.
TEST_F(OnGpu, APinnedBatchIsAnsweredAsOnTheHost) {
  const auto manager = test::manager<G1>({.blocks = 4000, .tokens_per_block = 4, .change_log = 8192});
  DevicePrefixIndex index(device_);
  index.add_tier(manager);
  std::vector<BlockRun<ImmutableBlock<G1>>> runs;
  for (std::uint64_t i = 0; i < 20; ++i) runs.push_back(test::registered(manager, test::chain(i, 10 + 9 * i)));
  index.update();
  PinnedPrefixBatch batch(device_, 4000, 1'000'000);
  for (const std::uint32_t requests : {1u, 30u, 4000u}) {
    std::vector<SequenceHash> hashes;
    std::vector<std::uint32_t> offsets{0};
    for (std::uint32_t i = 0; i < requests; ++i) {
      const auto chain = test::chain(i % 25, i * 7 % 200);
      hashes.insert(hashes.end(), chain.begin(), chain.end());
      offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
    }
    std::ranges::copy(offsets, batch.offsets().begin());
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      batch.fingerprints()[i] = index.host_index().fingerprint(hashes[i]);
    }
    index.look_up(batch, requests);
    PrefixAnswers expected;
    index.host_index().look_up(offsets, hashes, expected);

    for (std::uint32_t i = 0; i < requests; ++i) {
      ASSERT_EQ(batch.prefixes()[i], expected.prefixes[i]) << requests << " requests, request " << i;
      for (std::uint32_t block = offsets[i]; block < offsets[i] + expected.prefixes[i]; ++block) {
        ASSERT_EQ(batch.hints()[block], expected.hints[block]) << requests << " requests, request " << i;
      }
    }
    ASSERT_EQ(batch.epoch_before(), batch.epoch_after());
  }
}

}  // namespace
}  // namespace kvbm
