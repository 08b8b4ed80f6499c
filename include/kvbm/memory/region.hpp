#pragma once

#include <cstddef>
#include <cstdint>

namespace kvbm {

/// What kind of memory a region is: what may touch it, and how it is copied.
enum class MemoryKind : std::uint8_t {
  System,  ///< pageable host memory
  Pinned,  ///< host memory that the device reaches
  Device,  ///< the device's own
};

/// Names memory that somebody else owns.
struct Region {
  std::byte* address = nullptr;
  std::size_t bytes = 0;
  MemoryKind kind = MemoryKind::System;
  int device = -1;  ///< ordinal of the device whose memory it is (Device), else -1

  friend bool operator==(const Region&, const Region&) = default;
};

}  // namespace kvbm
