#pragma once

#include <cstdint>
#include <string>

namespace kvbm {

/// A block was declared full with the wrong number of tokens, or a run with the wrong number of hashes.
struct BlockSizeMismatch {
  std::uint32_t expected = 0;
  std::uint32_t actual = 0;

  [[nodiscard]] std::string text() const;
};

}  // namespace kvbm
