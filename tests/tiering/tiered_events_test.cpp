// physical.md 6.9, end to end with events: what the change logs of two tiers say of pages that move between them

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

#include "kvbm/events/change_log.hpp"
#include "tests/support/managers.hpp"
#include "tests/tiering/sweep.hpp"
#include "tests/tiering/tiered_client.hpp"

namespace kvbm::test {
namespace {

TieredWorld::Options logged(TierMode mode) {
  TieredWorld::Options options{.mode = mode, .change_log = 1u << 16};
  if (mode == TierMode::Inclusive) options.offload = OffloadPolicy::WhenAsked;
  return options;
}

/// All that a tier's log has had so far.
template <class Tier>
std::vector<Change> changes_of(const BlockManager<Tier>& manager) {
  ChangeReader reader(manager.change_log(), 0);
  std::vector<Change> changes(reader.behind());
  EXPECT_EQ(reader.read(changes).count, changes.size());
  return changes;
}

std::vector<SequenceHash> hashes_of(const std::vector<Change>& changes, ChangeKind kind) {
  std::vector<SequenceHash> hashes;
  for (const Change& change : changes) {
    if (change.kind == kind) hashes.push_back(change.hash);
  }
  return hashes;
}

/// What a subscriber holds to be in the tier. Each block comes once before it goes, and goes once.
std::set<SequenceHash> replayed(const std::vector<Change>& changes) {
  std::set<SequenceHash> present;
  for (const Change& change : changes) {
    if (change.kind == ChangeKind::Stored) {
      EXPECT_TRUE(present.insert(change.hash).second) << "stored twice, change " << change.number;
    } else {
      EXPECT_EQ(present.erase(change.hash), 1u) << "removed without being there, change " << change.number;
    }
  }
  return present;
}

TEST(TieredEvents, AnOffloadedBlockIsStoredInG2Once) {
  TieredWorld world(logged(TierMode::Inclusive));
  const auto hashes = chain(1, 3);
  const auto held = world.compute(hashes);

  world.cache().offload(hashes).wait();
  world.cache().offload(hashes).wait();  // is there

  EXPECT_EQ(replayed(changes_of(world.g2())), std::set<SequenceHash>(hashes.begin(), hashes.end()));
  EXPECT_EQ(changes_of(world.g2()).size(), 3u);
  EXPECT_EQ(changes_of(world.g1()).size(), 3u);
}

TEST(TieredEvents, NothingIsSaidOfABlockBeforeItsBytesAreThere) {
  TieredWorld::Options options = logged(TierMode::Inclusive);
  options.gated = true;
  TieredWorld world(options);
  const auto hashes = chain(1, 2);
  const auto held = world.compute(hashes);
  const Offloading offloading = world.cache().offload(hashes);
  EXPECT_FALSE(offloading.advance());

  EXPECT_EQ(offloading.progress().under_way, 1u);
  EXPECT_TRUE(changes_of(world.g2()).empty());
  world.open_gate();
  world.cache().settle();
  EXPECT_EQ(hashes_of(changes_of(world.g2()), ChangeKind::Stored).size(), 2u);
}

TEST(TieredEvents, ACopyThatFailsOrIsGivenUpSaysNothing) {
  TieredWorld::Options options = logged(TierMode::Inclusive);
  options.mechanism = Mechanism::CopyKernel;
  TieredWorld world(options);
  const auto hashes = chain(1, 2);
  const auto held = world.compute(hashes);
  world.device()->add_fault({FaultKind::Launch, world.device()->call_counts().launches + 1});

  world.cache().offload(std::span(hashes).first(1)).wait();
  world.cache().offload(std::span(hashes).last(1)).cancel();
  world.cache().settle();

  EXPECT_EQ(world.cache().counts().failures, 1u);
  EXPECT_TRUE(changes_of(world.g2()).empty());
}

TEST(TieredEvents, ABlockThatMovesUpIsStoredThereAndRemovedHereOnceEach) {
  TieredWorld world(logged(TierMode::Exclusive));
  const auto hashes = chain(1, 2);
  world.put_in_g2(hashes);

  EXPECT_EQ(world.fetch(hashes).prefix.size(), 2u);
  world.cache().settle();

  EXPECT_EQ(hashes_of(changes_of(world.g1()), ChangeKind::Stored), hashes);
  EXPECT_TRUE(hashes_of(changes_of(world.g1()), ChangeKind::Removed).empty());
  EXPECT_EQ(hashes_of(changes_of(world.g2()), ChangeKind::Removed).size(), 2u);
  EXPECT_TRUE(replayed(changes_of(world.g2())).empty());
}

class TieredEventsOfReplays : public testing::TestWithParam<TierMode> {};

TEST_P(TieredEventsOfReplays, SaysWhatIsWhere) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TieredWorld::Options options = logged(GetParam());
    options.g1_blocks = 5;
    options.g2_blocks = 9;
    options.device.delay_seed = seed;
    TieredWorld world(options);
    TieredClient client(world, GetParam(), 0);
    const Prompts prompts = random_prompts(seed, 40, 6);
    for (const auto& request : prompts.requests) EXPECT_TRUE(client.serve(request));
    world.cache().settle();

    const std::array present{replayed(changes_of(world.g1())), replayed(changes_of(world.g2()))};
    for (const SequenceHash& hash : prompts.universe) {
      EXPECT_EQ(present[0].contains(hash), world.in_g1(hash));
      EXPECT_EQ(present[1].contains(hash), world.in_g2(hash));
    }
    EXPECT_GT(hashes_of(changes_of(world.g2()), ChangeKind::Removed).size(), 0u);
    EXPECT_EQ(hashes_of(changes_of(world.g2()), ChangeKind::Stored).size(), world.cache().counts().offloaded_blocks);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, TieredEventsOfReplays, testing::Values(TierMode::Exclusive, TierMode::Inclusive),
                         [](const auto& mode) {
                           return mode.param == TierMode::Exclusive ? "Exclusive" : "Inclusive";
                         });

}  // namespace
}  // namespace kvbm::test
