#include "kvbm/tokens/positional_sequence_hash.hpp"

#include <stdexcept>

namespace kvbm {

PositionalSequenceHash::PositionalSequenceHash(std::uint64_t sequence_hash, std::uint64_t position,
                                               std::uint64_t block_hash)
    : low_(sequence_hash) {
  if (position >= kPositionLimit) {
    throw std::invalid_argument("PositionalSequenceHash: position " + std::to_string(position) + " is not below " +
                                std::to_string(kPositionLimit));
  }
  const std::uint64_t mode = position < (1u << 8) ? 0 : position < (1u << 16) ? 1 : position < (1u << 24) ? 2 : 3;
  const unsigned bits = block_hash_bits(static_cast<unsigned>(mode));
  high_ = (mode << 62) | (position << bits) | (block_hash & ((std::uint64_t{1} << bits) - 1));
}

HashBytes PositionalSequenceHash::to_bytes() const noexcept {
  HashBytes bytes;
  for (unsigned i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::byte>(high_ >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::byte>(low_ >> (56 - 8 * i));
  }
  return bytes;
}

PositionalSequenceHash PositionalSequenceHash::from_bytes(std::span<const std::byte, 16> bytes) noexcept {
  PositionalSequenceHash hash;
  for (std::size_t i = 0; i < 8; ++i) {
    hash.high_ = (hash.high_ << 8) | std::to_integer<std::uint64_t>(bytes[i]);
    hash.low_ = (hash.low_ << 8) | std::to_integer<std::uint64_t>(bytes[8 + i]);
  }
  return hash;
}

std::string PositionalSequenceHash::text() const {
  return "sequence_hash " + std::to_string(sequence_hash()) + ", local_block_hash " +
         std::to_string(local_block_hash()) + ", position " + std::to_string(position());
}

}  // namespace kvbm
