#pragma once

#include <cstdint>

#include "kvbm/base/types.hpp"
#include "kvbm/device/kernel_call.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/layout/page_view.hpp"

namespace kvbm::kernels {

/// What a page is filled with. Offsets count from the start of a layer of a page: outer * cell_bytes + place in the
/// cell, whatever the layout.
enum class FillPattern : std::uint8_t {
  Constant,    ///< every byte is `value`
  Sequential,  ///< (block + layer + offset) mod 256
  Random,      ///< bytes that depend on `value` as a key, block, layer and offset
};

/// Fills layers [layers.begin, layers.end) of pages blocks[0, count).
///
/// blocks  device-accessible, unchanged until the stream has passed this point; distinct.
struct FillPages {
  PageView pages;
  const BlockId* blocks;
  std::uint32_t count;
  LayerRange layers;
  FillPattern pattern;
  std::uint64_t value;  ///< the byte of Constant, the key of Random
};
[[nodiscard]] KernelCall fill_pages(const FillPages& fill) noexcept;

}  // namespace kvbm::kernels
