#include "kernels/page_fill.cuh"

#include "kernels/launch_table.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

void fill_on_host(const FillPages& fill) {
  const PageParts parts(fill.pages, fill.blocks, fill.count, fill.layers);
  const FillPart fill_part{fill.pattern, fill.value, fill.pages.cell_bytes};
  for (std::uint64_t i = 0; i < parts.count(); ++i) fill_part(parts.part(i), 0, 1);
}

}  // namespace

KernelCall fill_pages(const FillPages& fill) noexcept {
  KVBM_ASSERT(fill.layers.begin <= fill.layers.end && fill.layers.end <= fill.pages.layers,
              "layers lie within the page");
  KVBM_ASSERT(fill.blocks != nullptr || fill.count == 0, "a fill with work has blocks");
  return {"kvbm.fill_pages", fill, &fill_on_host, launch_table().fill_pages};
}

}  // namespace kvbm::kernels
