#include "tests/golden/conformance_json.hpp"

#include <fmt/format.h>

#include <limits>
#include <stdexcept>

namespace kvbm::conformance {
namespace {

constexpr int kDeepest = 8;  // recorded lines have three levels

bool within_depth(int depth, Json::parse_event_t /*event*/, Json& /*parsed*/) {
  if (depth > kDeepest) refuse("nested too deeply");
  return true;
}

const std::string& hex_digits(const Json& value, const char* name, std::size_t digits) {
  const std::string& found = text(value, name);
  if (found.size() != digits || found.find_first_not_of("0123456789abcdef") != std::string::npos) {
    refuse(fmt::format("\"{}\" holds something else than {} hexadecimal digits", name, digits));
  }
  return found;
}

std::uint64_t from_hex(const std::string& digits) { return std::stoull(digits, nullptr, 16); }

}  // namespace

void refuse(const std::string& reason) { throw std::invalid_argument(reason); }

Json parse_line(std::string_view line) {
  Json parsed;
  try {
    parsed = Json::parse(line, within_depth);
  } catch (const Json::parse_error& error) {
    refuse(fmt::format("no JSON from column {} on", error.byte));
  } catch (const Json::exception&) {
    refuse("no JSON: a number is out of range");
  }
  if (!parsed.is_object()) refuse("the line is no JSON object");
  return parsed;
}

const Json& field(const Json& object, const char* name) {
  if (!object.is_object()) refuse(fmt::format("no object around \"{}\"", name));
  const auto found = object.find(name);
  if (found == object.end()) refuse(fmt::format("no field \"{}\"", name));
  return *found;
}

const Json& list_field(const Json& object, const char* name) {
  const Json& value = field(object, name);
  if (!value.is_array()) refuse(fmt::format("\"{}\" is not a list", name));
  return value;
}

std::uint64_t natural(const Json& value, const char* name) {
  if (!value.is_number_unsigned()) refuse(fmt::format("\"{}\" holds something else than a natural number", name));
  return value.get<std::uint64_t>();
}

std::uint32_t natural32(const Json& value, const char* name) {
  const std::uint64_t number = natural(value, name);
  if (number > std::numeric_limits<std::uint32_t>::max()) {
    refuse(fmt::format("\"{}\" is {}, more than 32 bits", name, number));
  }
  return static_cast<std::uint32_t>(number);
}

std::int64_t integer(const Json& value, const char* name) {
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}
                        : value.is_number_integer();
  if (!fits) refuse(fmt::format("\"{}\" holds something else than a whole number of 64 bits", name));
  return value.get<std::int64_t>();
}

bool boolean(const Json& value, const char* name) {
  if (!value.is_boolean()) refuse(fmt::format("\"{}\" is neither true nor false", name));
  return value.get<bool>();
}

const std::string& text(const Json& value, const char* name) {
  if (!value.is_string()) refuse(fmt::format("\"{}\" is not a string", name));
  return value.get_ref<const std::string&>();
}

std::uint64_t hex64(const Json& value, const char* name) { return from_hex(hex_digits(value, name, 16)); }

Bits128 hex128(const Json& value, const char* name) {
  const std::string& digits = hex_digits(value, name, 32);
  return {from_hex(digits.substr(0, 16)), from_hex(digits.substr(16))};
}

std::vector<std::uint64_t> naturals(const Json& list, const char* name) {
  std::vector<std::uint64_t> numbers;
  if (!list.is_array()) refuse(fmt::format("\"{}\" is not a list", name));
  for (const Json& value : list) numbers.push_back(natural(value, name));
  return numbers;
}

std::vector<std::optional<std::uint64_t>> naturals_or_null(const Json& list, const char* name) {
  std::vector<std::optional<std::uint64_t>> numbers;
  if (!list.is_array()) refuse(fmt::format("\"{}\" is not a list", name));
  for (const Json& value : list) {
    numbers.push_back(value.is_null() ? std::nullopt : std::optional(natural(value, name)));
  }
  return numbers;
}

}  // namespace kvbm::conformance
