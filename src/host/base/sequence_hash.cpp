#include "kvbm/base/sequence_hash.hpp"

#include <cstddef>
#include <stdexcept>

#include "kvbm/base/xxh3.hpp"
#include "src/host/base/xxh3_inline.hpp"

namespace kvbm {
namespace {

constexpr char kBase58Alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Base58 of the eight big-endian bytes of `value`: one '1' for each leading zero byte, then the digits.
void append_base58(std::string& text, std::uint64_t value) {
  for (int shift = 56; shift >= 0 && (value >> shift) == 0; shift -= 8) text += kBase58Alphabet[0];
  char digits[11];  // 58^11 > 2^64
  std::size_t count = 0;
  for (; value != 0; value /= 58) digits[count++] = kBase58Alphabet[value % 58];
  while (count > 0) text += digits[--count];
}

std::uint64_t checked_position(std::uint64_t position) {
  if (position >= SequenceHash::kPositionLimit) {
    throw std::invalid_argument("SequenceHash: position " + std::to_string(position) + " is not below " +
                                std::to_string(SequenceHash::kPositionLimit));
  }
  return position;
}

}  // namespace

std::uint64_t xxh3_64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t chain_hash(std::uint64_t parent, std::uint64_t child_block_hash) noexcept {
  return chain_hash_inline(parent, child_block_hash);
}

SequenceHash::SequenceHash(std::uint64_t current, std::optional<std::uint64_t> parent, std::uint64_t position)
    : SequenceHash(pack(current, parent.value_or(0), checked_position(position))) {}

SequenceHash SequenceHash::extend(std::uint64_t child_block_hash) const {
  const std::uint64_t parent = current();
  return SequenceHash(chain_hash_inline(parent, child_block_hash), parent, position() + 1);
}

HashBytes SequenceHash::to_bytes() const noexcept {
  HashBytes bytes;
  for (unsigned i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::byte>(high_ >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::byte>(low_ >> (56 - 8 * i));
  }
  return bytes;
}

std::optional<SequenceHash> SequenceHash::from_bytes(std::span<const std::byte, 16> bytes) noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = (high << 8) | std::to_integer<std::uint64_t>(bytes[i]);
    low = (low << 8) | std::to_integer<std::uint64_t>(bytes[8 + i]);
  }
  if ((high >> 62) == 3) return std::nullopt;
  return from_bits(high, low);
}

std::string SequenceHash::text() const {
  std::string text = std::to_string(position()) + ':';
  append_base58(text, current());
  if (position() == 0) return text;
  text += ':';
  append_base58(text, parent_fragment());
  return text;
}

}  // namespace kvbm
