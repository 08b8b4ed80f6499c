#include "bench/sequence_workloads.hpp"

#include <array>
#include <stdexcept>
#include <utility>

#include "kvbm/base/assert.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kTokensPerBlock = 16;

std::vector<Token> tokens_of(std::size_t count, unsigned thread) {
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<Token>(i * 0x9E37'79B9u + thread);
  return tokens;
}

}  // namespace

OnSequences::OnSequences(const WorkloadOptions& options, std::size_t tokens)
    : tokens_(tokens),
      manager_(BlockManager<G1>::create(options_for(*options.policy, options.blocks)).value()),
      sequences_(options.threads) {
  if ((tokens + kOutputMax) / kTokensPerBlock + 8 > options.blocks / options.threads) {
    throw std::invalid_argument("the pool is too small for sequences of this length");
  }
  for (unsigned thread = 0; thread < options.threads; ++thread) sequences_[thread].value.emplace(prefilled(thread));
}

SchedulableSequence<G1> OnSequences::prefilled(unsigned thread) const {
  SchedulableSequence<G1> sequence(tokens_of(tokens_, thread),
                                   {.max_output_tokens = kOutputMax, .block_size = kTokensPerBlock});
  KVBM_ASSERT(sequence.schedule_prefill(tokens_, manager_).has_value(), "the pool has room");
  static_cast<void>(sequence.apply_prefill(1, manager_));
  return sequence;
}

void OnSequences::renew_if_complete(unsigned thread, std::size_t wanted) {
  if (sequence(thread).remaining_tokens() >= wanted) return;
  sequences_[thread].value.reset();
  sequences_[thread].value.emplace(prefilled(thread));
}

std::uint64_t DecodeStep::step(unsigned thread) {
  renew_if_complete(thread, 1);
  SchedulableSequence<G1>& sequence = this->sequence(thread);
  const bool scheduled = sequence.schedule_decode(manager_).has_value();
  const auto token = static_cast<Token>(sequence.total_tokens() * 0x9E37'79B9u + thread);
  KVBM_ASSERT(scheduled && sequence.apply_decode(token, manager_).has_value(), "the pool has room");
  return 1;
}

std::uint64_t SpeculativeStep::step(unsigned thread) {
  renew_if_complete(thread, 5);
  SchedulableSequence<G1>& sequence = this->sequence(thread);
  const bool scheduled = sequence.schedule_speculative(5, manager_).has_value();
  const auto token = static_cast<Token>(sequence.total_tokens() * 0x9E37'79B9u + thread);
  const std::array<Token, 2> accepted{token, token + 1};
  KVBM_ASSERT(scheduled && sequence.apply_speculative(accepted, manager_).has_value(), "the pool has room");
  return 1;
}

std::uint64_t ForkStep::step(unsigned thread) {
  const auto fork = sequence(thread).fork(manager_);
  KVBM_ASSERT(fork.has_value() && fork->copy.has_value(), "the pool has room");
  return 1;
}

}  // namespace kvbm::bench
