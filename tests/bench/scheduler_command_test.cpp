#include "bench/support/scheduler_command.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "bench/support/scheduler_options.hpp"

namespace kvbm::bench {
namespace {

using nlohmann::json;

struct SchedulerAnswer {
  int status;
  std::string out;
  std::string err;
};

SchedulerAnswer scheduled(std::vector<std::string> words) {
  std::vector<const char*> argv{"kvbm-replay", "--scheduler"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int status = scheduler_command(static_cast<int>(argv.size()), argv.data(), {out, err, nullptr});
  return {status, out.str(), err.str()};
}

/// Two turns of one chat, and a stranger.
constexpr const char* kThree =
    R"({"timestamp": 0, "input_length": 2048, "output_length": 40, "hash_ids": [1, 2, 3, 4]})"
    "\n"
    R"({"timestamp": 5000, "input_length": 3000, "output_length": 30, "hash_ids": [1, 2, 3, 5, 6, 7]})"
    "\n"
    R"({"timestamp": 5000, "input_length": 1024, "output_length": 20, "hash_ids": [8, 9]})"
    "\n";

class SchedulerCommand : public testing::Test {
 protected:
  ~SchedulerCommand() override { static_cast<void>(std::remove(path_.c_str())); }

  /// Runs over a trace that lives as long as the test.
  [[nodiscard]] SchedulerAnswer replay(std::vector<std::string> words, const std::string& text = kThree) {
    std::ofstream(path_, std::ios::binary) << text;
    words.insert(words.begin(), {"--trace", path_});
    return scheduled(std::move(words));
  }
  [[nodiscard]] json replay_json(std::vector<std::string> words, const std::string& text = kThree) {
    words.emplace_back("--json");
    const SchedulerAnswer answer = replay(std::move(words), text);
    EXPECT_EQ(answer.status, 0) << answer.err;
    return json::parse(answer.out);
  }

 private:
  const std::string path_ = testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + "." +
                            std::to_string(::getpid()) + ".jsonl";
};

/// `count` requests at once, each with a prompt of its own of 1024 tokens.
std::string crowd(std::size_t count, std::size_t output) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += R"({"timestamp": 0, "input_length": 1024, "output_length": )" + std::to_string(output) +
            R"(, "hash_ids": [)" + std::to_string(2 * i) + ", " + std::to_string(2 * i + 1) + "]}\n";
  }
  return text;
}

TEST_F(SchedulerCommand, ServesAllRequestsAndHoldsNothingAfterwards) {
  const json result = replay_json({"--g1-blocks", "1000", "--tokens-per-block", "16"});

  EXPECT_EQ(result["requests"], 3);
  EXPECT_EQ(result["finished"], 3);
  EXPECT_EQ(result["too_long"], 0);
  EXPECT_EQ(result["input_blocks"], 128 + 187 + 64);
  EXPECT_EQ(result["hit_blocks"], 96);  // three ids of 512 tokens
  EXPECT_EQ(result["output_tokens"], 90);
  EXPECT_EQ(result["preemptions"], 0);
  EXPECT_EQ(result["corrupt_pages"], 0);
  EXPECT_GT(result["verified_pages"], 96);
  EXPECT_EQ(result["blocks_in_use"], 0);
}

TEST_F(SchedulerCommand, AnswersTakeBlocksAndAreRegistered) {
  const json shorter = replay_json({"--g1-blocks", "1000", "--tokens-per-block", "16", "--output-tokens", "1"});
  const json longer = replay_json({"--g1-blocks", "1000", "--tokens-per-block", "16", "--output-tokens", "161"});

  EXPECT_EQ(shorter["output_tokens"], 3);
  EXPECT_EQ(longer["output_tokens"], 3 * 161);
  EXPECT_EQ(longer["registered_blocks"].get<int>() - shorter["registered_blocks"].get<int>(), 3 * 10);
}

TEST_F(SchedulerCommand, RequestsOverlapInTime) {
  const json together = replay_json({"--g1-blocks", "1000"}, crowd(8, 50));
  const json apart = replay_json({"--g1-blocks", "1000", "--arrivals", "0.1-per-second"}, crowd(8, 50));

  EXPECT_EQ(together["running_peak"], 8);
  EXPECT_EQ(apart["running_peak"], 1);
  EXPECT_GT(apart["simulated_seconds"], 70);
}

TEST_F(SchedulerCommand, PreemptsWhenAnswersOutgrowTheCache) {
  const json result = replay_json({"--g1-blocks", "200", "--tokens-per-block", "16", "--spare", "0"}, crowd(6, 1000));

  EXPECT_GT(result["preemptions"], 0);
  EXPECT_EQ(result["finished"], 6);
  EXPECT_EQ(result["output_tokens"], 6000);
  EXPECT_EQ(result["corrupt_pages"], 0);
  EXPECT_EQ(result["blocks_in_use"], 0);
}

TEST_F(SchedulerCommand, APreemptedRequestFindsWhatSurvived) {
  const json result = replay_json({"--g1-blocks", "200", "--tokens-per-block", "16", "--spare", "0"}, crowd(6, 1000));

  EXPECT_GT(result["survived_blocks"], 0);
}

TEST_F(SchedulerCommand, ARequestThatWouldNotFitAloneIsNotServed) {
  const json result = replay_json({"--g1-blocks", "5"});

  EXPECT_EQ(result["too_long"], 1);
  EXPECT_EQ(result["finished"], 2);
}

TEST_F(SchedulerCommand, TheBudgetCutsPromptsIntoChunks) {
  const json whole = replay_json({"--g1-blocks", "100", "--output-tokens", "1"});
  const json chunked = replay_json({"--g1-blocks", "100", "--output-tokens", "1", "--prefill-budget", "100"});

  EXPECT_LT(whole["steps"], 5);
  EXPECT_GT(chunked["steps"], 40);
  EXPECT_EQ(chunked["hit_blocks"], whole["hit_blocks"]);
  EXPECT_EQ(chunked["corrupt_pages"], 0);
}

TEST_F(SchedulerCommand, RunsEachPolicyOverEachSizeAndPrintsATable) {
  const SchedulerAnswer answer = replay({"--g1-blocks", "50,1000", "--policy", "lru,multi-lru"});

  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_NE(answer.out.find("multi-lru"), std::string::npos);
  EXPECT_NE(answer.out.find("1,000"), std::string::npos);
}

TEST_F(SchedulerCommand, SaysTheSameTwice) {
  json first = replay_json({"--g1-blocks", "200", "--tokens-per-block", "16"}, crowd(6, 500));
  json second = replay_json({"--g1-blocks", "200", "--tokens-per-block", "16"}, crowd(6, 500));

  for (json* result : {&first, &second}) {
    for (const char* measured : {"seconds", "scheduler_seconds", "step_us_p50", "step_us_p99", "blocks_per_second"}) {
      result->erase(measured);
    }
  }
  EXPECT_EQ(first, second);
}

TEST_F(SchedulerCommand, RefusesWhatMakesNoSense) {
  const std::vector<std::vector<std::string>> mistakes{
      {},
      {"--g1-blocks", "0"},
      {"--g1-blocks", "10", "--arrivals", "often"},
      {"--g1-blocks", "10", "--arrivals", "0-per-second"},
      {"--g1-blocks", "10", "--output-tokens", "0"},
      {"--g1-blocks", "10", "--tokens-per-block", "48"},
      {"--g1-blocks", "10", "--policy", "random"},
      {"--g1-blocks", "10", "--page-bytes", "100"},
      {"--g1-blocks", "10", "--prefill-budget", "0"},
      {"--g1-blocks", "10", "--block-tokens", "256"},  // ids that stand for less than the prompt
  };
  for (const std::vector<std::string>& words : mistakes) {
    const SchedulerAnswer answer = replay(words);
    EXPECT_EQ(answer.status, 2) << testing::PrintToString(words);
    EXPECT_NE(answer.err, "") << testing::PrintToString(words);
    EXPECT_EQ(answer.out, "") << testing::PrintToString(words);
  }
}

TEST(SchedulerOptions, HelpNamesTheKeysOfTheResults) {
  const SchedulerAnswer answer = scheduled({"--help"});

  EXPECT_EQ(answer.status, 0);
  for (const char* key : {"blocks_in_use", "step_us_p99", "survived_blocks", "corrupt_pages"}) {
    EXPECT_NE(answer.out.find(key), std::string::npos) << key;
  }
}

TEST(SchedulerOptions, TheSchedulerIsAskedForByName) {
  const char* const with[] = {"kvbm-replay", "--json", "--scheduler"};
  const char* const without[] = {"kvbm-replay", "--json"};

  EXPECT_TRUE(wants_scheduler(3, with));
  EXPECT_FALSE(wants_scheduler(2, without));
}

}  // namespace
}  // namespace kvbm::bench
