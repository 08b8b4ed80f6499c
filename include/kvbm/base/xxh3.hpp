#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvbm {

/// XXH3, 64 bits out, seeded. No other hash function takes part in the identity of a block.
///
/// Source  XXH3_64bits_withSeed of the xxHash library, stable since its release 0.8.0.
[[nodiscard]] std::uint64_t xxh3_64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept;

}  // namespace kvbm
