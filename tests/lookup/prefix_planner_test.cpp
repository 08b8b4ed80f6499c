#include "src/host/lookup/prefix_planner.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/lookup/planner_cases.hpp"

namespace kvbm {
namespace {

using kernels::ExactSlot;
using kernels::FingerprintSlot;
static_assert(sizeof(FingerprintSlot) == 16 && sizeof(ExactSlot) == 32);

template <class Slot>
class PrefixPlannerTest : public testing::Test {};
using Slots = testing::Types<FingerprintSlot, ExactSlot>;
TYPED_TEST_SUITE(PrefixPlannerTest, Slots);

/// Sweeps are longer on request.
std::uint64_t steps(std::uint64_t usual) { return std::getenv("KVBM_LONG_TESTS") != nullptr ? 20 * usual : usual; }

unsigned tier_of(std::uint64_t number) { return static_cast<unsigned>(number % 3); }

TYPED_TEST(PrefixPlannerTest, FindsWhatWasAddedUntilItIsRemoved) {
  PrefixPlanner<TypeParam> planner({.keys = 10});
  const auto key = test::table_key<TypeParam>(1);
  const BlockHint hint(2, 77, 5);

  EXPECT_FALSE(planner.view().find(key).present());
  planner.add(key, hint);
  EXPECT_EQ(planner.view().find(key), hint);
  EXPECT_TRUE(planner.remove(key, hint));
  EXPECT_FALSE(planner.view().find(key).present());
  EXPECT_FALSE(planner.remove(key, hint));
}

TYPED_TEST(PrefixPlannerTest, AddingTwiceIsAddingOnce) {
  PrefixPlanner<TypeParam> planner({.keys = 10});
  const auto key = test::table_key<TypeParam>(1);
  planner.add(key, BlockHint(0, 1, 1));
  planner.add(key, BlockHint(1, 1, 1));
  planner.add(key, BlockHint(0, 1, 1));
  planner.add(key, BlockHint(1, 1, 1));

  EXPECT_TRUE(planner.remove(key, BlockHint(0, 1, 1)));
  EXPECT_EQ(planner.view().find(key), BlockHint(1, 1, 1));
  EXPECT_TRUE(planner.remove(key, BlockHint(1, 1, 1)));
  EXPECT_EQ(planner.keys(), 0u);
}

TYPED_TEST(PrefixPlannerTest, ShowsTheFastestTierThatIsLeft) {
  PrefixPlanner<TypeParam> planner({.keys = 10});
  const auto key = test::table_key<TypeParam>(1);
  for (const unsigned tier : {2u, 0u, 1u, 14u}) planner.add(key, BlockHint(tier, tier + 10, 0));

  for (const unsigned tier : {0u, 1u, 2u, 14u}) {
    EXPECT_EQ(planner.view().find(key), BlockHint(tier, tier + 10, 0));
    EXPECT_TRUE(planner.remove(key, BlockHint(tier, tier + 10, 0)));
  }
  EXPECT_EQ(planner.keys(), 0u);
}

TYPED_TEST(PrefixPlannerTest, AnotherTenancyIsAnotherHint) {
  PrefixPlanner<TypeParam> planner({.keys = 10});
  const auto key = test::table_key<TypeParam>(1);
  planner.add(key, BlockHint(0, 1, 2));

  EXPECT_FALSE(planner.remove(key, BlockHint(0, 1, 1)));
  EXPECT_EQ(planner.view().find(key), BlockHint(0, 1, 2));
}

TYPED_TEST(PrefixPlannerTest, AnUnchangedTableHasNoChanges) {
  PrefixPlanner<TypeParam> planner({.keys = 10});
  const std::uint64_t epoch = planner.commit().epoch;

  const TableChanges changes = planner.commit();

  EXPECT_EQ(changes.epoch, epoch);
  EXPECT_FALSE(changes.replaced);
  EXPECT_TRUE(changes.places.empty());
}

TYPED_TEST(PrefixPlannerTest, ABatchNamesEveryPlaceOnce) {
  PrefixPlanner<TypeParam> planner({.keys = 1000});
  static_cast<void>(planner.commit());
  const auto key = test::table_key<TypeParam>(1);
  for (int i = 0; i < 5; ++i) {
    planner.add(key, BlockHint(0, 1, 1));
    planner.remove(key, BlockHint(0, 1, 1));
  }

  const TableChanges changes = planner.commit();
  EXPECT_EQ(changes.places.size(), sizeof(TypeParam) / sizeof(kernels::TableWord));
}

TYPED_TEST(PrefixPlannerTest, TheHeaderSaysWhetherABatchIsUnderWay) {
  PrefixPlanner<TypeParam> planner({.keys = 10});
  static_cast<void>(planner.commit());
  const auto* header = planner.view().header();
  EXPECT_EQ(header->begun, header->finished);

  planner.add(test::table_key<TypeParam>(1), BlockHint(0, 1, 1));
  EXPECT_EQ(header->begun, header->finished + 1);

  EXPECT_EQ(planner.commit().epoch, header->finished);
  EXPECT_EQ(header->begun, header->finished);
}

// Up to the highest load, with moves and a stash in use, a reader that looks at home, second unit and stash and nowhere
// else finds every key. check_invariants() compares both.
TYPED_TEST(PrefixPlannerTest, AReaderFindsAllThatThePlannerPlacedAtEveryLoad) {
  for (const double load : {0.5, 0.7, 0.8, 0.9, 0.95}) {
    PrefixPlanner<TypeParam> planner({.keys = 20'000, .load_max = load});
    const std::uint64_t units = planner.view().units;
    std::uint64_t count = 0;
    while (planner.load() + 1e-4 < load && planner.view().units == units) {
      planner.add(test::table_key<TypeParam>(count), BlockHint(0, static_cast<BlockId>(count), 0));
      ++count;
    }
    EXPECT_EQ(planner.view().units, units) << "grew before load " << load;
    planner.check_invariants();
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_EQ(planner.view().find(test::table_key<TypeParam>(i)), BlockHint(0, static_cast<BlockId>(i), 0)) << i;
    }
  }
}

TYPED_TEST(PrefixPlannerTest, GrowsWithoutLosingAKeyAndLeavesTheOldTableToItsReaders) {
  PrefixPlanner<TypeParam> planner({.keys = 100});
  for (std::uint64_t i = 0; i < 100; ++i) planner.add(test::table_key<TypeParam>(i), BlockHint(tier_of(i), 7, 0));
  const auto before = planner.table();
  for (std::uint64_t i = 100; i < 1000; ++i) planner.add(test::table_key<TypeParam>(i), BlockHint(tier_of(i), 7, 0));

  EXPECT_NE(planner.table(), before);
  EXPECT_TRUE(planner.commit().replaced);
  planner.check_invariants();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(planner.view().find(test::table_key<TypeParam>(i)), BlockHint(tier_of(i), 7, 0));
  }
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(before->view().find(test::table_key<TypeParam>(i)), BlockHint(tier_of(i), 7, 0));
  }
}

TYPED_TEST(PrefixPlannerTest, ATableTooLargeForItsPlacesIsRefused) {
  EXPECT_THROW(PrefixPlanner<TypeParam>({.keys = std::uint64_t{1} << 33}), std::bad_alloc);
}

/// Random additions and removals around a number of keys, at a load, against a map.
template <class Slot>
void run_randomly(std::uint64_t seed, std::uint64_t range, double load, unsigned key_bits, std::uint64_t count) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  test::PlannerModel<Slot> model({.keys = range / 4, .load_max = load});
  struct Given {
    std::uint64_t number;
    BlockHint hint;
  };
  std::vector<Given> given;
  for (std::uint64_t step = 0; step < count; ++step) {
    const bool fills = given.size() < range * (1 + step / 1000 % 2) / 2;
    if (random() % 8 < (fills ? 5u : 3u) || given.empty()) {
      const Given next{random() % range, BlockHint(tier_of(random()), static_cast<BlockId>(random() % 64), 1)};
      model.add(test::table_key<Slot>(next.number, key_bits), next.hint);
      given.push_back(next);
    } else {
      std::swap(given.back(), given[random() % given.size()]);
      model.remove(test::table_key<Slot>(given.back().number, key_bits), given.back().hint);
      given.pop_back();
    }
    if (random() % 64 == 0) model.apply();
    if (random() % 512 == 0) {
      model.apply();
      model.check_copy();
      model.check(2 * range);
    }
  }
  model.apply();
  model.check_copy();
  model.check(2 * range);
}

