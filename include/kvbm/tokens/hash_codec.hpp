#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

/// Forms in which the 16 big-endian bytes of a SequenceHash or PositionalSequenceHash travel inside messages.
/// A reader takes one value off the front of its input. It returns nothing, with the input unchanged, for what is no
/// string of 16 bytes and no sequence of 16 numbers from 0 to 255.

/// MessagePack: bin 8 of length 16.
[[nodiscard]] std::array<std::byte, 18> write_msgpack(const HashBytes& bytes) noexcept;
/// Takes bin 8, 16 and 32, and arrays of unsigned integers of any width.
[[nodiscard]] std::optional<HashBytes> read_msgpack(std::span<const std::byte>& input) noexcept;

/// JSON: an array of 16 numbers, without spaces.
[[nodiscard]] std::string write_json(const HashBytes& bytes);
/// Takes an array of 16 whole numbers, with white space anywhere. (JSON has no string of bytes.)
[[nodiscard]] std::optional<HashBytes> read_json(std::string_view& input) noexcept;

}  // namespace kvbm
