#include "tests/golden/conformance_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm::conformance {
namespace {

using Json = nlohmann::json;
using Verdict = FileReport::Verdict;
using Lines = std::vector<std::string>;

const char* const kTraces[] = {"ops-lru", "ops-hashmap", "ops-lineage", "ops-lineage_fifo", "ops-multi_lru"};

FileReport check(const Lines& lines) {
  std::stringstream text;
  for (const std::string& line : lines) text << line << '\n';
  return check_stream(text, "file");
}

Lines recorded(const std::string& name) {
  std::ifstream input(std::string(KVBM_SOURCE_DIR) + "/tests/golden/data/" + name + ".jsonl");
  Lines lines;
  for (std::string line; std::getline(input, line);) lines.push_back(line);
  EXPECT_GT(lines.size(), 50u) << name;
  return lines;
}

/// A header for 4 blocks of 4 tokens and two hashes, some of its fields replaced.
std::string header(const Json& changes = Json::object()) {
  Json header = Json::parse(R"({"t": "trace", "id": "small", "backend": "lru", "lineage_eviction": null, "seed": 1,
      "blocks": 4, "block_size": 4, "dup": "allow", "reset_default": false, "tracker_capacity": null,
      "thresholds": null, "base_pos": 256, "salt": "0000000000000000",
      "s0": [4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]})");
  const SequenceHash child(1, 0x1234'5678'90ab'cdef, 257);
  header["hashes"] = {
      {-1, "4040048d159e242af37bfa9876543210", 256, "1234567890abcdef", "fedcba9876543210"},
      {0, fmt::format("{:016x}{:016x}", child.high(), child.low()), 257, "0000000000000001", "1234567890abcdef"}};
  header.update(changes);
  return header.dump();
}

const char* const kAllocate =
    R"({"o": "alloc", "n": 2, "r": {"h": [0, 1], "b": [0, 1]}, "d": [0, 2, 1, 2, 4, 2, 6, 2, 7, 2, 21, 2]})";
const char* const kStage = R"({"o": "stage", "h": 0, "x": 0, "bs": 4, "r": 2, "d": [4, 1, 12, 1]})";
const char* const kRegister = R"({"o": "reg", "h": 2, "r": 3, "b": 0, "x": 0, "uc": 1, "d": [3, 1, 5, 1, 9, 1]})";
const char* const kTrailer =
    R"({"t": "end", "id": "small", "ops": 3, "s": [2,2,0,1,1,1,2,2,0,1,0,0,1,0,0,0,0,0,0,0,0,2,0]})";

Lines small() { return {header(), kAllocate, kStage, kRegister, kTrailer}; }

/// The small trace with `operation` behind its registration: handles 1 (mutable) and 3 (immutable) live.
FileReport check_operation(const std::string& operation) {
  Lines lines = small();
  lines.insert(lines.begin() + 4, operation);
  return check(lines);
}

void expect_broken(const FileReport& report, std::size_t line, const std::string& reason) {
  EXPECT_EQ(report.verdict, Verdict::Broken) << report.text;
  EXPECT_TRUE(report.text.starts_with(fmt::format("file:{}: cannot be replayed: ", line))) << report.text;
  EXPECT_NE(report.text.find(reason), std::string::npos) << report.text;
}

/// The first line of each kind of operation, by its number from 0.
std::map<std::string, std::size_t> first_of_each_operation(const Lines& lines) {
  std::map<std::string, std::size_t> found;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) found.emplace(Json::parse(lines[i]).at("o"), i);
  return found;
}

/// The beginning of a recording up to line `last`, which is replaced.
FileReport check_with_last(const Lines& lines, std::size_t last, const Json& replacement) {
  Lines cut(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(last));
  cut.push_back(replacement.dump());
  return check(cut);
}

/// Pointers to every number and truth value below `value`.
void collect_leaves(const Json& value, const Json::json_pointer& place, std::vector<Json::json_pointer>& leaves) {
  if (value.is_number() || value.is_boolean()) leaves.push_back(place);
  if (!value.is_structured()) return;
  for (const auto& [key, inner] : value.items()) {
    collect_leaves(inner, value.is_array() ? place / static_cast<std::size_t>(std::stoul(key)) : place / key, leaves);
  }
}

