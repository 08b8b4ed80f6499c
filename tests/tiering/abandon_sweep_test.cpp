// A client walks away after any step: with what it holds, or with the cache, or with all of it, in either order.
// KVBM_SWEEP=all takes every step of several replays.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/tiering/sweep.hpp"
#include "tests/tiering/tiered_client.hpp"

namespace kvbm::test {
namespace {

enum class Dropped {
  Request,         // what is in hand; the next request follows
  GivenUp,         // the same, after what can be given up was
  HandThenCache,   // and then everything else
  CacheThenHand,   // guards outlive cache and managers
  EngineThenHand,  // and the engine
};

struct Abandoned {
  const char* name;
  Dropped dropped;
  TierMode mode;
  std::uint64_t stride;
};

TieredWorld::Options options_for_abandon(const Abandoned& tested, std::uint64_t replay) {
  TieredWorld::Options options{.g1_blocks = 5, .g2_blocks = 9, .mode = tested.mode, .staging_blocks = 2};
  options.device.delay_seed = 11 + replay;
  if (tested.mode == TierMode::Inclusive) options.offload = OffloadPolicy::WhenAsked;
  if (tested.dropped == Dropped::GivenUp) options.bytes_in_flight_max = 256;  // a page, so that the engine has a queue
  return options;
}

/// Serves until step `n` and drops what the case says. Returns how many steps there were until then, or in all.
std::uint64_t abandon(const Abandoned& tested, std::uint64_t n, std::uint64_t replay, const Prompts& prompts) {
  auto world = std::make_unique<TieredWorld>(options_for_abandon(tested, replay));
  const BlockRegistry registry = world->registry();
  TieredClient client(*world, tested.mode);
  std::uint64_t steps = 0;
  const TieredClient::Stop stop = [&] { return ++steps == n; };
  InHand hand;
  for (const auto& request : prompts.requests) {
    if (client.serve(request, hand, stop)) continue;
    if (tested.dropped == Dropped::GivenUp) {
      if (hand.onboarding) hand.onboarding->cancel();
      if (hand.offloading) hand.offloading->cancel();
    } else if (tested.dropped != Dropped::Request) {
      break;
    }
    hand = {};
  }
  EXPECT_EQ(client.corrupt(), 0u);
  if (tested.dropped == Dropped::Request || tested.dropped == Dropped::GivenUp) {
    world->cache().settle();
    world->expect_sound(prompts.universe);
    EXPECT_EQ(world->cache().counts().failures, 0u);
    return steps;
  }
  if (tested.dropped == Dropped::HandThenCache) hand = {};
  world->drop_cache();
  if (tested.dropped == Dropped::EngineThenHand) world->drop_engine();
  hand = {};
  EXPECT_EQ(world->corrupt(), 0u);
  const std::shared_ptr<EmulatedDevice> device = world->device();
  world.reset();
  EXPECT_EQ(registry.registered_count(), 0u);  // both stores are gone, so no guard is left
  EXPECT_EQ(device->device_bytes(), 0u);
  EXPECT_EQ(device->pinned_bytes(), 0u);
  return steps;
}

class AbandonSweep : public testing::TestWithParam<Abandoned> {};

TEST_P(AbandonSweep, NothingIsLost) {
  const Abandoned& tested = GetParam();
  for (std::uint64_t replay = 0; replay < swept_replays(); ++replay) {
    const Prompts prompts = random_prompts(5 + replay, kSweptRequests, 6);
    const std::uint64_t steps = abandon(tested, UINT64_MAX, replay, prompts);
    for (std::uint64_t n = 1; n <= steps; n += sweep_stride(tested.stride)) {
      SCOPED_TRACE(std::string(tested.name) + ", replay " + std::to_string(replay) + ", step " + std::to_string(n));
      static_cast<void>(abandon(tested, n, replay, prompts));
      if (testing::Test::HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, AbandonSweep,
                         testing::Values(Abandoned{"RequestExclusive", Dropped::Request, TierMode::Exclusive, 5},
                                         Abandoned{"RequestInclusive", Dropped::Request, TierMode::Inclusive, 7},
                                         Abandoned{"GivenUpExclusive", Dropped::GivenUp, TierMode::Exclusive, 17},
                                         Abandoned{"GivenUpInclusive", Dropped::GivenUp, TierMode::Inclusive, 17},
                                         Abandoned{"HandThenCache", Dropped::HandThenCache, TierMode::Exclusive, 7},
                                         Abandoned{"CacheThenHand", Dropped::CacheThenHand, TierMode::Exclusive, 7},
                                         Abandoned{"CacheThenHandInclusive", Dropped::CacheThenHand,
                                                   TierMode::Inclusive, 9},
                                         Abandoned{"EngineThenHand", Dropped::EngineThenHand, TierMode::Exclusive, 7}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace kvbm::test
