#include "bench/support/replay_command.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace kvbm::bench {
namespace {

using nlohmann::json;

struct Answer {
  int status;
  std::string out;
  std::string err;

  [[nodiscard]] std::vector<json> objects() const {
    std::vector<json> parsed;
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) parsed.push_back(json::parse(line));
    return parsed;
  }
};

Answer command(std::vector<std::string> words) {
  std::vector<const char*> argv{"kvbm-replay"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int status = replay_command(static_cast<int>(argv.size()), argv.data(), {out, err, nullptr});
  return {status, out.str(), err.str()};
}

constexpr const char* kHandExample =  // eviction.md 2
    R"({"timestamp": 0, "input_length": 1536, "output_length": 1, "hash_ids": [1, 2, 3]})"
    "\n"
    R"({"timestamp": 1, "input_length": 1000, "output_length": 1, "hash_ids": [1, 4]})"
    "\n"
    R"({"timestamp": 2, "input_length": 1024, "output_length": 1, "hash_ids": [5, 6]})"
    "\n"
    R"({"timestamp": 2, "input_length": 513, "output_length": 1, "hash_ids": [1, 2]})"
    "\n";

class ReplayCommand : public testing::Test {
 protected:
  ~ReplayCommand() override { static_cast<void>(std::remove(path_.c_str())); }

  /// Writes a trace that lives as long as the test, and returns its path.
  std::string trace_file(const char* text = kHandExample) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }

 private:
  const std::string path_ = testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + "." +
                            std::to_string(::getpid()) + ".jsonl";
};

TEST_F(ReplayCommand, JsonIsOneObjectForEachPolicyAndSize) {
  const std::string trace = trace_file();

  const Answer answer = command({"--trace", trace, "--g1-blocks", "4,2", "--policy", "lru,lineage", "--json"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.err, "");
  const std::vector<json> objects = answer.objects();
  ASSERT_EQ(objects.size(), 4u);
  EXPECT_EQ(objects[0]["trace"], trace);
  EXPECT_EQ(objects[0]["policy"], "lru");
  EXPECT_EQ(objects[0]["g1_blocks"], 4);
  EXPECT_EQ(objects[0]["requests"], 4);
  EXPECT_EQ(objects[0]["input_blocks"], 9);
  EXPECT_EQ(objects[0]["hit_blocks"], 2);
  EXPECT_DOUBLE_EQ(objects[0]["hit_rate"], 2.0 / 9);
  EXPECT_EQ(objects[0]["evicted_blocks"], 3);
  EXPECT_EQ(objects[0]["verified_pages"], 2);
  EXPECT_EQ(objects[0]["corrupt_pages"], 0);
  EXPECT_GE(objects[0]["seconds"].get<double>(), 0);
  EXPECT_GE(objects[0]["blocks_per_second"].get<double>(), 0);
  EXPECT_EQ(objects[1]["g1_blocks"], 2);
  EXPECT_EQ(objects[2]["policy"], "lineage");
}

TEST_F(ReplayCommand, LookupHintsBatchesAndChangesNoCount) {
  const std::string trace = trace_file();

  const Answer answer = command({"--trace", trace, "--g1-blocks", "4", "--lookup", "host", "--batch", "1", "--json"});
  const Answer table = command({"--trace", trace, "--g1-blocks", "4", "--lookup", "host"});

  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = answer.objects().at(0);
  EXPECT_EQ(object["lookup"], "host");
  EXPECT_EQ(object["batch"], 1);
  EXPECT_EQ(object["hit_blocks"], 2);
  EXPECT_EQ(object["hinted_blocks"], 2);
  EXPECT_GE(object["lookups_per_second"].get<double>(), 0);
  EXPECT_NE(table.out.find("lookups/s"), std::string::npos);
}

TEST_F(ReplayCommand, ADeviceLooksUpEmulatedOrNot) {
  const Answer answer = command({"--trace", trace_file(), "--g1-blocks", "4", "--lookup", "device", "--device",
                                 "emulated", "--batch", "2", "--json"});

  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = answer.objects().at(0);
  EXPECT_EQ(object["lookup"], "device");
  EXPECT_EQ(object["device"], "emulated");
  EXPECT_EQ(object["hit_blocks"], 2);
}

TEST_F(ReplayCommand, TwoTiersHaveKeysOfTheirOwn) {
  const Answer answer = command({"--trace", trace_file(), "--g1-blocks", "2", "--g2-blocks", "8", "--device",
                                 "emulated", "--page-bytes", "256", "--layers", "2", "--json"});

  ASSERT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.err, "");
  const json object = answer.objects().at(0);
  EXPECT_EQ(object["g1_blocks"], 2);
  EXPECT_EQ(object["g2_blocks"], 8);
  EXPECT_EQ(object["hit_blocks"], object["g1_hit_blocks"].get<int>() + object["g2_hit_blocks"].get<int>());
  EXPECT_GT(object["offloaded_blocks"], 0);
  EXPECT_EQ(object["bytes_offloaded"], 256 * object["offloaded_blocks"].get<int>());
  EXPECT_EQ(object["bytes_onboarded"], 256 * object["onboarded_blocks"].get<int>());
  EXPECT_EQ(object["tiers"], "exclusive");
  EXPECT_EQ(object["device"], "emulated");
  EXPECT_EQ(object["corrupt_pages"], 0);
}

