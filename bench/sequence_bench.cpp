// What a scheduler's calls cost per request: a decode step at lengths from 1k to 1M tokens, a speculative step, a chunk
// of prefill, preemption, and a fork. Items are steps, tokens or forks.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "bench/support/policies.hpp"
#include "kvbm/manager/block_manager.hpp"
#include "kvbm/sequence/schedulable_sequence.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kTokensPerBlock = 16;
constexpr std::uint32_t kBlocks = 1u << 18;  // 4M tokens
constexpr std::size_t kOutputMax = 1u << 16;

std::vector<Token> tokens_of(std::size_t count, Token seed) {
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<Token>(i * 0x9E37'79B9u + seed);
  return tokens;
}

struct World {
  BlockManager<G1> manager;
  SequenceOptions options{.max_output_tokens = kOutputMax, .block_size = kTokensPerBlock};

  World() : manager(BlockManager<G1>::create(options_for(*find_policy("lineage"), kBlocks)).value()) {}

  [[nodiscard]] SchedulableSequence<G1> prefilled(std::size_t tokens, Token seed = 1) const {
    SchedulableSequence<G1> sequence(tokens_of(tokens, seed), options);
    static_cast<void>(sequence.schedule_prefill(tokens, manager));
    static_cast<void>(sequence.apply_prefill(1, manager));
    return sequence;
  }
};

/// A new sequence of the length, outside the clock, when the old one has come to its end.
void renew(benchmark::State& state, const World& world, std::optional<SchedulableSequence<G1>>& sequence) {
  state.PauseTiming();
  sequence.reset();
  sequence.emplace(world.prefilled(static_cast<std::size_t>(state.range(0))));
  state.ResumeTiming();
}

void decode_step(benchmark::State& state) {
  const World world;
  std::optional<SchedulableSequence<G1>> sequence = world.prefilled(static_cast<std::size_t>(state.range(0)));
  Token token = 0;
  for (auto _ : state) {
    if (sequence->is_complete()) renew(state, world, sequence);
    benchmark::DoNotOptimize(sequence->schedule_decode(world.manager).has_value());
    benchmark::DoNotOptimize(sequence->apply_decode(++token, world.manager).has_value());
    benchmark::DoNotOptimize(sequence->page_indices().data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_step)->ArgName("tokens")->RangeMultiplier(10)->Range(1'000, 1'000'000);

/// Five drafts, of which two are accepted.
void speculative_step(benchmark::State& state) {
  const World world;
  std::optional<SchedulableSequence<G1>> sequence = world.prefilled(static_cast<std::size_t>(state.range(0)));
  std::vector<Token> accepted{1, 2};
  for (auto _ : state) {
    if (sequence->remaining_tokens() < accepted.size()) renew(state, world, sequence);
    benchmark::DoNotOptimize(sequence->schedule_speculative(5, world.manager).has_value());
    accepted[0] += 3;
    benchmark::DoNotOptimize(sequence->apply_speculative(accepted, world.manager).has_value());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(speculative_step)->ArgName("tokens")->Arg(1'000)->Arg(1'000'000);

/// A chunk of 512 tokens, at all depths of a prompt of the length.
void prefill_chunk(benchmark::State& state) {
  constexpr std::size_t kChunk = 512;
  const auto length = static_cast<std::size_t>(state.range(0)) / kChunk * kChunk;
  const World world;
  std::optional<SchedulableSequence<G1>> sequence;
  Token seed = 0;
  for (auto _ : state) {
    if (!sequence || sequence->is_prefill_complete()) {
      state.PauseTiming();
      sequence.reset();
      sequence.emplace(tokens_of(length, ++seed), world.options);
      state.ResumeTiming();
    }
    const bool last = sequence->prefill_position() + kChunk == length;
    benchmark::DoNotOptimize(sequence->schedule_prefill(kChunk, world.manager).has_value());
    const std::optional<Token> token = last ? std::optional<Token>(1) : std::nullopt;
    benchmark::DoNotOptimize(sequence->apply_prefill(token, world.manager).has_value());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kChunk));
}
BENCHMARK(prefill_chunk)->ArgName("tokens")->Arg(8'192)->Arg(1'000'000);

void preempt_and_reacquire(benchmark::State& state) {
  const World world;
  SchedulableSequence<G1> sequence = world.prefilled(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(sequence.release().has_value());
    benchmark::DoNotOptimize(sequence.reacquire(world.manager).has_value());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(preempt_and_reacquire)->ArgName("tokens")->Arg(1'000)->Arg(100'000);

/// A fork and its end. It copies the tokens and their hashes, so it costs by the length.
void fork(benchmark::State& state) {
  const World world;
  const SchedulableSequence<G1> sequence = world.prefilled(static_cast<std::size_t>(state.range(0)) + 5);
  for (auto _ : state) benchmark::DoNotOptimize(sequence.fork(world.manager)->copy);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(fork)->ArgName("tokens")->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace kvbm::bench
