#include "bench/support/pages_isolation.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <system_error>

#include "tests/support/temporary_folder.hpp"

namespace kvbm::bench {
namespace {

using std::chrono::milliseconds;

constexpr const char* kRow =
    R"({"device":"a GPU","emulated":false,"id":"C1","name":"offload","value":1,"unit":"GB/s","reference":"-",)"
    R"("ratio":1,"goal":"-","met":null,"spread":0,"wrong_pages":0})";

class PagesIsolation : public testing::Test {
 protected:
  /// What a program of that text tells as case C1.
  PagesReport run(const std::string& script, milliseconds limit = milliseconds(60'000)) {
    folder_.write("/program", "#!/bin/sh\n" + script + "\n");
    const std::string program = folder_.path() + "/program";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return run_isolated({.id = "C1", .program = program, .arguments = {"one", "two words"}, .limit = limit});
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(PagesIsolation, RowsOfTheProcessCome) {
  const PagesReport report = run(std::string("echo '") + kRow + "'");

  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.rows[0].name, "offload");
  EXPECT_EQ(report.device, "a GPU");
  EXPECT_TRUE(report.failures.empty());
}

TEST_F(PagesIsolation, ArgumentsArriveAsTheyAre) {
  const PagesReport report = run(R"(echo "{\"id\":\"C1\",\"failed\":\"$#: $1, $2\"}")");

  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].reason, "2: one, two words");
}

TEST_F(PagesIsolation, StatusOneIsAGoodEnd) {
  const PagesReport report = run(std::string("echo '") + kRow + "'; exit 1");

  EXPECT_EQ(report.rows.size(), 1u);
  EXPECT_TRUE(report.failures.empty());
}

TEST_F(PagesIsolation, AnyOtherStatusIsAFailureBesideTheRows) {
  const PagesReport report = run(std::string("echo '") + kRow + "'; exit 3");

  EXPECT_EQ(report.rows.size(), 1u);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].id, "C1");
  EXPECT_EQ(report.failures[0].reason, "exit status 3");
}

TEST_F(PagesIsolation, ASignalIsAFailure) {
  const PagesReport report = run("kill -6 $$");

  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].reason, "signal 6");
}

TEST_F(PagesIsolation, AHangCostsItsLimitAndKeepsTheRowsBefore) {
  const PagesReport report =
      run(std::string("echo '") + kRow + "'; printf '{\"id\": \"C'; exec sleep 1000", milliseconds(1000));

  EXPECT_EQ(report.rows.size(), 1u);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].reason, "no end within 1 s");
}

TEST_F(PagesIsolation, ClosingTheOutputIsNoEnd) {
  const PagesReport report = run("exec >&-; exec sleep 1000", milliseconds(300));

  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].reason, "no end within 0.3 s");
}

TEST_F(PagesIsolation, SilenceIsAFailure) {
  ASSERT_EQ(run("exit 0").failures.size(), 1u);
  EXPECT_EQ(run("exit 0").failures[0].reason, "it ended and said nothing");
}

TEST_F(PagesIsolation, OtherTextIsAFailure) {
  const PagesReport report = run("echo hello");

  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_NE(report.failures[0].reason.find("no report of cases"), std::string::npos) << report.failures[0].reason;
}

TEST(PagesIsolationWithoutAProgram, IsRefused) {
  EXPECT_THROW(static_cast<void>(
                   run_isolated({.id = "C1", .program = "/nowhere", .arguments = {}, .limit = milliseconds(1000)})),
               std::system_error);
}

}  // namespace
}  // namespace kvbm::bench
