// Random requests against the rules of eviction.md 6: after each request the same blocks are in the same tiers.

#include <gtest/gtest.h>

#include <string>

#include "tests/support/exact_tracker.hpp"
#include "tests/tiering/tiered_client.hpp"
#include "tests/tiering/two_tier_model.hpp"

namespace kvbm::test {
namespace {

constexpr std::uint64_t kSeeds = 3;
constexpr std::size_t kRequests = 150;

struct Case {
  ModelPolicy policy;
  TierMode mode;
  std::uint32_t g1_blocks, g2_blocks;
  std::uint32_t staging_blocks;
  std::uint32_t batch;
};

TieredWorld::Options options_of(const Case& tested) {
  TieredWorld::Options options{.g1_blocks = tested.g1_blocks,
                               .g2_blocks = tested.g2_blocks,
                               .mode = tested.mode,
                               .offload_blocks_max = tested.batch,
                               .staging_blocks = tested.staging_blocks};
  if (tested.mode == TierMode::Inclusive) options.offload = OffloadPolicy::WhenAsked;
  if (tested.policy == ModelPolicy::Lineage) options.eviction = LineageEviction{};
  if (tested.policy == ModelPolicy::MultiLru) {
    options.eviction = MultiLruEviction{};
    options.registry = BlockRegistry({.tracker = std::make_shared<ExactTracker>()});
  }
  return options;
}

/// Nothing if it goes as it should, else what did not.
std::string difference(const Case& tested, std::uint64_t seed) {
  const Prompts prompts = random_prompts(seed, kRequests, tested.g1_blocks + 2);
  TieredWorld world(options_of(tested));
  TieredClient client(world, tested.mode);
  TwoTierModel model({tested.policy, tested.g1_blocks, tested.g2_blocks, tested.mode == TierMode::Exclusive});
  for (std::size_t i = 0; i < prompts.requests.size(); ++i) {
    if (!client.serve(prompts.requests[i])) return "request " + std::to_string(i) + " was not served";
    model.serve(prompts.ids[i]);
    for (std::size_t id = 0; id < prompts.universe.size(); ++id) {
      const SequenceHash& hash = prompts.universe[id];
      if (world.in_g1(hash) != model.g1().holds(id) || world.in_g2(hash) != model.g2().holds(id)) {
        return "after request " + std::to_string(i) + ", block " + std::to_string(id) + " is elsewhere";
      }
    }
  }
  if (model.counts() != ModelCounts{client.g1_hits(), client.g2_hits()}) return "hits differ";
  if (client.corrupt() + world.corrupt() != 0) return "wrong bytes";
  world.expect_sound(prompts.universe);
  return {};
}

class TieredModel : public testing::TestWithParam<Case> {};

TEST_P(TieredModel, TheSameBlocksAreInTheSameTiers) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) EXPECT_EQ(difference(GetParam(), seed), "") << "seed " << seed;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const Case& tested = info.param;
  const char* policy = tested.policy == ModelPolicy::Lru       ? "Lru"
                       : tested.policy == ModelPolicy::Lineage ? "Lineage"
                                                               : "MultiLru";
  return std::string(policy) + (tested.mode == TierMode::Exclusive ? "Exclusive" : "Inclusive") +
         std::to_string(tested.g1_blocks) + "On" + std::to_string(tested.g2_blocks) + "Staging" +
         std::to_string(tested.staging_blocks) + "Batch" + std::to_string(tested.batch);
}

INSTANTIATE_TEST_SUITE_P(Policies, TieredModel,
                         testing::Values(Case{ModelPolicy::Lru, TierMode::Exclusive, 5, 20, 8, 1024},
                                         Case{ModelPolicy::Lru, TierMode::Exclusive, 6, 9, 2, 1024},
                                         Case{ModelPolicy::Lru, TierMode::Exclusive, 8, 3, 1, 1024},
                                         Case{ModelPolicy::Lru, TierMode::Exclusive, 6, 6, 2, 1},
                                         Case{ModelPolicy::Lru, TierMode::Inclusive, 5, 20, 8, 1024},
                                         Case{ModelPolicy::Lru, TierMode::Inclusive, 8, 3, 8, 1024},
                                         Case{ModelPolicy::Lru, TierMode::Inclusive, 6, 9, 8, 1},
                                         Case{ModelPolicy::Lineage, TierMode::Exclusive, 5, 20, 8, 1024},
                                         Case{ModelPolicy::Lineage, TierMode::Exclusive, 6, 9, 2, 1024},
                                         Case{ModelPolicy::Lineage, TierMode::Exclusive, 8, 3, 1, 1024},
                                         Case{ModelPolicy::Lineage, TierMode::Inclusive, 5, 20, 8, 1024},
                                         Case{ModelPolicy::Lineage, TierMode::Inclusive, 6, 9, 8, 1},
                                         Case{ModelPolicy::MultiLru, TierMode::Exclusive, 5, 20, 8, 1},
                                         Case{ModelPolicy::MultiLru, TierMode::Exclusive, 6, 9, 2, 1},
                                         Case{ModelPolicy::MultiLru, TierMode::Inclusive, 5, 20, 8, 1},
                                         Case{ModelPolicy::MultiLru, TierMode::Inclusive, 8, 3, 8, 1}),
                         name_of);

}  // namespace
}  // namespace kvbm::test
