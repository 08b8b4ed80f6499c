#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "kvbm/base/result.hpp"
#include "kvbm/layout/inner_order.hpp"

namespace kvbm {

/// Where the cells of a block lie. A cell is the bytes of one (block, layer, outer).
enum class LayoutKind : std::uint8_t {
  FullyContiguous,          ///< one region [blocks, layers, outer, cell]
  LayerSeparateBlockFirst,  ///< a region per layer [blocks, outer, cell]
  LayerSeparateOuterFirst,  ///< a region per layer [outer, blocks, cell]
};

/// The shape of a cache: what one page holds.
///
/// Units  inner is elements per token of one (layer, outer): heads * head_dim.
struct LayoutConfig {
  std::uint32_t blocks = 0;
  std::uint32_t layers = 0;
  std::uint32_t outer = 2;  ///< 2: K and V apart; 1: fused
  std::uint32_t tokens = 0;
  std::uint32_t inner = 0;
  std::optional<std::uint32_t> heads{};  ///< wanted by permutations, and by orders without cells
  std::uint32_t element_bytes = 2;       ///< 1, 2, 4 or 8
  std::size_t alignment = 1;             ///< a power of two; every base and every cell size is a multiple of it
  InnerOrder order = InnerOrder::Unknown;

  [[nodiscard]] std::size_t cell_bytes() const noexcept { return std::size_t{tokens} * inner * element_bytes; }
  [[nodiscard]] std::size_t block_bytes() const noexcept { return cell_bytes() * outer * layers; }
  /// Precondition: heads is given and divides inner.
  [[nodiscard]] std::uint32_t head_dim() const noexcept { return inner / *heads; }

  friend bool operator==(const LayoutConfig&, const LayoutConfig&) = default;
};

/// Why a layout was refused. `needed` and `got` are filled where the text speaks of two numbers.
struct LayoutError {
  enum class Code : std::uint8_t {
    DimensionZero,
    OuterOutOfRange,
    AlignmentNotPowerOfTwo,
    ElementWidthUnsupported,
    HeadsRequired,
    HeadsZero,
    InnerNotDivisibleByHeads,
    SizeOverflow,
    RegionCountMismatch,
    RegionTooSmall,
    RegionsOverlap,
    MixedMemoryKinds,  ///< or devices
    NoRegion,
    NoDevice,  ///< pinned or device memory, and no device that reaches it
    NotDeviceMemory,
    NotContiguous,
    Misaligned,
    OrderNotPossible,  ///< a universal or custom order on a layer-separate layout
    IndexOutOfRange,
    TooManyLayouts,
    UnknownVersion,
    Malformed,
    NoSuchAxis,    ///< of a view; or an index for one that it lacks
    AxisTwice,     ///< named, sliced, or made a part of a whole a second time
    IndexMissing,  ///< an address takes an index of each axis
    NotDivisible,  ///< an axis cannot be shared out evenly
    ViewsDiffer,   ///< in axes, extents of the whole, or element width
  };
  Code code;
  std::string text;
  std::uint64_t needed = 0;
  std::uint64_t got = 0;
};

/// The first thing wrong with a shape by itself, overflow of any byte count included.
[[nodiscard]] Result<void, LayoutError> check_config(const LayoutConfig& config, LayoutKind kind);

}  // namespace kvbm
