#include "kvbm/lookup/prefix_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <stdexcept>

#include "tests/lookup/index_cases.hpp"
#include "tests/support/managers.hpp"

namespace kvbm {
namespace {

ManagerOptions logged(std::uint32_t blocks, std::uint32_t changes = 1024) {
  return {.blocks = blocks, .tokens_per_block = 4, .change_log = changes};
}

/// The three kinds of index behave alike.
class PrefixIndexTest : public testing::TestWithParam<PrefixIndexOptions> {
 protected:
  PrefixIndex index_{GetParam()};
  PrefixAnswers answers_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, PrefixIndexTest,
                         testing::Values(PrefixIndexOptions{}, PrefixIndexOptions{.exact = true},
                                         PrefixIndexOptions{.fingerprint_bits = 16}),
                         [](const auto& kind) {
                           return kind.param.exact                    ? "Exact"
                                  : kind.param.fingerprint_bits == 64 ? "Fingerprints"
                                                                      : "Short";
                         });

TEST_P(PrefixIndexTest, KnowsWhatWasRegisteredBeforeAndAfterItCame) {
  const auto manager = test::manager<G1>(logged(8));
  const auto hashes = test::chain(1, 6);
  const auto first = test::registered(manager, std::span(hashes).first(3));
  index_.add_tier(manager);
  index_.update();
  EXPECT_EQ(test::prefix_of(index_, hashes, answers_), 3u);

  const auto rest = test::registered(manager, std::span(hashes).subspan(3));
  EXPECT_EQ(test::prefix_of(index_, hashes, answers_), 3u);  // behind, as it may be
  const PrefixIndex::Update update = index_.update();

  EXPECT_EQ(update.changes, 3u);
  EXPECT_EQ(update.hashes, 6u);
  EXPECT_EQ(test::prefix_of(index_, hashes, answers_), 6u);
  EXPECT_EQ(answers_.epoch_before, update.epoch);
  EXPECT_EQ(answers_.epoch_after, update.epoch);
}

TEST_P(PrefixIndexTest, HintsNameTierAndBlock) {
  const auto g1 = test::manager<G1>(logged(8));
  const auto g2 = test::manager<G2>(logged(8));
  index_.add_tier(g1);
  index_.add_tier(g2);
  const auto hashes = test::chain(1, 4);
  const auto fast = test::registered(g1, std::span(hashes).first(2));
  const auto slow = test::registered(g2, hashes);
  index_.update();

  ASSERT_EQ(test::prefix_of(index_, hashes, answers_), 4u);
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(answers_.hints[i].tier(), i < 2 ? 0u : 1u);
    EXPECT_EQ(answers_.hints[i].id(), i < 2 ? fast.id(i) : slow.id(i));
  }
  EXPECT_EQ(index_.acquire(g1, hashes, answers_.hints).size(), 2u);
  EXPECT_EQ(index_.acquire(g2, std::span(hashes).subspan(2), std::span(answers_.hints).subspan(2)).size(), 2u);
}

TEST_P(PrefixIndexTest, ABlockThatLeavesATierIsFoundInTheNext) {
  const auto g1 = test::manager<G1>(logged(4));
  const auto g2 = test::manager<G2>(logged(4));
  index_.add_tier(g1);
  index_.add_tier(g2);
  const auto hashes = test::chain(1, 4);
  { const auto fast = test::registered(g1, hashes); }
  const auto slow = test::registered(g2, hashes);
  index_.update();
  EXPECT_EQ(test::prefix_of(index_, hashes, answers_), 4u);
  EXPECT_EQ(answers_.hints[3].tier(), 0u);
  g1.reset_inactive_pool();
  index_.update();

  EXPECT_EQ(test::prefix_of(index_, hashes, answers_), 4u);
  EXPECT_EQ(answers_.hints[3].tier(), 1u);
  index_.check_invariants();
}

TEST_P(PrefixIndexTest, ManyRequestsAtOnceEachGetTheirOwnPrefix) {
  const auto manager = test::manager<G1>(logged(64));
  index_.add_tier(manager);
  const auto chain = test::chain(1, 20);
  const auto other = test::chain(2, 5);
  const auto held = test::registered(manager, chain);
  index_.update();

  std::vector<std::uint32_t> offsets{0};
  std::vector<SequenceHash> hashes;
  const auto ask = [&](std::span<const SequenceHash> request) {
    hashes.insert(hashes.end(), request.begin(), request.end());
    offsets.push_back(static_cast<std::uint32_t>(hashes.size()));
  };
  ask(chain);
  ask({});
  ask(other);
  ask(std::span(chain).first(1));
  ask(std::span(chain).first(7));
  index_.look_up(offsets, hashes, answers_);

  EXPECT_EQ(answers_.prefixes, (std::vector<std::uint32_t>{20, 0, 0, 1, 7}));
}

TEST_P(PrefixIndexTest, NoRequestsHaveNoAnswers) {
  index_.look_up({}, std::span<const SequenceHash>(), answers_);
  EXPECT_TRUE(answers_.prefixes.empty());
  const std::uint32_t zero = 0;
  index_.look_up({&zero, 1}, std::span<const SequenceHash>(), answers_);
  EXPECT_TRUE(answers_.prefixes.empty());
}

TEST_P(PrefixIndexTest, AnswersThatAreBehindGiveAShorterPrefixOfGuards) {
  const auto manager = test::manager<G1>(logged(8));
  index_.add_tier(manager);
  const auto hashes = test::chain(1, 6);
  { const auto run = test::registered(manager, hashes); }
  index_.update();
  ASSERT_EQ(test::prefix_of(index_, hashes, answers_), 6u);
  const auto victims = manager.allocate(4);  // two free ones and the last two of the chain

  const auto guards = index_.acquire(manager, hashes, answers_.hints);
  EXPECT_EQ(guards.size(), 4u);
  for (std::uint32_t i = 0; i < guards.size(); ++i) EXPECT_EQ(guards.hash(i), hashes[i]);
}

// A full log is read anew from the store, whatever was lost.
TEST_P(PrefixIndexTest, AnOverrunLogLeadsToAResyncThatLosesNothing) {
  constexpr std::uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  const auto manager = test::manager<G1>(logged(64, 16));
  const auto lower = test::manager<G2>(logged(64, 4096));
  index_.add_tier(manager);
  index_.add_tier(lower);
  index_.update();
  std::uint32_t resyncs = 0;
  for (int round = 0; round < 40; ++round) {
    for (std::uint64_t i = random() % 20; i-- > 0;) {
      { const auto run = test::registered(manager, test::chain(random() % 30, 1 + random() % 8)); }
      { const auto run = test::registered(lower, test::chain(random() % 30, 1 + random() % 8)); }
    }
    resyncs += index_.update().resyncs;
    index_.check_invariants();
    test::expect_index_knows(index_, answers_, manager, lower);
  }
  EXPECT_GT(resyncs, 10u) << "seed " << kSeed;
}

TEST_P(PrefixIndexTest, ManyBlocksMakeItGrow) {
  PrefixIndexOptions options = GetParam();
  options.hashes = 10;
  PrefixIndex index(options);
  const auto manager = test::manager<G1>(logged(600));
  const auto lower = test::manager<G2>(logged(4));
  index.add_tier(manager);
  index.add_tier(lower);
  for (std::uint64_t number = 0; number < 60; ++number) {
    { const auto run = test::registered(manager, test::chain(number, 10)); }
    index.update();
  }

  test::expect_index_knows(index, answers_, manager, lower);
}

TEST(PrefixIndex, FingerprintsAnswerAsHashesDo) {
  const auto manager = test::manager<G1>(logged(16));
  PrefixIndex index;
  index.add_tier(manager);
  const auto hashes = test::chain(1, 10);
  const auto run = test::registered(manager, std::span(hashes).first(6));
  index.update();
  std::vector<std::uint64_t> fingerprints;
  for (const SequenceHash& hash : hashes) fingerprints.push_back(index.fingerprint(hash));

  PrefixAnswers by_hash, by_fingerprint;
  const std::vector<std::uint32_t> offsets{0, 10};
  index.look_up(offsets, hashes, by_hash);
  index.look_up(offsets, fingerprints, by_fingerprint);

  EXPECT_EQ(by_fingerprint.prefixes, by_hash.prefixes);
  EXPECT_EQ(by_fingerprint.prefixes.front(), 6u);
  EXPECT_TRUE(std::equal(by_hash.hints.begin(), by_hash.hints.begin() + 6, by_fingerprint.hints.begin()));
}

TEST(PrefixIndex, AManagerWithoutALogIsRefused) {
  const auto manager = test::manager<G1>();
  PrefixIndex index;

  EXPECT_THROW(index.add_tier(manager), std::invalid_argument);
}

TEST(PrefixIndex, FingerprintsOfNoUsefulLengthAreRefused) {
  EXPECT_THROW(PrefixIndex({.fingerprint_bits = 7}), std::invalid_argument);
  EXPECT_THROW(PrefixIndex({.fingerprint_bits = 65}), std::invalid_argument);
}

TEST(PrefixIndex, SixteenTiersAreOneTooMany) {
  const auto manager = test::manager<G1>(logged(1));
  PrefixIndex index;
  for (unsigned i = 0; i < BlockHint::kTiers; ++i) index.add_tier(manager);

  EXPECT_THROW(index.add_tier(manager), std::invalid_argument);
}

// Two blocks of one tier with one fingerprint: one is shown, and when it goes, the other.
TEST(PrefixIndex, BlocksThatShareAFingerprintAreShownOneAfterTheOther) {
  PrefixIndex index({.fingerprint_bits = 8});
  const auto manager = test::manager<G1>(logged(4));
  index.add_tier(manager);
  const SequenceHash one = test::hash(0);
  std::uint64_t number = 1;
  while (index.fingerprint(test::hash(number)) != index.fingerprint(one)) ++number;
  const SequenceHash other = test::hash(number);
  std::optional<ImmutableBlock<G1>> first = test::registered(manager, one);
  const auto second = test::registered(manager, other);
  index.update();
  PrefixAnswers answers;

  EXPECT_EQ(test::prefix_of(index, {&one, 1}, answers), 1u);
  EXPECT_EQ(index.acquire(manager, {&one, 1}, answers.hints).size(), 1u);
  EXPECT_EQ(test::prefix_of(index, {&other, 1}, answers), 1u);  // a hint at the wrong block
  EXPECT_TRUE(index.acquire(manager, {&other, 1}, answers.hints).empty());

  first.reset();
  manager.reset_inactive_pool();
  index.update();
  EXPECT_EQ(test::prefix_of(index, {&other, 1}, answers), 1u);
  EXPECT_EQ(index.acquire(manager, {&other, 1}, answers.hints).size(), 1u);
}

}  // namespace
}  // namespace kvbm
