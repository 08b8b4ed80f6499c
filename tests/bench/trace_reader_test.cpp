#include "bench/support/trace_reader.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "kvbm/base/xxh3.hpp"

namespace kvbm::bench {
namespace {

constexpr const char* kGood = R"({"timestamp": 3, "input_length": 700, "output_length": 9, "hash_ids": [7, 8]})";

/// Parses a good line and `line` behind it.
Result<std::vector<TraceRequest>, TraceError> parse_behind_good(const std::string& line) {
  return parse_trace(std::string(kGood) + "\n" + line + "\n" + kGood + "\n");
}

TEST(TraceReader, KeepsLengthAndIdsInFileOrder) {
  const auto trace = parse_behind_good(R"({"hash_ids":[18446744073709551615,0,3],"input_length":1025,"more":{}})");

  ASSERT_TRUE(trace) << trace.error().text;
  ASSERT_EQ(trace->size(), 3u);
  EXPECT_EQ((*trace)[0].input_tokens, 700u);
  EXPECT_EQ((*trace)[0].ids, (std::vector<std::uint64_t>{7, 8}));
  EXPECT_EQ((*trace)[1].input_tokens, 1025u);
  EXPECT_EQ((*trace)[1].ids, (std::vector<std::uint64_t>{~std::uint64_t{0}, 0, 3}));
}

TEST(TraceReader, TakesCarriageReturnsBlankLinesAndAnEndWithoutLineBreak) {
  const auto trace = parse_trace(std::string("\n") + kGood + "\r\n \t\r\n" + kGood);

  ASSERT_TRUE(trace) << trace.error().text;
  EXPECT_EQ(trace->size(), 2u);
}

struct BadLine {
  const char* line;
  const char* text;  // part of the complaint
};

class BadLines : public testing::TestWithParam<BadLine> {};

TEST_P(BadLines, AreNamedByNumberAndReason) {
  const auto trace = parse_behind_good(GetParam().line);

  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().line, 2u);
  EXPECT_NE(trace.error().text.find(GetParam().text), std::string::npos) << trace.error().text;
}

INSTANTIATE_TEST_SUITE_P(
    TraceReader, BadLines,
    testing::Values(
        BadLine{"{\"input_length\": 1, \"hash_ids\": [1", "bad JSON"}, BadLine{"nonsense", "bad JSON"},
        BadLine{R"({"input_length": 1, "hash_ids": [1]} {})", "bad JSON"},
        BadLine{"{\"input_length\": 1, \"hash_ids\": [1], \"\xFF\": 0}", "bad JSON"},
        BadLine{"[1, 2]", "not a JSON object"}, BadLine{"17", "not a JSON object"},
        BadLine{R"({"input_length": 1})", "hash_ids is missing"},
        BadLine{R"({"hash_ids": [1]})", "input_length is missing"},
        BadLine{R"({"input_length": 1, "hash_ids": 1})", "hash_ids is not an array"},
        BadLine{R"({"input_length": 1, "hash_ids": []})", "hash_ids is empty"},
        BadLine{R"({"input_length": 1, "hash_ids": [1, -2]})", "hash_ids[1] is not an integer"},
        BadLine{R"({"input_length": 1, "hash_ids": [1.5]})", "hash_ids[0] is not an integer"},
        BadLine{R"({"input_length": 1, "hash_ids": ["1"]})", "hash_ids[0] is not an integer"},
        BadLine{R"({"input_length": 1, "hash_ids": [18446744073709551616]})", "bad JSON"},
        BadLine{R"({"input_length": 1, "hash_ids": [4, 5, 4]})", "hash_ids holds 4 more than once"},
        BadLine{R"({"input_length": -1, "hash_ids": [1]})", "input_length is not an integer"},
        BadLine{R"({"input_length": null, "hash_ids": [1]})", "input_length is not an integer"},
        BadLine{R"({"timestamp": "now", "input_length": 1, "hash_ids": [1]})", "timestamp is not an integer"},
        BadLine{R"({"input_length": 1, "output_length": [], "hash_ids": [1]})", "output_length is not an integer"}));

TEST(TraceReader, RefusesATraceWithoutRequests) {
  for (const char* text : {"", "\n\n", "  "}) {
    const auto trace = parse_trace(text);

    ASSERT_FALSE(trace);
    EXPECT_EQ(trace.error().line, 0u);
    EXPECT_EQ(trace.error().text, "the trace holds no requests");
  }
}

TEST(TraceReader, SaysWhyAFileCannotBeRead) {
  const auto missing = read_trace(testing::TempDir() + "there_is_no_such_trace.jsonl");
  const auto folder = read_trace(testing::TempDir());

  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().line, 0u);
  EXPECT_EQ(missing.error().text, "No such file or directory");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().text, "Is a directory");
}

TEST(TraceReader, ReadsTheTraceThatComesWithTheRepository) {
  const auto trace = read_trace(KVBM_SOURCE_DIR "/bench/traces/conversation.jsonl");

  ASSERT_TRUE(trace) << trace.error().text;
  std::size_t ids = 0, full = 0, output = 0;
  for (const TraceRequest& request : *trace) {
    ids += request.ids.size();
    output += request.output_tokens;
    full += full_blocks(request, 512);
  }
  EXPECT_EQ(trace->size(), 12'031u);
  EXPECT_EQ(ids, 288'500u);
  EXPECT_EQ(full, 276'491u);
  EXPECT_EQ(output, 4'122'048u);
  EXPECT_EQ(trace->back().arrival_ms, 3'536'999u);
}

TEST(TraceReader, FullBlocksNeverExceedTheIds) {
  const TraceRequest request{1025, {1, 2, 3}};

  EXPECT_EQ(full_blocks(request, 512), 2u);
  EXPECT_EQ(full_blocks(request, 1025), 1u);
  EXPECT_EQ(full_blocks(request, 1026), 0u);
  EXPECT_EQ(full_blocks(request, 1), 3u);
}

TEST(TraceReader, LineageHashesIdsAndLinksThemToTheOneBefore) {
  const std::vector<std::uint64_t> ids{0, 0x0102'0304'0506'0708u, 5};

  const std::vector<SequenceHash> hashes = lineage_of(ids);

  ASSERT_EQ(hashes.size(), 3u);
  const std::array<std::byte, 8> second{std::byte{8}, std::byte{7}, std::byte{6}, std::byte{5},
                                        std::byte{4}, std::byte{3}, std::byte{2}, std::byte{1}};
  EXPECT_EQ(hashes[1].current(), xxh3_64(second, 0));
  EXPECT_EQ(hashes[0], SequenceHash(hashes[0].current(), std::nullopt, 0));
  EXPECT_EQ(hashes[1], SequenceHash(hashes[1].current(), hashes[0].current(), 1));
  EXPECT_EQ(hashes[2], SequenceHash(hashes[2].current(), hashes[1].current(), 2));
}

}  // namespace
}  // namespace kvbm::bench
