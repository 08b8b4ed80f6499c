#include <gtest/gtest.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/cpp/execution_policy.h>

#include "kernels/prefix_match.cuh"
#include "kernels/token_hash.cuh"
#include "kvbm/tokens/block_hash.hpp"
#include "tests/lookup/match_cases.hpp"

// gcc's OpenMP library is not compiled for the thread sanitizer, which takes its barriers for races.
#if defined(_OPENMP) && !defined(__SANITIZE_THREAD__)
#include <thrust/system/omp/execution_policy.h>
#define KVBM_WITH_OPENMP
#endif

namespace kvbm {
namespace {

using kernels::ExactSlot;
using kernels::FingerprintSlot;

/// The functors of the kernels, driven by Thrust on the host.
struct OneThread {
  static constexpr auto& policy = thrust::cpp::par;
};
#if defined(KVBM_WITH_OPENMP)
struct AllThreads {
  static constexpr auto& policy = thrust::omp::par;
};
#endif

template <class Driver, class Functor>
void for_each(std::uint32_t count, const Functor& functor) {
  thrust::for_each_n(Driver::policy, thrust::counting_iterator<std::uint32_t>(0), count, functor);
}

template <class DriverType, class CaseType>
struct Run {
  using Driver = DriverType;
  using Case = CaseType;
};
using ByKey = test::MatchCase<FingerprintSlot, std::uint64_t>;
using ByHash = test::MatchCase<FingerprintSlot, SequenceHash>;
using Exactly = test::MatchCase<ExactSlot, SequenceHash>;
#if defined(KVBM_WITH_OPENMP)
using Runs = testing::Types<Run<OneThread, ByKey>, Run<OneThread, ByHash>, Run<OneThread, Exactly>,
                            Run<AllThreads, ByKey>, Run<AllThreads, ByHash>, Run<AllThreads, Exactly>>;
#else
using Runs = testing::Types<Run<OneThread, ByKey>, Run<OneThread, ByHash>, Run<OneThread, Exactly>>;
#endif

template <class Run>
class ThrustTest : public testing::Test {};
TYPED_TEST_SUITE(ThrustTest, Runs);

TYPED_TEST(ThrustTest, RequestsAreMatchedAsByThePlainLoop) {
  using Case = typename TypeParam::Case;
  const Case the_case(11);
  test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
  for_each<typename TypeParam::Driver>(the_case.requests(),
                                       kernels::MatchOneRequest<typename Case::Batch>{the_case.batch(answers)});

  answers.expect_equal(the_case.expected(), the_case.offsets);
}

TYPED_TEST(ThrustTest, KeysAndThenFirstMissesAreMatchedAsByThePlainLoop) {
  using Case = typename TypeParam::Case;
  using Driver = typename TypeParam::Driver;
  const Case the_case(12);
  test::MatchAnswers answers(the_case.keys.size(), the_case.requests());
  const auto batch = the_case.batch(answers);
  std::vector<std::uint32_t> misses(the_case.keys.size(), 0);
  for_each<Driver>(static_cast<std::uint32_t>(misses.size()),
                   kernels::MatchOneKey<typename Case::Batch>{batch, misses.data()});
  for_each<Driver>(the_case.requests(), [&](std::uint32_t request) {
    for (std::uint32_t place = batch.offsets[request]; place < batch.offsets[request + 1]; ++place) {
      batch.prefixes[request] = std::min(batch.prefixes[request], misses[place]);
    }
  });
  for_each<Driver>(the_case.requests(), kernels::MissToPrefix<typename Case::Batch>{batch});

  answers.expect_equal(the_case.expected(), the_case.offsets);
}

TYPED_TEST(ThrustTest, TokensAreHashedAsOnTheHost) {
  using Driver = typename TypeParam::Driver;
  constexpr std::uint32_t kBlockSize = 16;
  const std::vector<std::uint32_t> offsets{0, 100, 100, 101, 400};
  std::mt19937 random(13);
  std::vector<Token> tokens(std::size_t{offsets.back()} * kBlockSize);
  for (Token& token : tokens) token = static_cast<Token>(random());
  std::vector<SequenceHash> hashes(offsets.back()), expected(offsets.back());
  const kernels::TokenHashBatch batch{tokens.data(), offsets.data(), 4, offsets.back(), kBlockSize,
                                      nullptr,       hashes.data()};
  for_each<Driver>(batch.blocks, kernels::HashBlock{batch});
  for_each<Driver>(batch.requests, kernels::LinkRequest{batch});
  for (std::size_t request = 0; request + 1 < offsets.size(); ++request) {
    const std::size_t begin = offsets[request], count = offsets[request + 1] - begin;
    static_cast<void>(hash_blocks(std::span(tokens).subspan(begin * kBlockSize, count * kBlockSize),
                                  {.block_size = kBlockSize}, std::span(expected).subspan(begin, count)));
  }

  EXPECT_EQ(hashes, expected);
}

}  // namespace
}  // namespace kvbm