TEST_F(ReplayCommand, TheTableOfTwoTiersSaysWhatMoved) {
  const Answer answer = command({"--trace", trace_file(), "--g1-blocks", "2", "--g2-blocks", "8", "--tiers",
                                 "inclusive", "--device", "emulated"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_NE(answer.out.find("second tier: 8 blocks, inclusive; device: emulated"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("G1 hits  G2 hits  offloaded  onboarded  lost"), std::string::npos) << answer.out;
}

TEST_F(ReplayCommand, AFailedCopyIsReportedOnceAndCostsNoRun) {
  const Answer answer = command(
      {"--trace", trace_file(), "--g1-blocks", "2", "--g2-blocks", "8", "--emulate-faults", "copy:1", "--json"});

  ASSERT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.objects().at(0)["failed_copies"], 1);
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
  EXPECT_NE(answer.err.find("fault plan"), std::string::npos) << answer.err;
}

TEST_F(ReplayCommand, LineageIsThePolicyUnlessAnotherIsNamed) {
  const Answer answer = command({"--trace", trace_file(), "--g1-blocks", "4", "--json"});

  ASSERT_EQ(answer.objects().size(), 1u);
  EXPECT_EQ(answer.objects()[0]["policy"], "lineage");
}

TEST_F(ReplayCommand, TakesEveryPolicy) {
  const Answer answer = command(
      {"--trace", trace_file(), "--g1-blocks", "4", "--json", "--policy", "lru,multi-lru,lineage,lineage-fifo,fifo"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.objects().size(), 5u);
}

TEST_F(ReplayCommand, ReleaseHeadLosesHeads) {
  const std::string trace = trace_file(R"({"input_length": 1, "hash_ids": [1, 2, 3]})"
                                       "\n"
                                       R"({"input_length": 1, "hash_ids": [4]})"
                                       "\n"
                                       R"({"input_length": 1, "hash_ids": [1, 2]})");

  const Answer tail = command({"--trace", trace, "--g1-blocks", "3", "--policy", "lru", "--release", "tail", "--json"});
  const Answer head = command({"--trace", trace, "--g1-blocks", "3", "--policy", "lru", "--release", "head", "--json"});

  EXPECT_EQ(tail.objects()[0]["hit_blocks"], 2);
  EXPECT_EQ(head.objects()[0]["hit_blocks"], 0);
}

TEST_F(ReplayCommand, FullBlocksGoesByInputLengthAndBlockTokens) {
  const std::string trace = trace_file();
  const std::vector<std::string> words{"--trace", trace, "--g1-blocks", "9", "--json", "--full-blocks"};
  std::vector<std::string> smaller = words, larger = words;
  smaller.insert(smaller.end(), {"--block-tokens", "500"});
  larger.insert(larger.end(), {"--block-tokens", "1001"});

  EXPECT_EQ(command(words).objects()[0]["input_blocks"], 3 + 1 + 2 + 1);
  EXPECT_EQ(command(words).objects()[0]["hit_blocks"], 1 + 1);
  EXPECT_EQ(command(words).objects()[0]["requests"], 4);
  EXPECT_EQ(command(smaller).objects()[0]["input_blocks"], 3 + 2 + 2 + 1);
  EXPECT_EQ(command(larger).objects()[0]["input_blocks"], 1 + 0 + 1 + 0);
  EXPECT_EQ(command(larger).objects()[0]["requests"], 4);
}

TEST_F(ReplayCommand, BlockTokensAloneChangesNothing) {
  const Answer answer = command({"--trace", trace_file(), "--g1-blocks", "9", "--json", "--block-tokens", "3000"});

  EXPECT_EQ(answer.objects()[0]["input_blocks"], 9);
}

TEST_F(ReplayCommand, NothingButFullBlocksMayLeaveNothing) {
  const Answer answer =
      command({"--trace", trace_file(), "--g1-blocks", "9", "--json", "--full-blocks", "--block-tokens", "9999"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.objects()[0]["input_blocks"], 0);
  EXPECT_EQ(answer.objects()[0]["hit_rate"], 0.0);
}

TEST_F(ReplayCommand, TheTableHasARowForEachPolicyAndSize) {
  const Answer answer = command({"--trace", trace_file(), "--g1-blocks", "4,1000", "--policy", "lru,fifo"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.err, "");
  EXPECT_NE(answer.out.find("4 requests, 9 blocks"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("\nlru          4     2   22.22 %"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("\nfifo     1,000     3   33.33 %"), std::string::npos) << answer.out;
}

TEST_F(ReplayCommand, TheBarGoesWhereItIsSeenAndIsWipedAway) {
  const std::string trace = trace_file();
  const std::vector<const char*> argv{"kvbm-replay", "--trace", trace.c_str(), "--g1-blocks", "4", "--json"};
  std::ostringstream out, err, bar;

  EXPECT_EQ(replay_command(static_cast<int>(argv.size()), argv.data(), {out, err, &bar}), 0);

  EXPECT_NE(bar.str().find("100 %"), std::string::npos);
  EXPECT_TRUE(bar.str().ends_with("\r\x1B[K"));
  EXPECT_EQ(out.str().find('\r'), std::string::npos);
}

TEST_F(ReplayCommand, OfAnOptionGivenTwiceTheLastCounts) {
  const Answer answer = command({"--trace", "none", "--g1-blocks", "0", "--policy", "lru,fifo", "--json",  //
                                 "--trace", trace_file(), "--g1-blocks", "4", "--policy", "fifo"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  ASSERT_EQ(answer.objects().size(), 1u);
  EXPECT_EQ(answer.objects()[0]["policy"], "fifo");
  EXPECT_EQ(answer.objects()[0]["g1_blocks"], 4);
}

TEST_F(ReplayCommand, HelpIsNoMistake) {
  const Answer answer = command({"--help"});

  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.out.find("--g1-blocks"), std::string::npos);
}

void expect_refused(const std::vector<std::string>& words, const std::string& reason) {
  const Answer answer = command(words);
  EXPECT_EQ(answer.status, 2) << reason;
  EXPECT_EQ(answer.out, "") << reason;
  EXPECT_NE(answer.err.find(reason), std::string::npos) << answer.err;
}

TEST_F(ReplayCommand, RefusesAMissingFile) {
  expect_refused({"--trace", "no/such/trace.jsonl", "--g1-blocks", "4"},
                 "no/such/trace.jsonl: No such file or directory");
}

TEST_F(ReplayCommand, RefusesABadLineByItsNumber) {
  const std::string trace = trace_file("{\"input_length\": 1, \"hash_ids\": [1]}\n{\"input_length\": 1}\n");

  expect_refused({"--trace", trace, "--g1-blocks", "4", "--json"}, trace + ", line 2: hash_ids is missing");
}

TEST_F(ReplayCommand, RefusesAnEmptyTrace) {
  expect_refused({"--trace", trace_file("\n"), "--g1-blocks", "4"}, "the trace holds no requests");
}

TEST_F(ReplayCommand, RefusesSizesThatAreNone) {
  const std::string trace = trace_file();

  expect_refused({"--trace", trace, "--g1-blocks", "0"}, "0 is not from 1 to");
  expect_refused({"--trace", trace, "--g1-blocks", "4,0"}, "0 is not from 1 to");
  expect_refused({"--trace", trace, "--g1-blocks", "4,"}, "'' is not a whole number");
  expect_refused({"--trace", trace, "--g1-blocks", "-4"}, "'-4' is not a whole number");
  expect_refused({"--trace", trace, "--g1-blocks", "4k"}, "'4k' is not a whole number");
  expect_refused({"--trace", trace, "--g1-blocks", "1073741825"}, "1073741825 is not from 1 to 1073741824");
  expect_refused({"--trace", trace, "--g1-blocks", "99999999999999999999"}, "is not from 1 to");
}

TEST_F(ReplayCommand, RefusesPagesThatNoMemoryHolds) {
  expect_refused({"--trace", trace_file(), "--g1-blocks", "4,1000", "--page-bytes", "4611686018427387904", "--json"},
                 "there is no memory for 1,000 blocks");
}

TEST_F(ReplayCommand, RefusesUnknownPolicies) {
  const std::string trace = trace_file();

  expect_refused({"--trace", trace, "--g1-blocks", "4", "--policy", "arc"}, "'arc' is none of lru, multi-lru");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--policy", "lru,,fifo"}, "'' is none of");
}

TEST_F(ReplayCommand, RefusesOptionsOutOfRange) {
  const std::string trace = trace_file();

  expect_refused({"--trace", trace, "--g1-blocks", "4", "--page-bytes", "48"}, "48 is not a multiple of 16 from 64 up");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--page-bytes", "72"}, "72 is not a multiple of 16");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--page-bytes", "-64"}, "'-64' is not a whole number");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--page-bytes", "4K"}, "'4K' is not a whole number");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--block-tokens", "0"}, "--block-tokens");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--block-tokens", "1.5"}, "'1.5' is not a whole number");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--release", "middle"}, "--release");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--batch", "0"}, "0 is not from 1 to 1048576");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--lookup", "oracle"}, "--lookup");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "--wrong"}, "--wrong");
  expect_refused({"--trace", trace, "--g1-blocks", "4", "5"}, "5");
  expect_refused({"--trace", trace}, "--g1-blocks is required");
  expect_refused({"--g1-blocks", "4"}, "--trace is required");
}

