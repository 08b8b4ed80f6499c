#include "token_checks.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace kvbm::conformance {
namespace {

using Json = nlohmann::json;

// One good line of each kind; the values are those of tokens.md section 12.
const char* const kSequence = R"({"k": "seq", "id": 0, "bs": 4, "salt": "0000000000000539", "tokens": [1, 2, 3, 4, 5],
    "nblocks": 1, "partial": 1, "xor_plh": "0032ce3935fecb729700000000000000", "sum_sh": "cb38e4d7fb2dca5c",
    "blocks": [{"i": 0, "bh": "cb38e4d7fb2dca5c", "sh": "cb38e4d7fb2dca5c", "psh": "0038e4d7fb2dca5ccb38e4d7fb2dca5c",
    "plh": "0032ce3935fecb729700000000000000", "pos": 0, "mode": 0, "cur": "cb38e4d7fb2dca5c",
    "par": "0000000000000000", "pfc": "0038e4d7fb2dca5c"}]})";
const char* const kRuns = R"({"k": "seq", "id": 1, "bs": 2, "salt": "0000000000000539", "gen": {"a": 171, "c": 0,
    "n": 2}, "mm": [["1122334455667788", 0, 1]], "nblocks": 1, "partial": 0, "xor_plh":
    "0005bf4deb9e7943748000000000000000", "sum_sh": "16fd37ae79e50dd2", "blocks": []})";
const char* const kLineage = R"({"k": "plh", "id": 2, "in_cur": "1234567890abcdef", "in_par": "fedcba9876543210",
    "in_pos": 256, "plh": "4040048d159e242af37bfa9876543210", "mode": 1, "pos": 256, "cur": "1234567890abcdef",
    "par": "00003a9876543210", "pfc": "0000167890abcdef", "str": "256:43c9JGZmRvE:11WBNjiWpo"})";
const char* const kPositional = R"({"k": "psh", "id": 3, "in_sh": "1234567890abcdef", "in_pos": 256,
    "in_lbh": "fedcba9876543210", "psh": "40403a98765432101234567890abcdef", "mode": 1, "pos": 256,
    "sh": "1234567890abcdef", "lbh": "00003a9876543210"})";
const char* const kSalt = R"({"k": "salt", "id": 4, "n": 3, "hash": "a9088dda485b481c",
    "hash_seed_1337": "18d3061965e0fbf4"})";
const char* const kEdit = R"({"k": "edit", "id": 5, "bs": 4, "salt": "0000000000000539", "steps": [
    {"op": ["extend", 1, 5], "r": [0, 1], "total": 5, "nblocks": 1, "partial": 1,
     "last_plh": "0032ce3935fecb729700000000000000"},
    {"op": ["append", 6], "r": null, "total": 6, "nblocks": 1, "partial": 2,
     "last_plh": "0032ce3935fecb729700000000000000"},
    {"op": ["pop"], "r": 6, "total": 5, "nblocks": 1, "partial": 1, "last_plh": "0032ce3935fecb729700000000000000"},
    {"op": ["unwind", 9], "r": "err", "total": 5, "nblocks": 1, "partial": 1,
     "last_plh": "0032ce3935fecb729700000000000000"},
    {"op": ["truncate", 2], "r": "ok", "total": 2, "nblocks": 0, "partial": 2, "last_plh": null}]})";

std::optional<Mismatch> check(const Json& line) {
  std::size_t checks = 0;
  return check_token_line(line, checks);
}

/// The line with the member at `pointer` replaced.
Json with(const char* line, const char* pointer, const Json& value) {
  Json changed = Json::parse(line);
  changed[Json::json_pointer(pointer)] = value;
  return Json::parse(changed.dump());  // as a reader of the file sees it
}

