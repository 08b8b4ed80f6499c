#include "bench/support/lookup_reference.hpp"

#include <algorithm>

#include "bench/support/lookup_reference.cuh"

namespace kvbm::bench {
namespace {

#if defined(KVBM_BENCH_CUDA)
#define KVBM_LAUNCHER(launch) &launch
#else
#define KVBM_LAUNCHER(launch) nullptr
#endif

void gather_on_host(const GatherUnits& gather) {
  for (std::uint32_t place = 0; place < gather.count; ++place) {
    std::uint64_t all = 0;
    for (unsigned lane = 0; lane < kernels::Tiles::kTile; ++lane) all ^= gather_part(gather, gather.keys[place], lane);
    gather.out[place] = all;
  }
}

template <class Slot>
void fill_on_host(const LinearFill<Slot>& fill) {
  for (std::uint64_t number = 0; number < fill.known; ++number) {
    FillLinearly<Slot>{fill}(number, [](std::uint64_t& value, std::uint64_t bits) {
      if (value != 0) return false;
      value = bits;
      return true;
    });
  }
}

template <class Slot>
void find_on_host(const LinearFind<Slot>& find) {
  for (std::uint32_t place = 0; place < find.count; ++place) FindLinearly<Slot>{find}(place);
  if (find.prefixes == nullptr) return;
  for (std::uint32_t request = 0; request < find.requests; ++request) {
    const std::uint32_t begin = find.offsets[request], end = find.offsets[request + 1];
    find.prefixes[request] = begin == end ? ~0u : *std::min_element(find.misses + begin, find.misses + end);
    LinearPrefix<Slot>{find}(request);
  }
}

}  // namespace

#if !defined(KVBM_BENCH_CUDA)
std::size_t linear_scratch_bytes(std::uint32_t) { return 1; }
#endif

KernelCall gather_units(const GatherUnits& gather) noexcept {
  return {"kvbm.bench.gather", gather, &gather_on_host, KVBM_LAUNCHER(launch_gather_units)};
}
template <class Slot>
KernelCall linear_fill(const LinearFill<Slot>& fill) noexcept {
  return {"kvbm.bench.linear_fill", fill, &fill_on_host<Slot>, KVBM_LAUNCHER(launch_linear_fill<Slot>)};
}
template <class Slot>
KernelCall linear_find(const LinearFind<Slot>& find) noexcept {
  return {"kvbm.bench.linear_find", find, &find_on_host<Slot>, KVBM_LAUNCHER(launch_linear_find<Slot>)};
}

template KernelCall linear_fill(const LinearFill<kernels::FingerprintSlot>&) noexcept;
template KernelCall linear_fill(const LinearFill<kernels::ExactSlot>&) noexcept;
template KernelCall linear_find(const LinearFind<kernels::FingerprintSlot>&) noexcept;
template KernelCall linear_find(const LinearFind<kernels::ExactSlot>&) noexcept;

}  // namespace kvbm::bench