TYPED_TEST(PrefixPlannerTest, AgreesWithAMapOverRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (const double load : {0.5, 0.8, 0.95}) run_randomly<TypeParam>(seed, 1500, load, 64, steps(8'000));
  }
}

TYPED_TEST(PrefixPlannerTest, AgreesWithAMapWhereItIsAlwaysFull) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) run_randomly<TypeParam>(seed, 12, 0.95, 64, steps(500));
}

TEST(PrefixPlanner, AgreesWithAMapWhereBlocksShareFingerprints) {
  for (const unsigned bits : {4u, 8u, 16u}) {
    run_randomly<FingerprintSlot>(bits, 3000, 0.8, bits, steps(8'000));
  }
}

// All keys have the same two units, so that the stash fills; then the table grows, to no avail but for the spread.
TEST(PrefixPlanner, KeysThatCrowdOneUnitGoToTheStashAndThenMakeTheTableGrow) {
  PrefixPlanner<FingerprintSlot> planner({.keys = 4000});
  const std::uint64_t units = planner.view().units;
  std::vector<std::uint64_t> crowd;
  for (std::uint64_t number = 0; crowd.size() < 100; ++number) {
    const std::uint64_t key = test::table_key<FingerprintSlot>(number);
    if (planner.view().home(key) < 2 && planner.view().second(key) < units / 100) crowd.push_back(key);
  }
  std::uint32_t stashed = 0;
  for (const std::uint64_t key : crowd) {
    planner.add(key, BlockHint(0, 1, 0));
    stashed = std::max(stashed, planner.stashed());
  }
  EXPECT_GT(stashed, 30u);
  planner.check_invariants();
  for (const std::uint64_t key : crowd) EXPECT_TRUE(planner.remove(key, BlockHint(0, 1, 0)));
  planner.check_invariants();
  EXPECT_EQ(planner.keys(), 0u);
  EXPECT_EQ(planner.stashed(), 0u);
}

TEST(PrefixPlanner, ABatchIsPlannedIntoRoomThatSufficesAndElsewhereIfNot) {
  PrefixPlanner<FingerprintSlot> planner({.keys = 100});
  static_cast<void>(planner.commit());
  std::vector<kernels::TableWord> words(64);
  std::vector<std::uint32_t> places(64);
  for (const bool fits : {true, false}) {
    for (std::uint64_t number = 0; number < 10; ++number) {
      planner.add(test::table_key<FingerprintSlot>(number + (fits ? 0 : 10)), BlockHint(0, 1, 1));
    }
    const std::size_t count = planner.changed_words();
    const std::size_t room = fits ? count : count - 1;
    const TableChanges changes = planner.commit({std::span(words).first(room), std::span(places).first(room)});

    EXPECT_EQ(changes.words.data() == words.data(), fits);
    EXPECT_EQ(changes.places.data() == places.data(), fits);
    ASSERT_EQ(changes.words.size(), count);
    ASSERT_EQ(changes.places.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(changes.words[i], planner.table()->words()[changes.places[i]]);
    }
  }
  EXPECT_EQ(planner.changed_words(), 0u);
}

TEST(PrefixPlanner, FingerprintsOfOneSequenceSpreadOverHomes) {
  PrefixPlanner<FingerprintSlot> planner({.keys = 4096});
  std::vector<std::uint32_t> homes(planner.view().units, 0);
  for (const SequenceHash& hash : test::chain(1, 4096)) ++homes[planner.view().home(FingerprintSlot::key_of(hash))];

  EXPECT_LT(*std::max_element(homes.begin(), homes.end()), 16u);  // 3.2 each on average
}

}  // namespace
}  // namespace kvbm