/// Pointers to all that the library is asked to reproduce in an operation: no inputs, no handles, no indexes of "d".
std::vector<Json::json_pointer> outcomes(const Json& line) {
  std::vector<Json::json_pointer> leaves;
  for (const char* name : {"b", "uc", "present", "registered", "freq", "err"}) {
    if (line.contains(name)) collect_leaves(line[name], Json::json_pointer() / name, leaves);
  }
  if (line["o"] == "alloc" || line["o"] == "alloc_ev") collect_leaves(line["r"]["b"], "/r/b"_json_pointer, leaves);
  if (line["o"] == "reset_inactive") collect_leaves(line["r"], "/r"_json_pointer, leaves);
  for (std::size_t i = 1; i < line["d"].size(); i += 2) leaves.push_back("/d"_json_pointer / i);
  return leaves;
}

TEST(ConformanceFile, TheRecordedSelectionIsReproduced) {
  for (const char* name :
       {"tokens", "tinylfu", "ops-lru", "ops-hashmap", "ops-lineage", "ops-lineage_fifo", "ops-multi_lru"}) {
    const FileReport report = check(recorded(name));
    EXPECT_EQ(report.verdict, Verdict::Same) << name << ' ' << report.text;
    EXPECT_GT(report.checks, 500u) << name;
  }
}

TEST(ConformanceFile, EveryAlteredOutcomeIsADifference) {
  for (const char* name : kTraces) {
    const Lines lines = recorded(name);
    for (const auto& [operation, i] : first_of_each_operation(lines)) {
      const Json line = Json::parse(lines[i]);
      for (const Json::json_pointer& place : outcomes(line)) {
        Json altered = line;
        Json& value = altered[place];
        value = value.is_boolean() ? Json(!value.get<bool>()) : Json(value.get<std::uint64_t>() + 1);
        const FileReport report = check_with_last(lines, i, altered);
        EXPECT_EQ(report.verdict, Verdict::Different) << altered;
        EXPECT_TRUE(report.text.starts_with(fmt::format("file:{}: ", i + 1))) << report.text;
        EXPECT_NE(report.text.find("expected "), std::string::npos) << report.text;
      }
    }
  }
}

TEST(ConformanceFile, EveryMissingFieldOfAnOperationIsRefused) {
  for (const char* name : kTraces) {
    const Lines lines = recorded(name);
    for (const auto& [operation, i] : first_of_each_operation(lines)) {
      const Json line = Json::parse(lines[i]);
      for (const auto& [key, value] : line.items()) {
        if (key == "set") continue;  // only some have it
        Json altered = line;
        altered.erase(key);
        expect_broken(check_with_last(lines, i, altered), i + 1, "");
      }
    }
  }
}

TEST(ConformanceFile, EveryFieldOfAWrongTypeIsRefused) {
  for (const char* name : kTraces) {
    const Lines lines = recorded(name);
    for (const auto& [operation, i] : first_of_each_operation(lines)) {
      const Json line = Json::parse(lines[i]);
      for (const auto& [key, value] : line.items()) {
        if (value.is_null()) continue;  // a result where there is none is a difference
        for (const Json& wrong : {Json::object(), Json("text"), Json(-1), Json(1.5), Json{Json::object()}}) {
          Json altered = line;
          altered[key] = wrong;
          expect_broken(check_with_last(lines, i, altered), i + 1, "");
        }
      }
    }
  }
}

TEST(ConformanceFile, EveryFaultyFieldOfAHeaderIsRefused) {
  for (const char* name : kTraces) {
    const Json line = Json::parse(recorded(name).front());
    for (const auto& [key, value] : line.items()) {
      Json without = line;
      without.erase(key);
      expect_broken(check({without.dump()}), 1, "");
      for (const Json& wrong : {Json::object(), Json("text"), Json(-1), Json(1.5), Json{Json::object()}}) {
        if (key == "id" && wrong.is_string()) continue;
        Json altered = line;
        altered[key] = wrong;
        expect_broken(check({altered.dump()}), 1, "");
      }
    }
  }
}

