#include "tests/golden/tinylfu_checks.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace kvbm::conformance {
namespace {

using nlohmann::json;

json sketch_header() {
  return {{"t", "tinylfu"},
          {"id", 0},
          {"capacity", 100},
          {"keys", {"00000000000000000000000000000001", "ffffffffffffffffffffffffffffffff"}}};
}

std::optional<Mismatch> check(TinyLfuChecker& checker, const json& line) {
  std::size_t checks = 0;
  return checker.check_line(line, checks);
}

TEST(TinyLfuChecker, ComparesEstimates) {
  TinyLfuChecker checker;
  std::size_t checks = 0;

  EXPECT_FALSE(checker.check_line(sketch_header(), checks));
  EXPECT_FALSE(checker.check_line({{"o", "t"}, {"x", 0}}, checks));
  EXPECT_FALSE(checker.check_line({{"o", "tc"}, {"x", 0}, {"q", {0, 1}}, {"c", {2, 0}}}, checks));
  const auto mismatch = checker.check_line({{"o", "tc"}, {"x", 1}, {"q", {0, 1}}, {"c", {2, 0}}}, checks);

  EXPECT_EQ(checks, 4u);
  ASSERT_TRUE(mismatch);
  EXPECT_EQ(mismatch->field, "c[1]");
  EXPECT_EQ(mismatch->expected, "0");
  EXPECT_EQ(mismatch->got, "1");
}

TEST(TinyLfuChecker, StartsAfreshAtEachHeader) {
  TinyLfuChecker checker;
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(check(checker, sketch_header()));
    EXPECT_FALSE(check(checker, {{"o", "tc"}, {"x", 0}, {"q", {0}}, {"c", {1}}}));
  }
}

TEST(TinyLfuChecker, RefusesLinesItCannotReplay) {
  TinyLfuChecker checker;
  EXPECT_THROW((void)check(checker, {{"o", "t"}, {"x", 0}}), std::invalid_argument);  // no header yet
  ASSERT_FALSE(check(checker, sketch_header()));

  for (const char* line :
       {R"([])", R"({})", R"({"o":"x","x":0})", R"({"o":"t"})", R"({"o":"t","x":2})", R"({"o":"t","x":-1})",
        R"({"o":"t","x":"0"})", R"({"o":"tc","x":0,"q":[0]})", R"({"o":"tc","x":0,"q":[0],"c":[]})",
        R"({"o":"tc","x":0,"q":[0],"c":["1"]})", R"({"o":"tc","x":0,"q":0,"c":0})", R"({"t":"tokens"})",
        R"({"t":"tinylfu","capacity":10})", R"({"t":"tinylfu","capacity":10,"keys":["12"]})",
        R"({"t":"tinylfu","capacity":10,"keys":["zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"]})",
        R"({"t":"tinylfu","capacity":18446744073709551615,"keys":[]})", R"({"t":"tinylfu","keys":[]})"}) {
    EXPECT_THROW((void)check(checker, json::parse(line)), std::invalid_argument) << line;
  }
}

}  // namespace
}  // namespace kvbm::conformance
