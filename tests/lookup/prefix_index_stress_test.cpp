#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>

#include "tests/lookup/index_cases.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kChains = 200;
constexpr std::size_t kLength = 12;

/// Fills, evicts and resets as fast as it can.
void churn(const BlockManager<G1>& manager, const std::vector<std::vector<SequenceHash>>& chains, std::uint64_t seed,
           int rounds) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const std::span<const SequenceHash> chain = chains[random() % kChains];
    const std::span<const SequenceHash> part = chain.first(1 + random() % kLength);
    auto run = manager.allocate(static_cast<std::uint32_t>(part.size()));
    if (run) const auto held = manager.register_blocks(std::move(std::move(*run).stage(part, 4)).value());
    if (random() % 200 == 0) manager.reset_inactive_pool();
  }
}

// Blocks are evicted and reborn all the time, four thousand fingerprints stand for many more hashes, the log is short
// and overruns: whatever the hints say, a guard is of the hash that was asked for.
TEST(PrefixIndexStress, NoHintEverMakesAGuardOfAnotherHash) {
  constexpr std::uint64_t kSeed = 4711;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  for (const bool exact : {false, true}) {
    const auto manager = test::manager<G1>({.blocks = 256, .tokens_per_block = 4, .change_log = 128});
    std::vector<std::vector<SequenceHash>> chains;
    for (std::uint64_t number = 0; number < kChains; ++number) chains.push_back(test::chain(number, kLength));
    PrefixIndex index({.exact = exact, .fingerprint_bits = 16});
    index.add_tier(manager);

    std::atomic<int> churning{2};
    std::jthread updater([&] {
      while (churning.load() != 0) index.update();
    });
    std::vector<std::jthread> churners;
    for (std::uint64_t thread = 0; thread < 2; ++thread) {
      churners.emplace_back([&, thread] {
        churn(manager, chains, kSeed + thread, 4'000);
        --churning;
      });
    }
    std::mt19937_64 random(kSeed + 9);
    PrefixAnswers answers;
    std::uint64_t guards = 0;
    const auto ask_and_acquire = [&] {
      std::vector<std::uint32_t> offsets{0};
      std::vector<SequenceHash> hashes;
      for (int request = 0; request < 16; ++request) {
        const auto& chain = chains[random() % kChains];
        hashes.insert(hashes.end(), chain.begin(), chain.end());
        offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
      }
      index.look_up(offsets, hashes, answers);
      for (std::size_t request = 0; request < 16; ++request) {
        const auto asked = std::span(hashes).subspan(offsets[request], answers.prefixes[request]);
        const auto hints = std::span(answers.hints).subspan(offsets[request], answers.prefixes[request]);
        const auto run = index.acquire(manager, asked, hints);
        for (std::uint32_t i = 0; i < run.size(); ++i) ASSERT_EQ(run.hash(i), asked[i]);
        guards += run.size();
      }
    };
    while (churning.load() != 0 && !HasFatalFailure()) ask_and_acquire();
    churners.clear();
    updater.join();
    index.update();
    for (int again = 0; again < 1000 && !HasFatalFailure(); ++again) ask_and_acquire();

    EXPECT_GT(guards, 0u);
    index.check_invariants();
    manager.check_invariants();
    const auto lower = test::manager<G2>();
    test::expect_index_knows(index, answers, manager, lower);
  }
}

}  // namespace
}  // namespace kvbm
