#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace kvbm::conformance {
namespace {

struct Outcome {
  int exit_code;
  std::string output;  // of both streams
};

/// Runs kvbm-conformance with these arguments, as a shell reads them.
Outcome run(const std::string& arguments) {
  const std::string command = std::string("\"" KVBM_CONFORMANCE_PROGRAM "\" ") + arguments + " 2>&1";
  std::FILE* const pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string output;
  for (int byte = std::fgetc(pipe); byte != EOF; byte = std::fgetc(pipe)) output.push_back(static_cast<char>(byte));
  const int status = pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status));
  return {WEXITSTATUS(status), output};
}

std::string data(const std::string& name) { return "\"" KVBM_SOURCE_DIR "/tests/golden/data/" + name + ".jsonl\""; }

/// A file with this text, which lives as long as the test.
class Conformance : public testing::Test {
 protected:
  void SetUp() override {
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = std::filesystem::path(testing::TempDir()) / ("kvbm_conformance_" + test);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  std::filesystem::path folder_;
};

const char* const kRight =
    R"({"k": "salt", "id": 4, "n": 3, "hash": "a9088dda485b481c", "hash_seed_1337": "18d3061965e0fbf4"})";
const char* const kWrong =
    R"({"k": "salt", "id": 4, "n": 3, "hash": "a9088dda485b481d", "hash_seed_1337": "18d3061965e0fbf4"})";

TEST_F(Conformance, ExitsWithZeroAndALineForEachFileIfAllIsAsRecorded) {
  const Outcome outcome = run(data("tokens") + " " + data("ops-multi_lru"));

  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.output.find("tokens.jsonl: 1879 checks in 85 lines, all as recorded\n"), std::string::npos);
  EXPECT_NE(outcome.output.find(" checks in 550 lines, all as recorded\n"), std::string::npos);
}

TEST_F(Conformance, ExitsWithOneAtADifference) {
  const std::string path = file("wrong", std::string(kRight) + "\n" + kWrong + "\n");

  const Outcome outcome = run(path + " " + data("tinylfu"));

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.output.find(path + ":2: hash: expected a9088dda485b481d, got a9088dda485b481c\n"),
            std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("tinylfu.jsonl: 892 checks"), std::string::npos);  // looked at all the same
}

TEST_F(Conformance, ExitsWithTwoAtABrokenLine) {
  const std::string path = file("broken", std::string(kRight) + "\n{\"k\": \n");

  const Outcome outcome = run(path + " " + file("wrong", kWrong));

  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find(path + ":2: cannot be replayed: no JSON"), std::string::npos) << outcome.output;
}

TEST_F(Conformance, ExitsWithTwoIfAFileCannotBeRead) {
  const Outcome missing = run((folder_ / "missing").string());
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.output.find("missing: cannot be opened: No such file"), std::string::npos) << missing.output;

  EXPECT_EQ(run(folder_.string()).exit_code, 2);  // a folder
  EXPECT_EQ(run(file("empty", "")).exit_code, 2);
}

TEST_F(Conformance, ExitsWithTwoIfTheCommandLineIsFaulty) {
  const Outcome nothing = run("");
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_NE(nothing.output.find("files is required"), std::string::npos) << nothing.output;
  EXPECT_EQ(run("--unheard-of " + data("tokens")).exit_code, 2);

  const Outcome help = run("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.output.find("FILE"), std::string::npos);
}

}  // namespace
}  // namespace kvbm::conformance
