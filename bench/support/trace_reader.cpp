#include "bench/support/trace_reader.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "kvbm/base/xxh3.hpp"

namespace kvbm::bench {
namespace {

namespace json = simdjson::dom;

/// Nothing, or what is wrong.
using Complaint = std::optional<std::string>;

bool is_blank(std::string_view line) noexcept { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

Complaint read_number(const json::object& object, const char* name, bool required, std::uint64_t& number) {
  const simdjson::error_code error = object[name].get(number);
  if (error == simdjson::SUCCESS || (error == simdjson::NO_SUCH_FIELD && !required)) return std::nullopt;
  if (error == simdjson::NO_SUCH_FIELD) return fmt::format("{} is missing", name);
  return fmt::format("{} is not an integer from 0 to 2^64 - 1", name);
}

Complaint check_ids(const std::vector<std::uint64_t>& ids) {
  if (ids.empty()) return "hash_ids is empty";
  if (ids.size() > SequenceHash::kPositionLimit) {
    return fmt::format("hash_ids holds {} ids, more than {}", ids.size(), SequenceHash::kPositionLimit);
  }
  std::vector<std::uint64_t> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  const auto repeated = std::adjacent_find(sorted.begin(), sorted.end());
  if (repeated != sorted.end()) return fmt::format("hash_ids holds {} more than once", *repeated);
  return std::nullopt;
}

Complaint read_ids(const json::object& object, std::vector<std::uint64_t>& ids) {
  json::array array;
  const simdjson::error_code error = object["hash_ids"].get(array);
  if (error == simdjson::NO_SUCH_FIELD) return "hash_ids is missing";
  if (error != simdjson::SUCCESS) return "hash_ids is not an array";
  ids.reserve(array.size());
  for (const json::element element : array) {
    std::uint64_t id = 0;
    if (element.get(id) != simdjson::SUCCESS) {
      return fmt::format("hash_ids[{}] is not an integer from 0 to 2^64 - 1", ids.size());
    }
    ids.push_back(id);
  }
  return check_ids(ids);
}

/// Precondition: simdjson's padding follows the line.
Complaint read_request(json::parser& parser, std::string_view line, TraceRequest& request) {
  json::element element;
  if (const simdjson::error_code error = parser.parse(line.data(), line.size(), false).get(element)) {
    return fmt::format("bad JSON: {}", simdjson::error_message(error));
  }
  json::object object;
  if (element.get(object) != simdjson::SUCCESS) return "not a JSON object";
  if (Complaint wrong = read_number(object, "timestamp", false, request.arrival_ms)) return wrong;
  if (Complaint wrong = read_number(object, "input_length", true, request.input_tokens)) return wrong;
  if (Complaint wrong = read_number(object, "output_length", false, request.output_tokens)) return wrong;
  return read_ids(object, request.ids);
}

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};

}  // namespace

Result<std::vector<TraceRequest>, TraceError> parse_trace(std::string text) {
  const std::size_t size = text.size();
  text.append(simdjson::SIMDJSON_PADDING, ' ');
  std::vector<TraceRequest> requests;
  json::parser parser;
  std::uint64_t number = 0;
  for (std::size_t begin = 0; begin < size;) {
    const std::size_t end = std::min(text.find('\n', begin), size);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (is_blank(line)) continue;
    TraceRequest request;
    if (Complaint wrong = read_request(parser, line, request)) return fail(TraceError{number, std::move(*wrong)});
    requests.push_back(std::move(request));
  }
  if (requests.empty()) return fail(TraceError{0, "the trace holds no requests"});
  return requests;
}

Result<std::vector<TraceRequest>, TraceError> read_trace(const std::string& path) {
  const auto refused = [&] { return fail(TraceError{0, std::strerror(errno)}); };  // NOLINT: one thread reads traces
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return refused();
  std::string text;
  std::array<char, 1 << 16> piece;
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), file.get())) {
    text.append(piece.data(), got);
  }
  if (std::ferror(file.get()) != 0) return refused();
  return parse_trace(std::move(text));
}

std::size_t full_blocks(const TraceRequest& request, std::uint64_t block_tokens) noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(request.input_tokens / block_tokens, request.ids.size()));
}

std::vector<SequenceHash> lineage_of(std::span<const std::uint64_t> ids) {
  static_assert(std::endian::native == std::endian::little, "ids are hashed in place, as little-endian integers");
  std::vector<SequenceHash> hashes;
  hashes.reserve(ids.size());
  std::uint64_t parent = 0;
  for (const std::uint64_t& id : ids) {
    const std::uint64_t current = xxh3_64(std::as_bytes(std::span(&id, 1)), 0);
    hashes.push_back(SequenceHash::pack(current, parent, hashes.size()));
    parent = current;
  }
  return hashes;
}

std::string TraceError::in(const std::string& path) const {
  return line == 0 ? fmt::format("{}: {}", path, text) : fmt::format("{}, line {}: {}", path, line, text);
}

}  // namespace kvbm::bench
