#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kvbm/tokens/block_hash.hpp"

namespace kvbm {

/// Token ids out of what tokenizers return. Signed ones keep their bits: -1 becomes 0xFFFF'FFFF.
[[nodiscard]] std::vector<Token> to_tokens(std::span<const std::int32_t> ids);
/// Errors  std::invalid_argument naming an id that does not fit.
[[nodiscard]] std::vector<Token> to_tokens(std::span<const std::size_t> ids);

}  // namespace kvbm
