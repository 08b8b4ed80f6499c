#include "kernels/prefix_match.cuh"

#include <gtest/gtest.h>

#include "src/host/lookup/host_match.hpp"
#include "tests/lookup/match_cases.hpp"

namespace kvbm {
namespace {

using kernels::ExactSlot;
using kernels::FingerprintSlot;

using ByKey = test::MatchCase<FingerprintSlot, std::uint64_t>;
using ByHash = test::MatchCase<FingerprintSlot, SequenceHash>;
using Exactly = test::MatchCase<ExactSlot, SequenceHash>;

template <class Case>
class PrefixMatchTest : public testing::Test {
 protected:
  using Kernel = kernels::PrefixMatch<typename Case::Batch>;
  static_assert(std::is_trivially_copyable_v<Kernel>);
};
using Cases = testing::Types<ByKey, ByHash, Exactly>;
TYPED_TEST_SUITE(PrefixMatchTest, Cases);

// The kernel's own code, lane by lane, shared out among any number of warps.
TYPED_TEST(PrefixMatchTest, WarpsAnswerAsThePlainLoopDoes) {
  const TypeParam the_case(1);
  const test::MatchAnswers expected = the_case.expected();
  for (const std::uint32_t chunk : {64u, 256u}) {
    for (const std::uint32_t warps : {1u, 7u, 400u, 5000u}) {
      test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
      const typename TestFixture::Kernel match{the_case.batch(answers), chunk};
      kernels::Warp warp;
      for (std::uint32_t index = 0; index < warps; ++index) match(warp, index, warps);
      answers.expect_equal(expected, the_case.offsets);
    }
  }
}

TYPED_TEST(PrefixMatchTest, TheOrderOfTheWarpsDoesNotMatter) {
  const TypeParam the_case(2);
  test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
  const typename TestFixture::Kernel match{the_case.batch(answers), 256};
  kernels::Warp warp;
  for (std::uint32_t index = 100; index-- > 0;) match(warp, index, 100);

  answers.expect_equal(the_case.expected(), the_case.offsets);
}

TYPED_TEST(PrefixMatchTest, OneRequestAtATimeAnswersTheSame) {
  const TypeParam the_case(3);
  test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
  const kernels::MatchOneRequest<typename TypeParam::Batch> match{the_case.batch(answers)};
  for (std::uint32_t request = 0; request < the_case.requests(); ++request) match(request);

  answers.expect_equal(the_case.expected(), the_case.offsets);
}

// What the passes of the reference on the device do.
TYPED_TEST(PrefixMatchTest, EveryKeyOnItsOwnAndThenTheFirstMissAnswersTheSame) {
  const TypeParam the_case(4);
  test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
  std::vector<std::uint32_t> misses(the_case.keys.size());
  const auto batch = the_case.batch(answers);
  for (std::uint32_t place = 0; place < misses.size(); ++place) {
    kernels::MatchOneKey<typename TypeParam::Batch>{batch, misses.data()}(place);
  }
  for (std::uint32_t request = 0; request < the_case.requests(); ++request) {
    for (std::uint32_t place = the_case.offsets[request]; place < the_case.offsets[request + 1]; ++place) {
      answers.prefixes[request] = std::min(answers.prefixes[request], misses[place]);
    }
    kernels::MissToPrefix<typename TypeParam::Batch>{batch}(request);
  }

  answers.expect_equal(the_case.expected(), the_case.offsets);
}

TYPED_TEST(PrefixMatchTest, TheHostPathAnswersTheSame) {
  const TypeParam the_case(5);
  test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
  const auto batch = the_case.batch(answers);
  const auto key_of = [](const auto& input) { return TypeParam::Slot::key_of(input); };
  match_on_host(batch, 0, 17, key_of);
  match_on_host(batch, 17, the_case.requests(), key_of);

  answers.expect_equal(the_case.expected(), the_case.offsets);
}

std::uint32_t chunk_of(std::uint32_t requests, std::uint32_t blocks_max, std::uint32_t blocks) {
  ByKey::Batch batch{};
  batch.requests = requests;
  batch.blocks_max = blocks_max;
  batch.blocks = blocks;
  return kernels::chunk_for(batch, 4224);
}

TEST(PrefixMatch, ChunksAreLongUnlessWarpsWouldIdleOrWaitForOneRequest) {
  EXPECT_EQ(chunk_of(16'384, 512, 16'384 * 512), 256u);
  EXPECT_EQ(chunk_of(1000, 512, 1000 * 512), 128u);
  EXPECT_EQ(chunk_of(1, 512, 512), 64u);
  EXPECT_EQ(chunk_of(1, 512, 0), 64u);
  EXPECT_EQ(chunk_of(10'000, 64, 640'000), 256u);
  EXPECT_EQ(chunk_of(10'000, 2048, 640'000), 64u);
  EXPECT_EQ(chunk_of(10'000, 2048, 0), 256u);  // how even they are is not known
  EXPECT_EQ(chunk_of(0, 0, 0), 256u);
  EXPECT_EQ(chunk_of(1u << 30, 1u << 30, 0), 1u << 30);  // or there would be too many to be numbered
}

TYPED_TEST(PrefixMatchTest, TheTableIsAtItsLimitAndUsesSecondUnitsAndStash) {
  TypeParam the_case(6);
  EXPECT_GT(the_case.planner.load(), 0.94);
  const auto& view = the_case.planner.view();
  std::uint64_t marked = 0;
  for (std::uint64_t unit = 0; unit < view.units; ++unit) marked += view.marked(*view.unit(unit)) ? 1 : 0;
  EXPECT_GT(marked, view.units / 4);
}

}  // namespace
}  // namespace kvbm
