#pragma once

#include <cstdint>

#include "kvbm/base/types.hpp"

namespace kvbm {

/// A page and where its bytes go.
struct BlockPair {
  BlockId source;
  BlockId target;
};

/// Layers [begin, end).
struct LayerRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  [[nodiscard]] constexpr std::uint32_t size() const noexcept { return end - begin; }
  friend constexpr bool operator==(LayerRange, LayerRange) = default;
};

}  // namespace kvbm
