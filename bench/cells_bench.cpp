#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/copy_cells.hpp"
#include "kernels/page_checksum.hpp"
#include "kernels/page_fill.hpp"
#include "kernels/permute_cells.hpp"
#include "kvbm/layout/layout_memory.hpp"

// What the kernels' functors do on one core of the host, where the emulated device runs them.
namespace kvbm::bench {
namespace {

constexpr std::uint32_t kBlocks = 8;

// Pages of 8 layers, 8 heads of 128 elements of 2 bytes, 16 tokens: 512 KiB a page, cells of 32 KiB.
LayoutConfig config_of(InnerOrder order) {
  return {.blocks = kBlocks, .layers = 8, .outer = 2, .tokens = 16, .inner = 1024, .heads = 8, .order = order};
}

std::shared_ptr<const BlockLayout> pages(LayoutKind kind, InnerOrder order = InnerOrder::Nhd) {
  return allocate_layout(config_of(order), kind, MemoryKind::System, nullptr).value();
}

const std::vector<BlockPair>& pairs() {
  static const std::vector<BlockPair> reversed = [] {
    std::vector<BlockPair> made;
    for (BlockId block = 0; block < kBlocks; ++block) made.push_back({block, kBlocks - 1 - block});
    return made;
  }();
  return reversed;
}

void set_bytes(benchmark::State& state, const BlockLayout& layout) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlocks * layout.config().block_bytes()));
}

void copy_cells_on_host(benchmark::State& state) {
  const auto source = pages(LayoutKind::LayerSeparateOuterFirst);
  const auto target = pages(LayoutKind::FullyContiguous);
  const KernelCall call = kernels::copy_cells(
      {source->host_view(), target->host_view(), pairs().data(), kBlocks, {0, 8}, 2, source->config().cell_bytes(), 0});
  for (auto _ : state) {
    call.run_on_host();
    benchmark::ClobberMemory();
  }
  set_bytes(state, *source);
}
BENCHMARK(copy_cells_on_host);

void permute_cells_on_host(benchmark::State& state) {
  const auto order = static_cast<InnerOrder>(state.range(0));
  const auto source = pages(LayoutKind::LayerSeparateOuterFirst);
  const auto target = pages(LayoutKind::FullyContiguous, order);
  const kernels::RowGrid rows{16, 8, 256};
  const KernelCall call = kernels::permute_cells({{source->host_view(), InnerOrder::Nhd, rows},
                                                  {target->host_view(), order, rows},
                                                  pairs().data(),
                                                  kBlocks,
                                                  {0, 8},
                                                  2,
                                                  rows,
                                                  0});
  state.SetLabel("nhd to " + std::string(to_text(order)));
  for (auto _ : state) {
    call.run_on_host();
    benchmark::ClobberMemory();
  }
  set_bytes(state, *source);
}
BENCHMARK(permute_cells_on_host)
    ->ArgName("order")
    ->Arg(static_cast<int>(InnerOrder::Hnd))
    ->Arg(static_cast<int>(InnerOrder::UniversalTp));

std::vector<BlockId> every_block() {
  std::vector<BlockId> ids(kBlocks);
  std::iota(ids.begin(), ids.end(), BlockId{0});
  return ids;
}

void page_checksum_on_host(benchmark::State& state) {
  const auto layout = pages(LayoutKind::FullyContiguous);
  const std::vector<BlockId> blocks = every_block();
  std::vector<std::uint64_t> sums(kBlocks);
  const KernelCall call = kernels::checksum_pages({layout->host_view(), blocks.data(), kBlocks, {0, 8}, sums.data()});
  for (auto _ : state) {
    call.run_on_host();
    benchmark::DoNotOptimize(sums.data());
  }
  set_bytes(state, *layout);
}
BENCHMARK(page_checksum_on_host);

void page_fill_on_host(benchmark::State& state) {
  const auto layout = pages(LayoutKind::FullyContiguous);
  const std::vector<BlockId> blocks = every_block();
  const auto pattern = static_cast<kernels::FillPattern>(state.range(0));
  const KernelCall call = kernels::fill_pages({layout->host_view(), blocks.data(), kBlocks, {0, 8}, pattern, 7});
  for (auto _ : state) {
    call.run_on_host();
    benchmark::ClobberMemory();
  }
  set_bytes(state, *layout);
}
BENCHMARK(page_fill_on_host)->ArgName("pattern")->DenseRange(0, 2);

}  // namespace
}  // namespace kvbm::bench
