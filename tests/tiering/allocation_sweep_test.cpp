// Memory runs out at the n-th allocation that the callers of a cache make, for every n: the call throws, and no page is
// lost, no guard stuck, no byte wrong. KVBM_SWEEP=all takes every n.

#include <gtest/gtest.h>

#include <new>
#include <string>

#include "tests/support/allocation_faults.hpp"
#include "tests/tiering/sweep.hpp"
#include "tests/tiering/tiered_client.hpp"

namespace kvbm::test {
namespace {

/// Brings a request into G1 and lets go of it.
void serve_once(TieredWorld& world, std::span<const SequenceHash> hashes) {
  const Onboarded onboarded = world.fetch(hashes);
  if (onboarded.prefix.size() < hashes.size()) {
    static_cast<void>(world.compute(hashes.subspan(onboarded.prefix.size())));
  }
  world.cache().advance();
}

/// A replay in which allocation n fails. Whether it came to that.
bool replay_without_memory(TieredWorld::Options options, std::uint64_t n, const Prompts& prompts) {
  TieredWorld world(options);
  bool fired = false;
  {
    const AllocationFault fault(n);
    for (const auto& request : prompts.requests) {
      try {
        serve_once(world, request);
      } catch (const std::bad_alloc&) {
        EXPECT_TRUE(fault.fired());
        world.cache().settle();  // what is under way needs the room
      }
    }
    fired = fault.fired();
  }
  world.cache().settle();
  world.expect_sound(prompts.universe);
  for (const auto& request : prompts.requests) serve_once(world, request);
  world.cache().settle();
  world.expect_sound(prompts.universe);
  EXPECT_LE(world.cache().counts().failures, 1u);  // where a copy was to be enqueued
  return fired;
}

struct StarvedCase {
  const char* name;
  TierMode mode;
  OffloadPolicy offload;
};

class AllocationSweep : public testing::TestWithParam<StarvedCase> {};

TEST_P(AllocationSweep, NothingIsLost) {
  const Prompts prompts = random_prompts(7, 20, 5);
  const TieredWorld::Options options{
      .g1_blocks = 6, .g2_blocks = 9, .mode = GetParam().mode, .offload = GetParam().offload, .staging_blocks = 2};
  std::uint64_t faults = 0;
  for (std::uint64_t n = 0; !HasFailure(); n += sweep_stride(17)) {
    SCOPED_TRACE(std::string(GetParam().name) + ", n = " + std::to_string(n));
    if (!replay_without_memory(options, n, prompts)) break;
    ++faults;
  }
  EXPECT_GT(faults, 0u);
}

INSTANTIATE_TEST_SUITE_P(Modes, AllocationSweep,
                         testing::Values(StarvedCase{"Exclusive", TierMode::Exclusive, OffloadPolicy::OnEviction},
                                         StarvedCase{"Inclusive", TierMode::Inclusive, OffloadPolicy::OnEviction},
                                         StarvedCase{"WriteBehind", TierMode::Inclusive, OffloadPolicy::WriteBehind}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace kvbm::test
