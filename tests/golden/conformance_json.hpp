#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvbm::conformance {

using Json = nlohmann::json;

/// Says why a line cannot be replayed. Errors  always: std::invalid_argument.
[[noreturn]] void refuse(const std::string& reason);

/// One line of a recorded file. All functions below throw std::invalid_argument where something is not what the format
/// wants, with `name` in the text.
/// Errors  std::invalid_argument: no JSON, no object, or nested deeper than any recorded line. The last saves functions
///         that recurse over a value from lines made to break them.
[[nodiscard]] Json parse_line(std::string_view text);

[[nodiscard]] const Json& field(const Json& object, const char* name);
[[nodiscard]] const Json& list_field(const Json& object, const char* name);

[[nodiscard]] std::uint64_t natural(const Json& value, const char* name);
[[nodiscard]] std::uint32_t natural32(const Json& value, const char* name);
[[nodiscard]] std::int64_t integer(const Json& value, const char* name);
[[nodiscard]] bool boolean(const Json& value, const char* name);
[[nodiscard]] const std::string& text(const Json& value, const char* name);
/// 16 hexadecimal digits.
[[nodiscard]] std::uint64_t hex64(const Json& value, const char* name);
/// 32 hexadecimal digits, as a pair of halves: they need not be a lineage hash.
struct Bits128 {
  std::uint64_t high, low;
};
[[nodiscard]] Bits128 hex128(const Json& value, const char* name);

[[nodiscard]] std::vector<std::uint64_t> naturals(const Json& list, const char* name);
[[nodiscard]] std::vector<std::optional<std::uint64_t>> naturals_or_null(const Json& list, const char* name);

}  // namespace kvbm::conformance
