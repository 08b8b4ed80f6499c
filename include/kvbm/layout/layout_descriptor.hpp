#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/layout/block_layout.hpp"

namespace kvbm {

/// A layout in words that another process understands: it computes addresses, and owns no memory. Addresses of another
/// process are never dereferenced here.
struct LayoutDescriptor {
  static constexpr std::uint32_t kVersion = 1;

  struct Place {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;

    friend bool operator==(const Place&, const Place&) = default;
  };

  LayoutConfig config;
  LayoutKind kind = LayoutKind::FullyContiguous;
  MemoryKind memory_kind = MemoryKind::System;
  int device = -1;                 ///< ordinal, for device memory
  std::uint32_t block_format = 0;  ///< how blocks are encoded; 0: as they are
  std::vector<Place> regions{};

  /// Errors  LayoutError::IndexOutOfRange, as BlockLayout::cell.
  [[nodiscard]] Result<std::uint64_t, LayoutError> cell_address(BlockId block, std::uint32_t layer,
                                                                std::uint32_t outer) const;

  friend bool operator==(const LayoutDescriptor&, const LayoutDescriptor&) = default;
};

[[nodiscard]] LayoutDescriptor describe(const BlockLayout& layout);

/// A magic number, the version, and the fields in order, little-endian.
[[nodiscard]] std::vector<std::byte> to_bytes(const LayoutDescriptor& descriptor);
/// Errors  LayoutError::UnknownVersion naming both, Malformed for anything that to_bytes does not write, and whatever
///         is wrong with the shape or the regions it describes.
[[nodiscard]] Result<LayoutDescriptor, LayoutError> parse_layout_descriptor(std::span<const std::byte> bytes);

}  // namespace kvbm
