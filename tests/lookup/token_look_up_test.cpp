#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/lookup/device_prefix_index.hpp"
#include "tests/lookup/index_cases.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kSeed = 53;
constexpr std::uint32_t kBlockSize = 4;

/// Requests of tokens, some of which begin alike, with what makes spans of them.
struct Prompts {
  std::vector<std::uint32_t> offsets{0};
  std::vector<Token> tokens;
  std::vector<std::uint64_t> salts;

  void add(std::uint32_t family, std::size_t length, std::uint64_t salt) {
    std::mt19937 random(family);
    for (std::size_t i = 0; i < length; ++i) tokens.push_back(static_cast<Token>(random()));
    offsets.push_back(static_cast<std::uint32_t>(tokens.size()));
    salts.push_back(salt);
  }
  [[nodiscard]] TokenRequests requests(bool salted) const {
    return {offsets, tokens, kBlockSize, salted ? std::span(salts) : std::span<const std::uint64_t>()};
  }
  [[nodiscard]] std::vector<SequenceHash> hashes(std::size_t request, bool salted) const {
    const std::size_t begin = offsets[request], length = offsets[request + 1] - begin;
    std::vector<SequenceHash> all(length / kBlockSize);
    static_cast<void>(hash_blocks(std::span(tokens).subspan(begin, length),
                                  {.block_size = kBlockSize, .salt = salted ? salts[request] : 0}, all));
    return all;
  }
};

struct TokenKind {
  const char* name;
  DevicePrefixIndexOptions options;
  std::optional<std::uint64_t> delay_seed;
};

