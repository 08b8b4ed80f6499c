#pragma once

#include <bit>
#include <cstdint>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

// How the table finds a block, and a child its parent: by a tag of 32 bits, made of the position and the low 38 bits of
// the current sequence hash. That is just what every child knows of its parent, so that one table finds both.

namespace lineage {

constexpr unsigned kKnown = 38;  // bits of a parent's sequence hash that every child keeps
// Two odd factors, shifted so that what lies above the known bits is multiplied away.
constexpr std::uint64_t kHigh = std::uint64_t{0x9E37'79B9'7F4A'7C15} << (64 - kKnown);
constexpr std::uint64_t kLow = std::uint64_t{0xD1B5'4A32'D192'ED03} << (64 - kKnown);

/// Bits that mode and position take at the top of a hash, and so the bits of the current hash that its low word holds.
constexpr unsigned named_bits(unsigned mode) noexcept { return 10 + 8 * mode; }

/// `above`: the known bits, save the lowest ones, whose room mode and position take. `below`: those lowest ones.
constexpr std::uint32_t tag(std::uint64_t above, std::uint64_t below) noexcept {
  return static_cast<std::uint32_t>((above * kHigh + below * kLow) >> 32);
}

/// The tag of a hash of this mode: a rotation brings mode and position below the current hash's upper part.
constexpr std::uint32_t tag_in_mode(unsigned mode, const SequenceHash& hash) noexcept {
  const unsigned named = named_bits(mode);
  return tag(std::rotl(hash.high(), static_cast<int>(named)), hash.low() >> (64 - named));
}

/// The tag of a parent of the same mode, from its child.
constexpr std::uint32_t parent_tag_in_mode(unsigned mode, const SequenceHash& child) noexcept {
  const unsigned named = named_bits(mode);
  const std::uint64_t below = (std::uint64_t{1} << named) - 1;
  const std::uint64_t name = (child.high() >> (64 - named)) - 1;
  return tag((child.low() & ~below) | name, child.low() & below);
}

/// is_parent() where both are of this mode.
constexpr bool is_parent_in_mode(unsigned mode, const SequenceHash& parent, const SequenceHash& child) noexcept {
  const unsigned named = named_bits(mode);
  const std::uint64_t current = parent.high() << named | parent.low() >> (64 - named);
  return (current ^ child.low()) << named == 0 && (child.high() >> (64 - named)) - (parent.high() >> (64 - named)) == 1;
}

}  // namespace lineage

[[nodiscard]] constexpr std::uint32_t lineage_tag(std::uint64_t position, std::uint64_t fragment) noexcept {
  const unsigned mode = SequenceHash::mode_of(position);
  const unsigned named = lineage::named_bits(mode);
  const std::uint64_t below = (std::uint64_t{1} << named) - 1;
  const std::uint64_t name = std::uint64_t{mode} << (named - 2) | position;
  return lineage::tag((fragment & ~below) | name, fragment & below);
}

// Modes 0 and 1 are written out, since their shifts are then constants.
[[nodiscard]] constexpr std::uint32_t lineage_tag(const SequenceHash& hash) noexcept {
  if (hash.mode() == 0) return lineage::tag_in_mode(0, hash);
  return hash.mode() == 1 ? lineage::tag_in_mode(1, hash) : lineage::tag_in_mode(2, hash);
}

/// Position 0.
[[nodiscard]] constexpr bool is_root(const SequenceHash& hash) noexcept { return hash.high() < std::uint64_t{1} << 54; }

/// Whether `child` can hang on `parent`, as far as a hash tells.
[[nodiscard]] constexpr bool is_parent(const SequenceHash& parent, const SequenceHash& child) noexcept {
  if (child.mode() == 0) return lineage::is_parent_in_mode(0, parent, child);  // then so is the parent
  if (child.mode() == 1 && parent.mode() == 1) return lineage::is_parent_in_mode(1, parent, child);
  const std::uint64_t position = child.position();
  return parent.position() + 1 == position && parent.fragment_for_child(position) == child.parent_fragment();
}

}  // namespace kvbm
