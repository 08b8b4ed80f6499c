// The counts that an independent simulator gives for the trace in the repository and two tiers, G2 four times as large
// as G1 (eviction.md 6). Every page is verified where it arrives and when it is used. Two sizes of five in everyday
// runs, all with KVBM_SWEEP=all.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bench/support/tiered_replay.hpp"
#include "tests/bench/recorded_trace.hpp"

namespace kvbm::bench {
namespace {

struct Hits {
  std::uint64_t g1, g2;
};

struct Case {
  const char* policy;
  TierMode mode;
  std::array<Hits, 5> hits;  // in the order of kG1Sizes
};

constexpr std::array<std::uint32_t, 5> kG1Sizes{913, 1827, 3655, 9139, 18279};
constexpr std::array<Hits, 5> kExclusive{
    {{12691, 15944}, {15136, 41328}, {22865, 57586}, {56479, 45499}, {80466, 24293}}};
constexpr std::size_t kTieredPageBytes = 128;

bool everything() {
  const char* sweep = std::getenv("KVBM_SWEEP");
  return sweep != nullptr && std::string_view(sweep) == "all";
}

class TwoTierCounts : public testing::TestWithParam<Case> {
 protected:
  static TieredReplayCounts replayed(std::uint32_t g1_blocks, LayoutKind layout, std::optional<std::uint64_t> delays) {
    TieredOptions options;
    options.g2_blocks = 4 * g1_blocks;
    options.mode = GetParam().mode;
    options.g1_layout = layout;
    options.layers = 4;
    options.page_bytes = kTieredPageBytes;
    options.device = {DeviceChoice::Emulated, {.delay_seed = delays}};
    TieredReplay replay(*find_policy(GetParam().policy), g1_blocks, options);
    for (const std::vector<SequenceHash>& request : recorded_requests()) replay.serve(request);
    EXPECT_EQ(replay.cache().g1().available_blocks(), g1_blocks);
    EXPECT_EQ(replay.cache().g2().available_blocks(), options.g2_blocks);
    EXPECT_EQ(replay.cache().counts().lost_blocks, 0u);
    EXPECT_EQ(replay.counts().requests.corrupt_pages, 0u);
    return replay.counts();
  }
};

TEST_P(TwoTierCounts, AreThoseOfTheSimulator) {
  for (std::size_t i = 0; i < kG1Sizes.size(); ++i) {
    if (!everything() && i != 0 && i != 2) continue;
    const TieredReplayCounts counts = replayed(kG1Sizes[i], LayoutKind::FullyContiguous, std::nullopt);
    EXPECT_EQ(counts.g1_hit_blocks, GetParam().hits[i].g1) << kG1Sizes[i] << " blocks";
    EXPECT_EQ(counts.g2_hit_blocks, GetParam().hits[i].g2) << kG1Sizes[i] << " blocks";
    EXPECT_EQ(counts.requests.hit_blocks, counts.g1_hit_blocks + counts.g2_hit_blocks);
  }
}

TEST_P(TwoTierCounts, StayWithDelaysAndPagesInLayers) {
  const TieredReplayCounts counts = replayed(kG1Sizes[0], LayoutKind::LayerSeparateBlockFirst, 7);
  EXPECT_EQ(counts.g1_hit_blocks, GetParam().hits[0].g1);
  EXPECT_EQ(counts.g2_hit_blocks, GetParam().hits[0].g2);
}

INSTANTIATE_TEST_SUITE_P(
    Reference, TwoTierCounts,
    testing::Values(Case{"lru", TierMode::Exclusive, kExclusive}, Case{"lineage", TierMode::Exclusive, kExclusive},
                    Case{"lru",
                         TierMode::Inclusive,
                         {{{12691, 10157}, {15136, 32568}, {22865, 49877}, {56479, 42864}, {80466, 23031}}}},
                    Case{"lineage",
                         TierMode::Inclusive,
                         {{{12691, 10162}, {15136, 32728}, {22865, 50131}, {56479, 43159}, {80466, 23502}}}}),
    [](const auto& each) {
      return std::string(each.param.policy) + (each.param.mode == TierMode::Exclusive ? "Exclusive" : "Inclusive");
    });

}  // namespace
}  // namespace kvbm::bench
