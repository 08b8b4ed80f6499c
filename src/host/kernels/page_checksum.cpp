#include "kernels/page_checksum.cuh"

#include <algorithm>

#include "kernels/launch_table.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

void checksum_on_host(const ChecksumPages& checksum) {
  std::fill_n(checksum.sums, checksum.count, 0);
  const PageParts parts(checksum.pages, checksum.blocks, checksum.count, checksum.layers);
  for (std::uint64_t i = 0; i < parts.count(); ++i) {
    const PagePart part = parts.part(i);
    checksum.sums[part.block_index] += SumPart{}(part, 0, 1);
  }
}

}  // namespace

KernelCall checksum_pages(const ChecksumPages& checksum) noexcept {
  KVBM_ASSERT(checksum.layers.begin <= checksum.layers.end && checksum.layers.end <= checksum.pages.layers,
              "layers lie within the page");
  KVBM_ASSERT((checksum.blocks != nullptr && checksum.sums != nullptr) || checksum.count == 0,
              "a checksum with work has blocks and sums");
  return {"kvbm.checksum_pages", checksum, &checksum_on_host, launch_table().checksum_pages};
}

std::uint64_t page_checksum(const PageView& pages, BlockId block, LayerRange layers) noexcept {
  std::uint64_t sum = 0;
  checksum_pages({pages, &block, 1, layers, &sum}).run_on_host();
  return sum;
}

}  // namespace kvbm::kernels
