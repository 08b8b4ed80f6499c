// Threads ask for prefixes, give them up or walk away, compute the rest, offload it, give that up too, and settle; at
// the end every page is accounted for and carries its own bytes. KVBM_SWEEP=all does so for much longer.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/tiering/sweep.hpp"
#include "tests/tiering/tiered_client.hpp"

namespace kvbm::test {
namespace {

struct SoakCase {
  const char* name;
  TierMode mode;
  OffloadPolicy offload;
  bool faults;
};

/// One of the threads.
class Soaker {
 public:
  Soaker(TieredWorld& world, const Prompts& prompts, const SoakCase& tested, std::uint64_t seed)
      : world_(world), prompts_(prompts), tested_(tested), random_(seed) {}

  void serve() {
    const auto& request = prompts_.requests[one_of(prompts_.requests.size())];
    std::optional<BlockRun<ImmutableBlock<G1>>> prefix = take_prefix(request);
    if (prefix) compute(std::span(request).subspan(prefix->size()));
    prefix.reset();
    if (one_of(4) == 0) world_.cache().advance();
    const SettlementToken token = world_.cache().token();
    if (one_of(8) == 0) {
      EXPECT_TRUE(world_.cache().settle(token));
    } else if (one_of(8) == 0) {
      EXPECT_TRUE(world_.cache().settled(token).has_value());
    }
  }
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }

 private:
  [[nodiscard]] std::uint64_t one_of(std::uint64_t count) { return random_() % count; }

  /// The prefix, unless the request is given up.
  std::optional<BlockRun<ImmutableBlock<G1>>> take_prefix(std::span<const SequenceHash> request) {
    Onboarding onboarding = world_.cache().onboard(world_.cache().match(request));
    if (one_of(4) == 0) static_cast<void>(onboarding.advance());
    const bool gives_up = one_of(3) == 0;
    if (gives_up) onboarding.cancel();
    if (one_of(4) == 0) return std::nullopt;
    Onboarded onboarded = std::move(onboarding).finish();
    failures_ += onboarded.failure ? 1 : 0;
    for (std::uint32_t i = 0; i < onboarded.prefix.size(); ++i) {
      EXPECT_EQ(onboarded.prefix.hash(i), request[i]);
      EXPECT_TRUE(world_.holds_g1(onboarded.prefix.id(i), request[i]));
    }
    return std::move(onboarded.prefix);
  }
  void compute(std::span<const SequenceHash> rest) {
    if (rest.empty() || one_of(3) == 0) return;
    std::optional<TieredAllocation> allocation = world_.cache().allocate(rest);
    if (!allocation || one_of(8) == 0) return;
    BlockRun<MutableBlock<G1>> blocks = std::move(*allocation).take();
    world_.fill(blocks.ids(), rest);
    const auto registered = world_.cache().register_blocks(
        std::move(std::move(blocks).stage(rest, world_.g1().tokens_per_block())).value());
    if (tested_.offload != OffloadPolicy::WhenAsked) return;
    const Offloading offloading = world_.cache().offload(rest);
    if (one_of(2) == 0) static_cast<void>(offloading.advance());
    if (one_of(2) == 0) offloading.cancel();
    if (one_of(2) == 0) offloading.wait();
  }

  TieredWorld& world_;
  const Prompts& prompts_;
  const SoakCase& tested_;
  std::mt19937_64 random_;
  std::uint64_t failures_ = 0;
};

void soak(const SoakCase& tested, std::uint64_t seed) {
  const Prompts prompts = random_prompts(seed, 60, 6);
  TieredWorld::Options options{.g1_blocks = 20,
                               .g2_blocks = 16,
                               .mode = tested.mode,
                               .offload = tested.offload,
                               .offload_blocks_max = 3,
                               .staging_blocks = 2,
                               .bytes_in_flight_max = 512};
  if (seed % 2 == 0) options.device.delay_seed = seed;
  TieredWorld world(options);
  const DeviceCallCounts made = world.device()->call_counts();
  for (std::uint64_t n = 1; tested.faults && n <= 20; ++n) {
    world.device()->add_fault({FaultKind::Launch, made.launches + 41 * n});
    world.device()->add_fault({FaultKind::Copy, made.copies + 43 * n});
    world.device()->add_fault({FaultKind::Event, made.events + 211 * n});
  }
  std::vector<Soaker> soakers;
  for (std::uint64_t i = 0; i < 3; ++i) soakers.emplace_back(world, prompts, tested, 10 * seed + i);
  {
    std::vector<std::jthread> threads;
    for (Soaker& soaker : soakers) {
      threads.emplace_back([&] {
        for (int round = 0; round < 120; ++round) soaker.serve();
      });
    }
  }
  world.cache().settle();
  EXPECT_TRUE(world.cache().settled(world.cache().token()).value());
  std::uint64_t told = world.cache().take_failures().size();
  for (const Soaker& soaker : soakers) told += soaker.failures();
  EXPECT_EQ(world.cache().counts().failures, told);
  if (!tested.faults) {
    EXPECT_EQ(told, 0u);
  }
  world.expect_sound(prompts.universe);
}

class Soak : public testing::TestWithParam<SoakCase> {};

TEST_P(Soak, EveryPageIsAccountedFor) {
  const std::uint64_t seeds = sweeps_all() ? 60 : 2;
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(std::string(GetParam().name) + ", seed " + std::to_string(seed));
    soak(GetParam(), seed);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Soak,
    testing::Values(SoakCase{"Exclusive", TierMode::Exclusive, OffloadPolicy::OnEviction, false},
                    SoakCase{"ExclusiveFaults", TierMode::Exclusive, OffloadPolicy::OnEviction, true},
                    SoakCase{"Inclusive", TierMode::Inclusive, OffloadPolicy::OnEviction, false},
                    SoakCase{"WriteBehind", TierMode::Inclusive, OffloadPolicy::WriteBehind, false},
                    SoakCase{"WhenAsked", TierMode::Inclusive, OffloadPolicy::WhenAsked, false},
                    SoakCase{"WhenAskedFaults", TierMode::Inclusive, OffloadPolicy::WhenAsked, true}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace kvbm::test
