#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "kvbm/base/host_device.hpp"

namespace kvbm {

/// Seed of every step of the chain; a request's salt enters through its block hashes only.
inline constexpr std::uint64_t kChainSeed = 1337;

/// The 64-bit sequence hash of a block whose parent's is `parent` and whose own tokens hash to `child_block_hash`:
/// XXH3 with kChainSeed over both as 16 little-endian bytes, the parent first.
[[nodiscard]] std::uint64_t chain_hash(std::uint64_t parent, std::uint64_t child_block_hash) noexcept;

/// The 16 big-endian bytes a 128-bit hash travels as.
using HashBytes = std::array<std::byte, 16>;

/// Identity of a block together with everything before it: its positional lineage hash.
///
/// Shape   128 bits, from the top: mode (2), position (8, 16 or 24 bits for mode 0, 1, 2), current sequence hash (64),
///         parent fragment (the low 54, 46 or 38 bits of the parent's sequence hash; 0 for a root).
///         Mode 0 serves positions below 2^8, mode 1 those below 2^16, mode 2 the rest below 2^24.
///         The fragment's width is the child's, so an edge across a change of mode is still an equality of bits.
/// Source  the layout of NVIDIA Dynamo's dynamo-tokens 1.5, bit for bit.
class alignas(16) SequenceHash {
 public:
  static constexpr std::uint64_t kPositionLimit = std::uint64_t{1} << 24;

  /// Position 0, everything else 0.
  constexpr SequenceHash() = default;

  /// Takes packed bits as they are. Precondition: they came from a SequenceHash.
  KVBM_HOST_DEVICE static constexpr SequenceHash from_bits(std::uint64_t high, std::uint64_t low) noexcept {
    SequenceHash hash;
    hash.high_ = high;
    hash.low_ = low;
    return hash;
  }

  /// Packs without a check; a root passes parent 0. Precondition: position < kPositionLimit.
  KVBM_HOST_DEVICE static constexpr SequenceHash pack(std::uint64_t current, std::uint64_t parent,
                                                      std::uint64_t position) noexcept {
    const unsigned mode = mode_of(position);
    const unsigned fragment_bits = 54 - 8 * mode;
    return from_bits((std::uint64_t{mode} << 62) | (position << fragment_bits) | (current >> (64 - fragment_bits)),
                     (current << fragment_bits) | (parent & fragment_mask(mode)));
  }

  /// Packs a block's own 64-bit sequence hash, its parent's (none for a root) and its position.
  /// Errors  std::invalid_argument naming the position if it is kPositionLimit or more.
  SequenceHash(std::uint64_t current, std::optional<std::uint64_t> parent, std::uint64_t position);

  /// The first block of a sequence, whose sequence hash is its block hash.
  static constexpr SequenceHash root(std::uint64_t block_hash) noexcept { return pack(block_hash, 0, 0); }

  /// The block behind this one, whose tokens have `child_block_hash`.
  /// Errors  std::invalid_argument if its position would be kPositionLimit.
  [[nodiscard]] SequenceHash extend(std::uint64_t child_block_hash) const;

  [[nodiscard]] KVBM_HOST_DEVICE constexpr unsigned mode() const noexcept { return static_cast<unsigned>(high_ >> 62); }
  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t position() const noexcept {
    return (high_ << 2) >> (56 - 8 * mode());
  }
  /// The full 64-bit sequence hash of this block.
  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t current() const noexcept {
    const unsigned shift = 10 + 8 * mode();
    return (high_ << shift) | (low_ >> (64 - shift));
  }
  /// Low bits of the parent's sequence hash, as many as this hash's own mode keeps. Unique only with the position.
  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t parent_fragment() const noexcept {
    return low_ & fragment_mask(mode());
  }
  /// What a child at `child_position` stores as its parent fragment if this block is its parent.
  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t fragment_for_child(
      std::uint64_t child_position) const noexcept {
    return current() & fragment_mask(mode_of(child_position));
  }

  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t high() const noexcept { return high_; }
  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t low() const noexcept { return low_; }

  [[nodiscard]] HashBytes to_bytes() const noexcept;
  /// Nothing for bits that no SequenceHash has (mode 3), since bytes come from outside.
  [[nodiscard]] static std::optional<SequenceHash> from_bytes(std::span<const std::byte, 16> bytes) noexcept;

  /// "position:current" for position 0, else "position:current:parent"; hashes in Base58 of their big-endian bytes.
  [[nodiscard]] std::string text() const;

  friend constexpr bool operator==(const SequenceHash&, const SequenceHash&) = default;
  /// By position, then current sequence hash, then packed bits.
  friend constexpr std::strong_ordering operator<=>(const SequenceHash& a, const SequenceHash& b) noexcept {
    if (const auto order = a.position() <=> b.position(); order != 0) return order;
    if (const auto order = a.current() <=> b.current(); order != 0) return order;
    if (const auto order = a.high_ <=> b.high_; order != 0) return order;
    return a.low_ <=> b.low_;
  }

  KVBM_HOST_DEVICE static constexpr unsigned mode_of(std::uint64_t position) noexcept {
    return position < (1u << 8) ? 0 : position < (1u << 16) ? 1 : 2;
  }
  KVBM_HOST_DEVICE static constexpr std::uint64_t fragment_mask(unsigned mode) noexcept {
    return (std::uint64_t{1} << (54 - 8 * mode)) - 1;
  }

 private:
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

}  // namespace kvbm

/// Real hashes are well mixed already; the multiplication spreads small hand-made ones too, in low and high bits.
template <>
struct std::hash<kvbm::SequenceHash> {
  std::size_t operator()(const kvbm::SequenceHash& key) const noexcept {
    std::uint64_t mixed = key.high() ^ key.low();
    mixed = (mixed ^ (mixed >> 32)) * 0x9E37'79B9'7F4A'7C15u;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
  }
};
