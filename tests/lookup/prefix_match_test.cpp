#include "kernels/prefix_match.cuh"

#include <gtest/gtest.h>

#include "src/host/lookup/host_match.hpp"
#include "tests/lookup/match_cases.hpp"

namespace kvbm {
namespace {

using kernels::ExactSlot;
using kernels::FingerprintSlot;

template <class Case>
class PrefixMatchTest : public testing::Test {};
using Cases = testing::Types<test::MatchCase<FingerprintSlot, std::uint64_t>,
                             test::MatchCase<FingerprintSlot, SequenceHash>, test::MatchCase<ExactSlot, SequenceHash>>;
TYPED_TEST_SUITE(PrefixMatchTest, Cases);

// The kernel's own code, lane by lane, shared out among any number of warps.
TYPED_TEST(PrefixMatchTest, WarpsAnswerAsThePlainLoopDoes) {
  const TypeParam the_case(1);
  const test::MatchAnswers expected = the_case.expected();
  static_assert(std::is_trivially_copyable_v<kernels::PrefixMatch<typename TypeParam::Batch>>);
  for (const std::uint32_t warps : {1u, 7u, 400u, 5000u}) {
    test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
    const kernels::PrefixMatch<typename TypeParam::Batch> match{the_case.batch(answers)};
    kernels::Warp warp;
    for (std::uint32_t index = 0; index < warps; ++index) match(warp, index, warps);
    answers.expect_equal(expected, the_case.offsets);
  }
}

TYPED_TEST(PrefixMatchTest, TheOrderOfTheWarpsDoesNotMatter) {
  const TypeParam the_case(2);
  test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
  const kernels::PrefixMatch<typename TypeParam::Batch> match{the_case.batch(answers)};
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
