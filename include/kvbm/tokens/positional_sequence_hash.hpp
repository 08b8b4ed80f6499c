#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

/// Names a block by its sequence hash and position, with as much of its own block hash as fits beside them.
///
/// Shape   128 bits, from the top: mode (2), position (8, 16, 24 or 31 bits for mode 0 to 3), the low 54, 46, 38 or 31
///         bits of the block hash, sequence hash (64). The mode is the smallest that holds the position.
/// Source  the layout of NVIDIA Dynamo's dynamo-tokens 1.5, bit for bit.
class alignas(16) PositionalSequenceHash {
 public:
  static constexpr std::uint64_t kPositionLimit = std::uint64_t{1} << 31;

  /// All bits 0.
  constexpr PositionalSequenceHash() = default;

  /// Errors  std::invalid_argument naming the position if it is kPositionLimit or more.
  PositionalSequenceHash(std::uint64_t sequence_hash, std::uint64_t position, std::uint64_t block_hash);

  [[nodiscard]] constexpr unsigned mode() const noexcept { return static_cast<unsigned>(high_ >> 62); }
  [[nodiscard]] constexpr std::uint64_t position() const noexcept {
    return (high_ & ~kModeMask) >> block_hash_bits(mode());
  }
  [[nodiscard]] constexpr std::uint64_t sequence_hash() const noexcept { return low_; }
  /// The low bits of the block hash, as many as the mode keeps.
  [[nodiscard]] constexpr std::uint64_t local_block_hash() const noexcept {
    return high_ & ((std::uint64_t{1} << block_hash_bits(mode())) - 1);
  }

  [[nodiscard]] constexpr std::uint64_t high() const noexcept { return high_; }
  [[nodiscard]] constexpr std::uint64_t low() const noexcept { return low_; }

  [[nodiscard]] HashBytes to_bytes() const noexcept;
  [[nodiscard]] static PositionalSequenceHash from_bytes(std::span<const std::byte, 16> bytes) noexcept;

  /// Names sequence hash, local block hash and position, for people.
  [[nodiscard]] std::string text() const;

  friend constexpr bool operator==(const PositionalSequenceHash&, const PositionalSequenceHash&) = default;

 private:
  static constexpr std::uint64_t kModeMask = std::uint64_t{3} << 62;

  static constexpr unsigned block_hash_bits(unsigned mode) noexcept { return mode == 3 ? 31 : 54 - 8 * mode; }

  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

}  // namespace kvbm

template <>
struct std::hash<kvbm::PositionalSequenceHash> {
  std::size_t operator()(const kvbm::PositionalSequenceHash& key) const noexcept {
    std::uint64_t mixed = key.high() ^ key.low();
    mixed = (mixed ^ (mixed >> 32)) * 0x9E37'79B9'7F4A'7C15u;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
  }
};