class TokenLookUpTest : public testing::TestWithParam<TokenKind> {
 protected:
  std::shared_ptr<EmulatedDevice> device_ = EmulatedDevice::create({.delay_seed = GetParam().delay_seed});
  BlockManager<G1> manager_ = test::manager<G1>({.blocks = 8000, .tokens_per_block = kBlockSize, .change_log = 16'384});
  std::mt19937_64 random_{kSeed};

  Prompts prompts(std::size_t requests, std::size_t tokens_max) {
    Prompts prompts;
    for (std::size_t i = 0; i < requests; ++i) {
      prompts.add(static_cast<std::uint32_t>(random_() % 10), i % 6 == 0 ? random_() % 4 : random_() % tokens_max,
                  random_() % 2);
    }
    return prompts;
  }
};

INSTANTIATE_TEST_SUITE_P(
    Kinds, TokenLookUpTest,
    testing::Values(TokenKind{"Large", {.small_blocks = 0}, {}}, TokenKind{"Small", {}, {}},
                    TokenKind{"Pieces", {.blocks_at_once = 100, .small_blocks = 0}, 5},
                    TokenKind{"HashedOnTheHost", {.blocks_at_once = 1, .small_blocks = 0}, {}},
                    TokenKind{"ShortFingerprints", {.index = {.fingerprint_bits = 16}, .small_blocks = 0}, {}},
                    TokenKind{"Exact", {.index = {.exact = true}, .blocks_at_once = 70, .small_blocks = 10}, 6}),
    [](const auto& kind) { return kind.param.name; });

TEST_P(TokenLookUpTest, IsTheLookUpOfTheTokensHashes) {
  DevicePrefixIndex index(device_, GetParam().options);
  index.add_tier(manager_);
  std::vector<BlockRun<ImmutableBlock<G1>>> runs;
  const Prompts known = prompts(24, 500);
  for (std::size_t i = 0; i < 24; ++i) runs.push_back(test::registered(manager_, known.hashes(i, true)));
  index.update();
  const bool single = GetParam().options.blocks_at_once == 1;
  std::uint64_t found = 0;
  for (int round = 0; round < 6; ++round) {
    const bool salted = round % 2 == 0;
    const Prompts asked = prompts(round == 5 ? 3 : 40, single ? 60 : round == 5 ? 4000 : 600);
    std::vector<std::uint32_t> offsets{0};
    std::vector<SequenceHash> hashes;
    for (std::size_t request = 0; request + 1 < asked.offsets.size(); ++request) {
      const auto some = asked.hashes(request, salted);
      hashes.insert(hashes.end(), some.begin(), some.end());
      offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
    }
    PrefixAnswers expected, on_device, on_host;
    index.host_index().look_up(offsets, hashes, expected);
    index.look_up(asked.requests(salted), on_device);
    index.host_index().look_up(asked.requests(salted), on_host);

    for (const PrefixAnswers* answers : {&on_device, &on_host}) {
      ASSERT_EQ(answers->offsets, offsets);
      ASSERT_EQ(answers->prefixes, expected.prefixes) << "seed " << kSeed << ", round " << round;
      for (std::size_t request = 0; request + 1 < offsets.size(); ++request) {
        for (std::uint32_t i = offsets[request]; i < offsets[request] + expected.prefixes[request]; ++i) {
          ASSERT_EQ(answers->hints[i], expected.hints[i]);
        }
        found += answers->prefixes[request];
      }
      ASSERT_EQ(answers->epoch_before, expected.epoch_before);
    }
  }
  EXPECT_GT(found, 100u);
}

TEST_P(TokenLookUpTest, NoRequestsAndRequestsWithoutAFullBlockAreAnswered) {
  DevicePrefixIndex index(device_, GetParam().options);
  PrefixAnswers answers;
  index.look_up(TokenRequests{.offsets = {}, .tokens = {}, .block_size = kBlockSize}, answers);
  EXPECT_TRUE(answers.prefixes.empty());

  Prompts prompts;
  prompts.add(1, kBlockSize - 1, 0);
  prompts.add(1, 0, 0);
  index.look_up(prompts.requests(false), answers);
  EXPECT_EQ(answers.prefixes, (std::vector<std::uint32_t>{0, 0}));
  EXPECT_EQ(answers.offsets, (std::vector<std::uint32_t>{0, 0, 0}));
}

TEST(TokenLookUp, HashesDoNotComeBackFromTheDevice) {
  const auto device = EmulatedDevice::create();
  const auto manager = test::manager<G1>({.blocks = 64, .tokens_per_block = kBlockSize, .change_log = 256});
  Prompts prompts;
  prompts.add(1, 40, 0);
  const auto hashes = prompts.hashes(0, false);
  const auto run = test::registered(manager, std::span(hashes).first(7));
  for (const std::uint32_t small_blocks : {0u, 4096u}) {
    DevicePrefixIndex index(device, {.small_blocks = small_blocks});
    index.add_tier(manager);
    index.update();
    const DeviceCallCounts before = device->call_counts();
    PrefixAnswers answers;
    index.look_up(prompts.requests(false), answers);

    EXPECT_EQ(answers.prefixes.front(), 7u);
    EXPECT_EQ(device->call_counts().launches, before.launches + 2);
    EXPECT_EQ(device->call_counts().copies, before.copies + (small_blocks == 0 ? 2 : 0));
  }
}

TEST(TokenLookUp, BlocksOfNoTokensAreRefused) {
  DevicePrefixIndex index(EmulatedDevice::create());
  PrefixAnswers answers;
  EXPECT_THROW(index.look_up(TokenRequests{}, answers), std::invalid_argument);
  EXPECT_THROW(index.host_index().look_up(TokenRequests{}, answers), std::invalid_argument);
}

TEST(TokenLookUp, ARefusedCallLeavesTheNextLookUpRight) {
  const auto device = EmulatedDevice::create();
  const auto manager = test::manager<G1>({.blocks = 64, .tokens_per_block = kBlockSize, .change_log = 256});
  DevicePrefixIndex index(device, {.blocks_at_once = 8, .small_blocks = 0});
  index.add_tier(manager);
  Prompts prompts;
  prompts.add(1, 200, 0);
  const auto run = test::registered(manager, prompts.hashes(0, false));
  index.update();
  PrefixAnswers answers;
  for (std::uint64_t n = 1; n <= 6; ++n) {
    device->add_fault({.kind = FaultKind::Launch, .n = device->call_counts().launches + n});
    EXPECT_THROW(index.look_up(prompts.requests(false), answers), DeviceError) << n;
    index.look_up(prompts.requests(false), answers);
    EXPECT_EQ(answers.prefixes.front(), 50u);
  }
}

}  // namespace
}  // namespace kvbm
