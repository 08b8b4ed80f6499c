#include "kvbm/tokens/hash_codec.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace kvbm {
namespace {

// Leading bytes of the MessagePack forms in use here.
constexpr unsigned kBin8 = 0xC4;
constexpr unsigned kBin16 = 0xC5;
constexpr unsigned kBin32 = 0xC6;
constexpr unsigned kUint8 = 0xCC;
constexpr unsigned kUint64 = 0xCF;
constexpr unsigned kArray16 = 0xDC;
constexpr unsigned kArray32 = 0xDD;
constexpr unsigned kFixintMax = 0x7F;

/// Reads big-endian numbers off the front of bytes.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> rest) noexcept : rest_(rest) {}

  [[nodiscard]] std::optional<std::uint64_t> number(std::size_t bytes) noexcept {
    if (rest_.size() < bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (const std::byte byte : rest_.first(bytes)) value = (value << 8) | std::to_integer<std::uint64_t>(byte);
    rest_ = rest_.subspan(bytes);
    return value;
  }

  /// One unsigned integer, whatever its width.
  [[nodiscard]] std::optional<std::uint64_t> integer() noexcept {
    const std::optional<std::uint64_t> lead = number(1);
    if (!lead || *lead <= kFixintMax) return lead;
    if (*lead < kUint8 || *lead > kUint64) return std::nullopt;
    return number(std::size_t{1} << (*lead - kUint8));
  }

  [[nodiscard]] std::span<const std::byte> rest() const noexcept { return rest_; }

 private:
  std::span<const std::byte> rest_;
};

struct Head {
  std::size_t length_bytes;
  bool array;
};

std::optional<Head> head_of(std::uint64_t lead) noexcept {
  switch (lead) {
    case kBin8:
      return Head{1, false};
    case kBin16:
      return Head{2, false};
    case kBin32:
      return Head{4, false};
    case kArray16:
      return Head{2, true};
    case kArray32:
      return Head{4, true};
    default:
      return std::nullopt;
  }
}

void skip_space(std::string_view& text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

bool take(std::string_view& text, char wanted) noexcept {
  skip_space(text);
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::byte> take_byte(std::string_view& text) noexcept {
  skip_space(text);
  std::uint8_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || (digits > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return std::byte{value};
}

}  // namespace

std::array<std::byte, 18> write_msgpack(const HashBytes& bytes) noexcept {
  std::array<std::byte, 18> message{std::byte{kBin8}, std::byte{sizeof(HashBytes)}};
  std::ranges::copy(bytes, message.begin() + 2);
  return message;
}

std::optional<HashBytes> read_msgpack(std::span<const std::byte>& input) noexcept {
  Reader reader(input);
  const std::optional<std::uint64_t> lead = reader.number(1);
  const std::optional<Head> head = lead ? head_of(*lead) : std::nullopt;
  if (!head || reader.number(head->length_bytes) != sizeof(HashBytes)) return std::nullopt;
  HashBytes bytes;
  for (std::byte& byte : bytes) {
    const std::optional<std::uint64_t> value = head->array ? reader.integer() : reader.number(1);
    if (!value || *value > 0xFF) return std::nullopt;
    byte = static_cast<std::byte>(*value);
  }
  input = reader.rest();
  return bytes;
}

std::string write_json(const HashBytes& bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += text.empty() ? '[' : ',';
    text += std::to_string(std::to_integer<unsigned>(byte));
  }
  return text + ']';
}

std::optional<HashBytes> read_json(std::string_view& input) noexcept {
  std::string_view rest = input;
  HashBytes bytes;
  char before = '[';
  for (std::byte& byte : bytes) {
    if (!take(rest, before)) return std::nullopt;
    const std::optional<std::byte> value = take_byte(rest);
    if (!value) return std::nullopt;
    byte = *value;
    before = ',';
  }
  if (!take(rest, ']')) return std::nullopt;
  input = rest;
  return bytes;
}

}  // namespace kvbm