std::string refusal(const Json& line) {
  try {
    (void)check(line);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TokenChecks, AcceptsRightLinesAndCountsEveryComparison) {
  const std::pair<const char*, std::size_t> lines[] = {
      {kSequence, 14}, {kLineage, 7}, {kPositional, 5}, {kSalt, 2}, {kEdit, 25}};
  for (const auto& [line, expected] : lines) {
    std::size_t checks = 100;
    const std::optional<Mismatch> mismatch = check_token_line(Json::parse(line), checks);
    EXPECT_FALSE(mismatch) << mismatch->field << ' ' << mismatch->expected << ' ' << mismatch->got;
    EXPECT_EQ(checks, 100 + expected) << line;
  }
}

TEST(TokenChecks, TakesRunsAndGeneratedTokens) {
  const Json line = with(kRuns, "/xor_plh", "00000000000000000000000000000000");

  EXPECT_EQ(check(line)->field, "xor_plh");  // got as far as that: counts are right
  EXPECT_EQ(check(with(kRuns, "/xor_plh", check(line)->got)), std::nullopt);
}

TEST(TokenChecks, NamesTheFieldThatDiffers) {
  struct Row {
    const char* line;
    const char* pointer;
    Json wrong;
    const char* field;
  };
  const Json zeros16 = "0000000000000000";
  const Json zeros32 = "00000000000000000000000000000000";
  const Row rows[] = {{kSequence, "/nblocks", 2, "nblocks"},
                      {kSequence, "/partial", 2, "partial"},
                      {kSequence, "/xor_plh", zeros32, "xor_plh"},
                      {kSequence, "/sum_sh", zeros16, "sum_sh"},
                      {kSequence, "/blocks/0/i", 7, "blocks[0].i"},
                      {kSequence, "/blocks/0/bh", zeros16, "blocks[0].bh"},
                      {kSequence, "/blocks/0/sh", zeros16, "blocks[0].sh"},
                      {kSequence, "/blocks/0/psh", zeros32, "blocks[0].psh"},
                      {kSequence, "/blocks/0/plh", zeros32, "blocks[0].plh"},
                      {kSequence, "/blocks/0/pos", 1, "blocks[0].pos"},
                      {kSequence, "/blocks/0/mode", 1, "blocks[0].mode"},
                      {kSequence, "/blocks/0/cur", zeros16, "blocks[0].cur"},
                      {kSequence, "/blocks/0/par", "0000000000000001", "blocks[0].par"},
                      {kSequence, "/blocks/0/pfc", zeros16, "blocks[0].pfc"},
                      {kLineage, "/plh", zeros32, "plh"},
                      {kLineage, "/str", "256:1", "str"},
                      {kPositional, "/psh", zeros32, "psh"},
                      {kPositional, "/lbh", zeros16, "lbh"},
                      {kPositional, "/mode", 0, "mode"},
                      {kPositional, "/pos", 0, "pos"},
                      {kPositional, "/sh", zeros16, "sh"},
                      {kSalt, "/hash", zeros16, "hash"},
                      {kSalt, "/hash_seed_1337", zeros16, "hash_seed_1337"},
                      {kEdit, "/steps/0/r", Json(), "steps[0].r"},
                      {kEdit, "/steps/2/r", 7, "steps[2].r"},
                      {kEdit, "/steps/3/r", "ok", "steps[3].r"},
                      {kEdit, "/steps/1/total", 7, "steps[1].total"},
                      {kEdit, "/steps/1/nblocks", 7, "steps[1].nblocks"},
                      {kEdit, "/steps/1/partial", 7, "steps[1].partial"},
                      {kEdit, "/steps/4/last_plh", zeros32, "steps[4].last_plh"}};
  for (const Row& row : rows) {
    const std::optional<Mismatch> mismatch = check(with(row.line, row.pointer, row.wrong));
    ASSERT_TRUE(mismatch) << row.pointer;
    EXPECT_EQ(mismatch->field, row.field);
    EXPECT_NE(mismatch->expected, mismatch->got);
  }
}

TEST(TokenChecks, RefusesLinesThatCannotBeChecked) {
  EXPECT_NE(refusal(Json::array()).find("no object"), std::string::npos);
  EXPECT_NE(refusal(Json::object()).find("no field \"k\""), std::string::npos);
  EXPECT_NE(refusal(with(kSalt, "/k", "pepper")).find("unknown kind \"pepper\""), std::string::npos);
  EXPECT_NE(refusal(with(kSalt, "/n", "3")).find("\"n\" holds something else"), std::string::npos);
  EXPECT_NE(refusal(with(kSalt, "/hash", "a908")).find("\"hash\" holds \"a908\""), std::string::npos);
  EXPECT_NE(refusal(with(kSequence, "/bs", 0)).find("block_size is 0"), std::string::npos);
  EXPECT_NE(refusal(with(kSequence, "/bs", Json())).find("\"bs\""), std::string::npos);
  EXPECT_NE(refusal(with(kSequence, "/tokens/0", -1)).find("\"tokens\""), std::string::npos);
  EXPECT_NE(refusal(with(kSequence, "/tokens/0", 4294967296)).find("more than 32 bits"), std::string::npos);
  EXPECT_NE(refusal(with(kSequence, "/blocks", 3)).find("\"blocks\" is not a list"), std::string::npos);
  EXPECT_NE(refusal(with(kSequence, "/blocks/0", 3)).find("no object"), std::string::npos);
  EXPECT_NE(refusal(with(kRuns, "/mm/0", 3)).find("\"mm\""), std::string::npos);
  EXPECT_NE(refusal(with(kRuns, "/mm/0/2", 9)).find("OutOfBounds"), std::string::npos);
  EXPECT_NE(refusal(with(kLineage, "/in_pos", 16777216)).find("16777216"), std::string::npos);
  EXPECT_NE(refusal(with(kRuns, "/gen/n", 4294967295)).find("more tokens"), std::string::npos);
  EXPECT_NE(refusal(with(kSalt, "/n", 4294967295)).find("more tokens"), std::string::npos);
  EXPECT_NE(refusal(with(kEdit, "/steps/0/op/2", 4294967295)).find("more tokens"), std::string::npos);
  EXPECT_NE(refusal(with(kEdit, "/steps/2/op", Json::array({"extend", 0, 16777216}))).find("more tokens"),
            std::string::npos);
  EXPECT_NE(refusal(with(kEdit, "/steps/0/op", "pop")).find("\"op\""), std::string::npos);
  EXPECT_NE(refusal(with(kEdit, "/steps/0/op", Json::array({"push"}))).find("unknown operation"), std::string::npos);
  EXPECT_NE(refusal(with(kEdit, "/steps/0/op", Json::array({"append"}))).find("lacks"), std::string::npos);
}

}  // namespace
}  // namespace kvbm::conformance
