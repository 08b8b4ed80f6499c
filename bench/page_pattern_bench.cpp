#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/page_pattern.cuh"

namespace kvbm::bench {
namespace {

using kernels::PatternWord;

void page_pattern_fill(benchmark::State& state) {
  std::vector<PatternWord> page(static_cast<std::size_t>(state.range(0)) / sizeof(PatternWord));
  std::uint64_t seed = 0;
  for (auto _ : state) {
    kernels::fill_page(std::as_writable_bytes(std::span(page)), seed++);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(page_pattern_fill)->ArgName("page_bytes")->Arg(64 << 10)->Arg(2 << 20);

void page_pattern_verify(benchmark::State& state) {
  std::vector<PatternWord> page(static_cast<std::size_t>(state.range(0)) / sizeof(PatternWord));
  kernels::fill_page(std::as_writable_bytes(std::span(page)), 7);
  for (auto _ : state) {
    benchmark::DoNotOptimize(kernels::count_wrong_words(std::as_bytes(std::span(page)), 7));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(page_pattern_verify)->ArgName("page_bytes")->Arg(64 << 10)->Arg(2 << 20);

}  // namespace
}  // namespace kvbm::bench
