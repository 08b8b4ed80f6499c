#include "bench/support/pages_command.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "bench/support/pages_report.hpp"
#include "kvbm/cuda/device_probe.hpp"
#include "tests/support/temporary_folder.hpp"

namespace kvbm::bench {
namespace {

struct PagesAnswer {
  int status;
  std::string out;
  std::string err;
};

PagesAnswer pages_run(const std::vector<std::string>& words, const std::string& program = "/nowhere") {
  std::vector<const char*> argv{"kvbm-pages"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int status = pages_command(static_cast<int>(argv.size()), argv.data(), {out, err, program});
  return {status, out.str(), err.str()};
}

/// K3 on the emulated device, as small as it gets.
PagesAnswer quick(std::vector<std::string> words, const std::string& program = "/nowhere") {
  words.insert(words.end(), {"--device", "emulated", "--bytes", "1", "--samples", "1"});
  return pages_run(words, program);
}

class PagesProgram : public testing::Test {
 protected:
  /// A program that takes the place of kvbm-pages for isolated cases.
  std::string program(const std::string& script) {
    folder_.write("/program", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(folder_.path() + "/program", std::filesystem::perms::owner_all);
    return folder_.path() + "/program";
  }
  [[nodiscard]] std::string path(const char* name) const { return folder_.path() + name; }

 private:
  test::TemporaryFolder folder_;
};

TEST(PagesCommand, PrintsATableOfTheCasesAskedFor) {
  const PagesAnswer answer = quick({"--cases", "K3,C9"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.err, "");
  EXPECT_NE(answer.out.find("emulated: times say nothing about hardware"), std::string::npos);
  for (const char* text : {"case", "reference", "ratio", "goal", "met", "spread", "C9", "pinned memory", "K3"}) {
    EXPECT_NE(answer.out.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(answer.out.find("C1"), std::string::npos);
}

TEST(PagesCommand, JsonAloneIsALineForEachRow) {
  const PagesAnswer answer = quick({"--cases", "K3", "--json"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  const PagesReport report = parse_pages_report(answer.out);
  EXPECT_EQ(report.rows.size(), 6u);
  EXPECT_TRUE(report.emulated);
  EXPECT_EQ(report.rows[0].met, true);
}

TEST_F(PagesProgram, JsonOfAFileStandsBesideTheTable) {
  const PagesAnswer answer = quick({"--cases", "K3", "--json", path("/rows.json")});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_NE(answer.out.find("sums by the device"), std::string::npos);
  std::ifstream file(path("/rows.json"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(parse_pages_report(text).rows.size(), 6u);
}

TEST_F(PagesProgram, JsonThatCannotBeWrittenIsRefusedBeforeAnythingRuns) {
  const PagesAnswer answer = quick({"--cases", "K3", "--json", path("/nowhere/rows.json")});

  EXPECT_EQ(answer.status, 2);
  EXPECT_EQ(answer.out, "");
  EXPECT_NE(answer.err.find("cannot be written"), std::string::npos);
}

TEST(PagesCommand, BadOptionsAreRefused) {
  const std::vector<std::vector<std::string>> lines{{"--cases", "C10"},    {"--cases", "C1,c2"},  {"--device", "tpu"},
                                                    {"--samples", "0"},    {"--samples", "many"}, {"--bytes", "0"},
                                                    {"--bytes", "100000"}, {"--limit", "0"},      {"--total", "-1"},
                                                    {"--no-such-option"},  {"a stray argument"}};
  for (const std::vector<std::string>& words : lines) {
    const PagesAnswer answer = pages_run(words);

    EXPECT_EQ(answer.status, 2) << words.back();
    EXPECT_EQ(answer.out, "") << words.back();
    EXPECT_NE(answer.err, "") << words.back();
  }
}

TEST(PagesCommand, HelpIsNoError) {
  const PagesAnswer answer = pages_run({"--help"});

  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.out.find("--isolate"), std::string::npos);
}

TEST(PagesCommand, AMissingGpuIsSaidAndOnlyMattersToWhoWantsIt) {
  const bool has_gpu = !probe_devices().devices.empty();
  const std::vector<std::string> quick{"--cases", "K3", "--bytes", "1", "--samples", "1", "--no-isolate"};
  std::vector<std::string> on_cuda = quick;
  on_cuda.insert(on_cuda.end(), {"--device", "cuda"});

  const PagesAnswer wanted = pages_run(on_cuda);
  const PagesAnswer automatic = pages_run(quick);

  EXPECT_EQ(wanted.status, has_gpu ? 0 : 1) << wanted.err;
  EXPECT_EQ(wanted.err.find("no GPU: ") == std::string::npos, has_gpu) << wanted.err;
  EXPECT_EQ(automatic.status, 0) << automatic.err;
  EXPECT_EQ(automatic.err.find("the emulated device takes its place") == std::string::npos, has_gpu);
}

TEST_F(PagesProgram, IsolatedCasesAreRunOneByOneInTheSameWay) {
  const std::string echo = program(R"(echo "{\"id\":\"?\",\"failed\":\"$*\"}")");

  const PagesAnswer answer = quick({"--isolate", "--cases", "C1,C3", "--json"}, echo);

  const PagesReport report = parse_pages_report(answer.out);
  ASSERT_EQ(report.failures.size(), 2u);
  EXPECT_EQ(report.failures[0].reason, "--device emulated --cases C1 --bytes 1 --samples 1 --no-isolate --json");
  EXPECT_EQ(report.failures[1].reason, "--device emulated --cases C3 --bytes 1 --samples 1 --no-isolate --json");
}

TEST_F(PagesProgram, WrongBytesAreStatusOne) {
  const PagesReport wrong{.device = "a GPU", .rows = {{.id = "C1", .name = "offload", .wrong_pages = 1}}};

  const PagesAnswer answer = quick({"--isolate", "--cases", "C1"}, program("printf %s '" + wrong.json() + "'"));

  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.out.find("1 pages WRONG"), std::string::npos);
}

TEST_F(PagesProgram, AMissedGoalIsStatusZero) {
  const PagesReport missed{.device = "a GPU",
                           .rows = {{.id = "C1", .name = "offload", .goal = ">= 0.95", .met = false}}};

  EXPECT_EQ(quick({"--isolate", "--cases", "C1"}, program("printf %s '" + missed.json() + "'")).status, 0);
}

TEST_F(PagesProgram, ACaseThatFailsCostsItselfOnly) {
  const PagesReport right{.device = "a GPU", .rows = {{.id = "C3", .name = "onboard"}}};

  const PagesAnswer answer = quick({"--isolate", "--cases", "C1,C3"},
                                   program("case \"$*\" in *C1*) exit 3;; esac; printf %s '" + right.json() + "'"));

  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.out.find("onboard"), std::string::npos);
  EXPECT_NE(answer.out.find("C1 FAILED: exit status 3"), std::string::npos);
  EXPECT_NE(answer.err.find("kvbm-pages: C1: exit status 3"), std::string::npos);
}

TEST_F(PagesProgram, CasesStopWhenTheTotalIsSpent) {
  const PagesAnswer answer = quick({"--isolate", "--cases", "C1,C3", "--total", "0.2"}, program("exec sleep 1000"));

  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.out.find("C1 FAILED: no end within 0.2 s"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("C3 FAILED: not begun after 0.2 s in all"), std::string::npos);
}

}  // namespace
}  // namespace kvbm::bench