TEST(ConformanceFile, AHeadersOptionsAreCheckedBeforeTheyReachTheLibrary) {
  EXPECT_EQ(check(small()).verdict, Verdict::Same) << check(small()).text;
  const Json multi_lru{{"backend", "multi_lru"}, {"tracker_capacity", 64}};
  const auto with = [](Json changes, const char* key, const Json& value) {
    changes[key] = value;
    return header(changes);
  };
  expect_broken(check({header({{"blocks", 0}})}), 1, "block_count");
  expect_broken(check({header({{"blocks", 4294967296}})}), 1, "too large");
  expect_broken(check({header({{"blocks", 1u << 30}})}), 1, "too large");
  expect_broken(check({header({{"block_size", 3}})}), 1, "power of 2");
  expect_broken(check({header({{"block_size", 2048}})}), 1, "block_size");
  expect_broken(check({header({{"backend", "fifo"}})}), 1, "backend");
  expect_broken(check({header({{"backend", "lineage"}})}), 1, "lineage");
  expect_broken(check({header({{"lineage_eviction", "lifo"}})}), 1, "lineage_eviction");
  expect_broken(check({header({{"dup", "keep"}})}), 1, "keep");
  expect_broken(check({header({{"tracker_capacity", 1ull << 40}})}), 1, "too large");
  expect_broken(check({header(multi_lru)}), 1, "thresholds");
  expect_broken(check({with(multi_lru, "thresholds", {1, 2})}), 1, "three");
  expect_broken(check({with(multi_lru, "thresholds", {1, 2, 300})}), 1, "high");
  expect_broken(check({with(multi_lru, "thresholds", {1, 2, 16})}), 1, "15");
  expect_broken(check({with(multi_lru, "thresholds", {0, 2, 3})}), 1, ">= 1");
  expect_broken(check({with(multi_lru, "thresholds", {2, 2, 3})}), 1, "ascending");
  expect_broken(check({header({{"backend", "multi_lru"}, {"thresholds", {1, 2, 3}}})}), 1, "tracking");
}

TEST(ConformanceFile, HashesAreComparedWithTheLibrarys) {
  const auto altered = [](const char* place, const Json& value) {
    Json line = Json::parse(header());
    line[Json::json_pointer(place)] = value;
    return check({line.dump()});
  };
  const std::vector<std::pair<std::string, Json>> changes{{"/hashes/1/1", "40404000000000000000167890abcdef"},
                                                          {"/hashes/1/2", 258},
                                                          {"/hashes/0/2", 257},
                                                          {"/hashes/1/3", "0000000000000002"},
                                                          {"/hashes/1/4", "1234567890abcdee"},
                                                          {"/hashes/1/4", nullptr},
                                                          {"/hashes/1/0", -1},
                                                          {"/hashes/1/0", 1},
                                                          {"/s0/3", 1}};
  for (const auto& [place, value] : changes) {
    EXPECT_EQ(altered(place.c_str(), value).verdict, Verdict::Different) << place << ' ' << value;
  }
  Json with_tokens = Json::parse(recorded("ops-lru").front());
  EXPECT_EQ(with_tokens["hashes"][0][4], Json());
  with_tokens["hashes"][0][4] = "0000000000000000";
  EXPECT_TRUE(check({with_tokens.dump()}).text.starts_with("file:1: hashes[0] parent hash: expected 0000000000000000"));

  expect_broken(altered("/hashes/1/0", 2), 1, "no parent 2");
  expect_broken(altered("/hashes/1/0", -2), 1, "no parent -2");
  expect_broken(altered("/hashes/1", Json::array({0})), 1, "lists of five");
  expect_broken(altered("/hashes/1/1", "zz"), 1, "hexadecimal");
  expect_broken(
      check({header({{"base_pos", 1u << 24},
                     {"hashes", Json::array({{-1, std::string(32, '0'), 1u << 24, std::string(16, '0'), nullptr}})}})}),
      1, "16777216");
}

TEST(ConformanceFile, HandlesAreChecked) {
  expect_broken(check_operation(R"({"o": "drop", "h": [7], "d": []})"), 5, "handle 7 is unknown");
  expect_broken(check_operation(R"({"o": "drop", "h": [1, 1], "d": []})"), 5, "handle 1 is no longer alive");
  expect_broken(check_operation(R"({"o": "drop", "h": [2], "d": []})"), 5, "handle 2 is no longer alive");
  expect_broken(check_operation(R"({"o": "pin", "h": 3, "r": 0, "d": []})"), 5, "handle 0 is used a second time");
  expect_broken(check_operation(R"({"o": "regs", "h": [1], "r": [4], "b": [1], "d": []})"), 5, "wrong kind: mutable");
  expect_broken(check_operation(R"({"o": "clone", "h": 1, "r": 4, "d": []})"), 5, "wrong kind");
  expect_broken(check_operation(R"({"o": "upgrade", "h": 3, "r": null, "d": []})"), 5, "wrong kind: immutable");
  expect_broken(check_operation(R"({"o": "match", "x": [0], "r": [4, 5], "b": [0], "d": []})"), 5,
                "one handle for each");
  expect_broken(check_operation(R"({"o": "scat", "x": [0, 1], "r": [4, 5], "b": [0, null], "d": []})"), 5, "miss");
}