TEST_F(ReplayCommand, RefusesWhatTwoTiersCannotBe) {
  const std::string trace = trace_file();
  const auto refused = [&](std::vector<std::string> more, const std::string& complaint) {
    std::vector<std::string> words{"--trace", trace, "--g1-blocks", "2", "--g2-blocks", "8", "--device", "emulated"};
    words.insert(words.end(), more.begin(), more.end());
    const Answer answer = command(words);
    EXPECT_EQ(answer.status, 2) << complaint;
    EXPECT_NE(answer.err.find(complaint), std::string::npos) << answer.err;
  };
  refused({"--g2-blocks", "0"}, "--g2-blocks: 0 is not from 1");
  refused({"--tiers", "both"}, "--tiers");
  refused({"--layout", "nhd"}, "--layout");
  refused({"--layers", "3"}, "--page-bytes: 4096 is not a multiple");
  refused({"--release", "head"}, "--release");
  refused({"--lookup", "host"}, "--lookup");
  refused({"--emulate-faults", "copy"}, "'copy' is not KIND:N");
  refused({"--emulate-faults", "page:1"}, "'page' is none of");
  refused({"--emulate-faults", "copy:0"}, "0 is not from 1");
  refused({"--emulate-delays", "soon"}, "'soon' is not a whole number");
  refused({"--device", "cuda", "--emulate-delays", "1"}, "a GPU has neither");
}

TEST_F(ReplayCommand, AGpuThatIsWantedAndMissingIsNoCrash) {
  const Answer answer = command({"--trace", trace_file(), "--g1-blocks", "2", "--g2-blocks", "8", "--device", "cuda"});

  if (answer.status != 0) {  // no GPU here
    EXPECT_EQ(answer.status, 2);
    EXPECT_NE(answer.err.find("--device: there is no GPU: "), std::string::npos) << answer.err;
  }
}

TEST_F(ReplayCommand, SaysWhenResultsCannotBeWritten) {
  const std::string trace = trace_file();
  const std::vector<const char*> argv{"kvbm-replay", "--trace", trace.c_str(), "--g1-blocks", "4"};
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);

  EXPECT_EQ(replay_command(static_cast<int>(argv.size()), argv.data(), {out, err, nullptr}), 2);
  EXPECT_NE(err.str().find("cannot be written"), std::string::npos);
}

}  // namespace
}  // namespace kvbm::bench
