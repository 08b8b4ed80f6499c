#include "tests/golden/tinylfu_checks.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "kvbm/registry/frequency_sketch.hpp"

namespace kvbm::conformance {
namespace {

constexpr std::uint64_t kMostCapacity = std::uint64_t{1} << 26;  // keeps a faulty header from taking all memory

[[noreturn]] void refuse(const std::string& reason) { throw std::invalid_argument("tinylfu: " + reason); }

const nlohmann::json& field(const nlohmann::json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end()) refuse(std::string("no field \"") + name + '"');
  return *found;
}

const nlohmann::json& array_field(const nlohmann::json& line, const char* name) {
  const nlohmann::json& value = field(line, name);
  if (!value.is_array()) refuse(std::string("field \"") + name + "\" is not a list");
  return value;
}

std::uint64_t number(const nlohmann::json& value, const char* name) {
  if (!value.is_number_integer() || value < 0) {
    refuse(std::string("field \"") + name + "\" holds something else than a natural number");
  }
  return value.get<std::uint64_t>();
}

std::uint64_t hex_digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) refuse("a key is not hexadecimal");
  return value;
}

SequenceHash parse_key(const nlohmann::json& value) {
  if (!value.is_string()) refuse("a key is not a string");
  const std::string& text = value.get_ref<const std::string&>();
  if (text.size() != 32) refuse("a key has " + std::to_string(text.size()) + " digits instead of 32");
  return SequenceHash::from_bits(hex_digits(std::string_view(text).substr(0, 16)),
                                 hex_digits(std::string_view(text).substr(16)));
}

}  // namespace

std::optional<Mismatch> TinyLfuChecker::check_line(const nlohmann::json& line, std::size_t& checks) {
  if (!line.is_object()) refuse("a line is not an object");
  if (line.contains("t")) {
    begin_trace(line);
    return std::nullopt;
  }
  const nlohmann::json& operation = field(line, "o");
  if (operation != "t" && operation != "tc") refuse("unknown operation " + operation.dump());
  if (tracker_ == nullptr) refuse("an operation before any header");
  tracker_->touch(key_at(field(line, "x")));
  if (operation == "t") return std::nullopt;
  return compare_counts(line, checks);
}

void TinyLfuChecker::begin_trace(const nlohmann::json& line) {
  if (field(line, "t") != "tinylfu") refuse("unknown header " + field(line, "t").dump());
  const std::uint64_t capacity = number(field(line, "capacity"), "capacity");
  if (capacity > kMostCapacity) refuse("a sketch for " + std::to_string(capacity) + " keys is too large");
  std::vector<SequenceHash> keys;
  for (const nlohmann::json& key : array_field(line, "keys")) keys.push_back(parse_key(key));
  keys_ = std::move(keys);
  tracker_ = *make_frequency_tracker({.capacity = capacity, .indexing = SketchIndexing::Recorded});
}

std::optional<Mismatch> TinyLfuChecker::compare_counts(const nlohmann::json& line, std::size_t& checks) const {
  const nlohmann::json& queries = array_field(line, "q");
  const nlohmann::json& counts = array_field(line, "c");
  if (queries.size() != counts.size()) refuse("\"q\" and \"c\" differ in length");
  std::optional<Mismatch> first;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const std::uint64_t expected = number(counts[i], "c");
    const std::uint64_t got = tracker_->count(key_at(queries[i]));
    ++checks;
    if (got != expected && !first) {
      first = Mismatch{"c[" + std::to_string(i) + ']', std::to_string(expected), std::to_string(got)};
    }
  }
  return first;
}

SequenceHash TinyLfuChecker::key_at(const nlohmann::json& index) const {
  const std::uint64_t i = number(index, "key index");
  if (i >= keys_.size()) refuse("key index " + std::to_string(i) + " of " + std::to_string(keys_.size()) + " keys");
  return keys_[i];
}

}  // namespace kvbm::conformance