TEST(ConformanceFile, IndexesAndNumbersAreChecked) {
  expect_broken(check_operation(R"({"o": "match", "x": [2], "r": [], "b": [], "d": []})"), 5, "index 2 of 2");
  expect_broken(check_operation(R"({"o": "complete", "h": 1, "x": 0, "r": 4, "d": []})"), 5, "no tokens");
  expect_broken(check_operation(R"({"o": "touch", "x": 0, "d": [23, 0]})"), 5, "number 23");
  expect_broken(check_operation(R"({"o": "touch", "x": 0, "d": [22]})"), 5, "pairs");
  expect_broken(check_operation(R"({"o": "touch", "x": 0, "d": [22, 18446744073709551615]})"), 5, "64 bits");
  expect_broken(check_operation(R"({"o": "stage", "h": 1, "x": 0, "bs": 4294967296, "r": 4, "d": []})"), 5, "32 bits");
  expect_broken(check_operation(R"({"o": "evict", "d": []})"), 5, "unknown operation \"evict\"");

  Lines lines = small();
  lines.insert(lines.begin() + 4, R"({"o": "alloc", "n": 18446744073709551615, "r": null, "d": []})");
  lines[5].replace(lines[5].find("\"ops\": 3"), 8, "\"ops\": 4");
  EXPECT_EQ(check(lines).verdict, Verdict::Same) << check(lines).text;  // refused, as recorded
}

TEST(ConformanceFile, LinesOutOfPlaceAreRefused) {
  const Lines lines = small();
  expect_broken(check({}), 1, "empty");
  expect_broken(check({lines[1]}), 1, "before any header");
  expect_broken(check({lines[4]}), 1, "without a trace");
  expect_broken(check({lines[0], lines[1]}), 2, "without its trailer");
  expect_broken(check({lines[0], lines[0]}), 2, "without its trailer");
  expect_broken(check({lines[0], lines[1], lines[2], lines[3], lines[4], lines[1]}), 6, "before any header");
  expect_broken(check({lines[0], R"({"k": "salt", "id": 0, "n": 0})"}), 2, "without its trailer");
  expect_broken(check({R"({"t": "footer"})"}), 1, "footer");
  expect_broken(check({R"({"k": "pepper", "id": 0})"}), 1, "pepper");
  expect_broken(check({R"({"k": "salt", "n": 0})"}), 1, "\"id\"");
  expect_broken(check({R"({"t": "tinylfu", "capacity": 1, "keys": []})"}), 1, "\"id\"");
  expect_broken(check({R"({"x": 0})"}), 1, "unknown kind");
}

TEST(ConformanceFile, BrokenJsonIsRefused) {
  for (const char* line : {"", " ", "{", "{}{}", "nonsense", "{\"k\": \"\xff\"}", "{\"n\": 1e999}"}) {
    expect_broken(check({header(), line}), 2, "no JSON");
  }
  expect_broken(check({"[]"}), 1, "no JSON object");
  expect_broken(check({"{\"k\": " + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}"}), 1, "deeply");
}

TEST(ConformanceFile, TheTrailerIsCompared) {
  for (const char* change :
       {R"({"id": "large"})", R"({"ops": 2})", R"({"s": [2,2,0,1,1,1,2,2,0,1,0,0,1,0,0,0,0,0,0,0,0,2,1]})"}) {
    Lines lines = small();
    Json trailer = Json::parse(kTrailer);
    trailer.update(Json::parse(change));
    lines[4] = trailer.dump();
    EXPECT_EQ(check(lines).verdict, Verdict::Different) << change;
  }
}

TEST(ConformanceFile, KindsOfLinesMayFollowEachOther) {
  Lines lines = recorded("tokens");
  for (const Lines& more : {recorded("ops-lineage"), recorded("tinylfu"), small()}) {
    lines.insert(lines.end(), more.begin(), more.end());
  }
  EXPECT_EQ(check(lines).verdict, Verdict::Same) << check(lines).text;
}

TEST(ConformanceFile, ReportsNameWhatWasCompared) {
  Lines lines = small();
  lines[3].replace(lines[3].find("5, 1, 9"), 7, "5, 3, 9");
  EXPECT_EQ(check(lines).text, "file:4: state[5] inflight_immutable: expected 3, got 1");

  lines = small();
  lines[1].replace(lines[1].find("\"b\": [0, 1]"), 11, "\"b\": [0, 2]");
  EXPECT_EQ(check(lines).text, "file:2: b[1]: expected 2, got 1");
  lines[1].replace(lines[1].find("\"b\": [0, 2]"), 11, "\"b\": [0]   ");
  EXPECT_EQ(check(lines).text, "file:2: b: expected [0], got [0,1]");
}

}  // namespace
}  // namespace kvbm::conformance
