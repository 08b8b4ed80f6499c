#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fast_divide.cuh"
#include "kvbm/base/host_device.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm::kernels {

/// Part of a cell, worked on by one warp.
struct PagePart {
  std::uint32_t block_index;  ///< in the list of blocks
  BlockId block;
  std::uint32_t layer;
  std::uint32_t outer;
  std::uint64_t offset;  ///< in the cell; a multiple of 16
  std::uint32_t bytes;
  std::byte* address;
};

/// The cells of pages in parts, counted block by block, then by layer, outer and place in the cell.
class PageParts {
 public:
  static constexpr std::uint32_t kPartBytes = 8192;

  PageParts(const PageView& pages, const BlockId* blocks, std::uint32_t count, LayerRange layers) noexcept
      : pages_(pages),
        blocks_(blocks),
        first_layer_(layers.begin),
        per_cell_(positive((pages.cell_bytes + kPartBytes - 1) / kPartBytes)),
        per_layer_(positive(pages.outer)),
        per_block_(positive(layers.size())) {
    if (pages.cell_bytes != 0) count_ = std::uint64_t{count} * layers.size() * pages.outer * per_cell_.divisor();
  }

  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] KVBM_HOST_DEVICE const PageView& pages() const noexcept { return pages_; }

  [[nodiscard]] KVBM_HOST_DEVICE PagePart part(std::uint64_t index) const noexcept {
    const std::uint64_t cell = per_cell_.quotient(index);
    const std::uint64_t block_and_layer = per_layer_.quotient(cell);
    const std::uint64_t block_index = per_block_.quotient(block_and_layer);
    const auto layer = static_cast<std::uint32_t>(block_and_layer - block_index * per_block_.divisor()) + first_layer_;
    const auto outer = static_cast<std::uint32_t>(cell - block_and_layer * per_layer_.divisor());
    const std::uint64_t offset = (index - cell * per_cell_.divisor()) * kPartBytes;
    const std::uint64_t rest = pages_.cell_bytes - offset;
    const BlockId block = blocks_[block_index];
    return {static_cast<std::uint32_t>(block_index),
            block,
            layer,
            outer,
            offset,
            rest < kPartBytes ? static_cast<std::uint32_t>(rest) : kPartBytes,
            pages_.cell(block, layer, outer) + offset};
  }

 private:
  [[nodiscard]] static std::uint64_t positive(std::uint64_t number) noexcept { return number == 0 ? 1 : number; }

  PageView pages_;
  const BlockId* blocks_;
  std::uint32_t first_layer_;
  FastDivide64 per_cell_;   // parts
  FastDivide64 per_layer_;  // cells
  FastDivide64 per_block_;  // layers
  std::uint64_t count_ = 0;
};

}  // namespace kvbm::kernels
