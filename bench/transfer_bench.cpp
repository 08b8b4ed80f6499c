#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/layout/layout_memory.hpp"
#include "kvbm/transfer/transfer_engine.hpp"
#include "tests/support/idle_device.hpp"

// transfer_submit/*: time of the submitting thread, on a device that drops its work: what kvbm adds to the driver's own
// calls. emulated_transfer/*: end to end on the emulated device, whose copies are memcpy on threads of this machine.

namespace kvbm {
namespace {

/// Llama-3.1-70B in bf16: cells of 32 KiB, pages of 5 MiB.
LayoutConfig llama(std::uint32_t blocks) {
  return {.blocks = blocks,
          .layers = 80,
          .outer = 2,
          .tokens = 16,
          .inner = 1024,
          .heads = 8,
          .element_bytes = 2,
          .alignment = 16};
}

std::vector<BlockPair> scattered(std::uint32_t blocks) {
  std::vector<BlockPair> pairs;
  for (BlockId block = 0; block < blocks; ++block) pairs.push_back({block * 7 % blocks, block * 3 % blocks});
  return pairs;
}

std::shared_ptr<const BlockLayout> borrowed(const std::shared_ptr<Device>& device, LayoutKind kind, MemoryKind memory,
                                            std::uint32_t blocks, std::uintptr_t start) {
  const LayoutConfig config = llama(blocks);
  const bool contiguous = kind == LayoutKind::FullyContiguous;
  const std::size_t bytes = blocks * config.block_bytes() / (contiguous ? 1 : config.layers);
  std::vector<Memory> regions;
  for (std::uint32_t i = 0; i < (contiguous ? 1 : config.layers); ++i) {
    regions.push_back(borrow_memory({.address = reinterpret_cast<std::byte*>(start + i * bytes),
                                     .bytes = bytes,
                                     .kind = memory,
                                     .device = memory == MemoryKind::Device ? 0 : -1}));
  }
  return BlockLayout::create(config, kind, std::move(regions), device).value();
}

void transfer_submit(benchmark::State& state, Mechanism mechanism, TransferPriority priority) {
  constexpr std::uint32_t kBlocks = 4096 + 1;  // a prime number would do as well: pairs are distinct
  const auto device = std::make_shared<test::IdleDevice>();
  TransferEngine engine(device, {.calibrate = false});
  const auto cache =
      borrowed(device, LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, kBlocks, std::uintptr_t{1} << 44);
  const auto store =
      borrowed(device, LayoutKind::FullyContiguous, MemoryKind::Pinned, kBlocks, std::uintptr_t{2} << 44);
  std::vector<BlockPair> pairs = scattered(kBlocks);
  pairs.resize(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    const Completion completion =
        engine.submit({.source = cache, .target = store, .blocks = pairs, .priority = priority, .mechanism = mechanism})
            .value();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(taken.count());
    completion.wait();
  }
  state.counters["fragments"] = static_cast<double>(pairs.size() * 80);
}

void emulated_transfer(benchmark::State& state, MemoryKind source_memory, MemoryKind target_memory,
                       Mechanism mechanism) {
  constexpr std::uint32_t kBlocks = 16;
  const auto device = EmulatedDevice::create();
  TransferEngine engine(device, {.calibrate = false});
  const auto layout = [&](MemoryKind memory) {
    const auto kind = memory == MemoryKind::Device ? LayoutKind::LayerSeparateBlockFirst : LayoutKind::FullyContiguous;
    return allocate_layout(llama(kBlocks), kind, memory, device).value();
  };
  const auto source = layout(source_memory);
  const auto target = layout(target_memory);
  std::vector<BlockPair> pairs = scattered(kBlocks);
  for (auto _ : state) {
    const auto completion =
        engine.submit({.source = source, .target = target, .blocks = pairs, .mechanism = mechanism}).value();
    completion.wait();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlocks * llama(kBlocks).block_bytes()));
}

BENCHMARK_CAPTURE(transfer_submit, kernel, Mechanism::CopyKernel, TransferPriority::OnDemand)
    ->ArgName("blocks")
    ->Arg(1)
    ->Arg(6)
    ->Arg(64)
    ->Arg(1024)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(transfer_submit, staged, Mechanism::Staged, TransferPriority::OnDemand)
    ->ArgName("blocks")
    ->Arg(1)
    ->Arg(6)
    ->Arg(64)
    ->Arg(1024)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(transfer_submit, batched, Mechanism::BatchedCopy, TransferPriority::OnDemand)
    ->ArgName("blocks")
    ->Arg(1)
    ->Arg(6)
    ->Arg(64)
    ->Arg(1024)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(emulated_transfer, offload_kernel, MemoryKind::Device, MemoryKind::Pinned, Mechanism::CopyKernel)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(emulated_transfer, onboard_staged, MemoryKind::Pinned, MemoryKind::Device, Mechanism::Staged)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(emulated_transfer, onboard_copies, MemoryKind::Pinned, MemoryKind::Device, Mechanism::Copies)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(emulated_transfer, host, MemoryKind::System, MemoryKind::Pinned, Mechanism::HostCopy)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kvbm
