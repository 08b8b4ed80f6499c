#include "src/host/base/nvtx.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/kvbm.hpp"
#include "tests/support/temporary_folder.hpp"

namespace kvbm {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& path) {
  Lines lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::size_t count_beginning(const Lines& lines, const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [&](const std::string& line) { return line.starts_with(text); }));
}

/// What the recorder writes down while `action` runs in a process of its own, where the first range looks for a
/// profiler.
template <class Action>
Lines recorded(Action action) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/ranges";
  const pid_t child = fork();
  if (child == 0) {
    setenv("NVTX_INJECTION64_PATH", KVBM_NVTX_INJECTION, 1);
    setenv("KVBM_NVTX_RECORD", path.c_str(), 1);
    action();
    std::_Exit(0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return lines_of(path);
}

TEST(Nvtx, RangesNestAndCarryWhatTheyAreAbout) {
  const Lines lines = recorded([] {
    KVBM_NVTX_RANGE("kvbm.outer");
    for (std::uint64_t i = 0; i < 2; ++i) {
      KVBM_NVTX_RANGE("kvbm.inner", NvtxCategory::Offload, i + 7);
    }
  });

  const Lines ranges(
      std::find_if(lines.begin(), lines.end(), [](const auto& line) { return line.starts_with("push"); }), lines.end());
  EXPECT_EQ(ranges, (Lines{"push kvbm kvbm.outer 0 0", "push kvbm kvbm.inner 2 7", "pop kvbm",
                           "push kvbm kvbm.inner 2 8", "pop kvbm", "pop kvbm"}));
}

TEST(Nvtx, CategoriesHaveNames) {
  const Lines lines = recorded([] { KVBM_NVTX_RANGE("kvbm.range"); });

  ASSERT_GE(lines.size(), 5u);
  const Lines expected{"category kvbm 1 lookup", "category kvbm 2 offload", "category kvbm 3 onboard",
                       "category kvbm 4 evict", "category kvbm 5 io"};
  EXPECT_EQ(Lines(lines.begin(), lines.begin() + 5), expected);
}

TEST(Nvtx, SpanEndsOnAnotherThread) {
  const Lines lines = recorded([] {
    static constinit NvtxName name{"kvbm.transfer"};
    NvtxSpan span(name, NvtxCategory::Io, 4096);
    std::thread([moved = std::move(span)]() mutable { const NvtxSpan ended(std::move(moved)); }).join();
  });

  ASSERT_GE(lines.size(), 6u);
  EXPECT_EQ(lines[5], "start kvbm kvbm.transfer 5 4096");
  EXPECT_EQ(count_beginning(lines, "end kvbm"), 1u);
}

TEST(Nvtx, EveryOperationOnRunsIsARange) {
  const Lines lines = recorded([] {
    auto manager = *BlockManager<G1>::create({.blocks = 8, .tokens_per_block = 16, .registry = BlockRegistry()});
    const TokenBlockSequence tokens(std::vector<Token>(64, 7), {.block_size = 16});
    auto complete = std::move(*manager.allocate(4)).stage(tokens.hashes(), 16);
    static_cast<void>(manager.register_blocks(std::move(*complete)));
    static_cast<void>(manager.match_blocks(tokens.hashes()));
    static_cast<void>(manager.match_scattered(tokens.hashes()));
    static_cast<void>(manager.scan_matches(tokens.hashes(), false));
    static_cast<void>(manager.allocate_with_evictions(8));
    static_cast<void>(manager.reset_inactive_pool());
  });

  for (const char* range : {"allocate 0 4", "register_blocks 0 4", "match_blocks 1 4", "match_scattered 1 4",
                            "scan_matches 1 4", "allocate_with_evictions 4 8", "reset_inactive_pool 4 0"}) {
    EXPECT_EQ(count_beginning(lines, std::string("push kvbm kvbm.") + range), 1u) << range;
  }
  EXPECT_EQ(count_beginning(lines, "push"), count_beginning(lines, "pop"));
}

TEST(Nvtx, ATransferIsARangeFromItsSubmissionToItsEnd) {
  const Lines lines = recorded([] {
    const auto device = EmulatedDevice::create();
    TransferEngine engine(device, {.calibrate = false});
    const LayoutConfig config{.blocks = 4, .layers = 2, .outer = 2, .tokens = 4, .inner = 8};
    const auto cache = allocate_layout(config, LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, device).value();
    const auto store = allocate_layout(config, LayoutKind::FullyContiguous, MemoryKind::Pinned, device).value();
    const BlockPair pairs[]{{0, 1}, {2, 3}};
    engine.submit({.source = cache, .target = store, .blocks = pairs}).value().wait();
    engine.submit({.source = store, .target = cache, .blocks = pairs}).value().wait();
  });

  EXPECT_EQ(count_beginning(lines, "start kvbm kvbm.transfer 2 512"), 1u);  // offload, bytes
  EXPECT_EQ(count_beginning(lines, "start kvbm kvbm.transfer 3 512"), 1u);  // onboard
  EXPECT_EQ(count_beginning(lines, "end kvbm"), 2u);
}

TEST(Nvtx, WorkersOfTheEmulatedDeviceHaveAName) {
  const Lines lines = recorded([] {
    const auto device = EmulatedDevice::create();
    const Stream stream(device, StreamPriority::Normal, "test");
    device->synchronize(stream.view());
  });

  EXPECT_EQ(count_beginning(lines, "thread kvbm.emulated"), 1u);
}

#if defined(KVBM_REPLAY_PROGRAM)
TEST(Nvtx, ReplayEmitsItsRanges) {
  const test::TemporaryFolder folder;
  folder.write("/trace.jsonl", R"({"timestamp": 0, "input_length": 1500, "output_length": 1, "hash_ids": [0, 1, 2]})"
                               "\n"
                               R"({"timestamp": 1, "input_length": 1500, "output_length": 1, "hash_ids": [0, 1, 3]})"
                               "\n");
  const std::string command = "NVTX_INJECTION64_PATH='" KVBM_NVTX_INJECTION "' KVBM_NVTX_RECORD='" + folder.path() +
                              "/ranges' '" KVBM_REPLAY_PROGRAM "' --trace '" + folder.path() +
                              "/trace.jsonl' --g1-blocks 4 --policy lineage > /dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);  // NOLINT: a command of the test's own

  const Lines lines = lines_of(folder.path() + "/ranges");
  EXPECT_EQ(count_beginning(lines, "push kvbm kvbm.match_blocks 1 3"), 2u);
  EXPECT_GE(count_beginning(lines, "push kvbm kvbm.allocate"), 2u);
  EXPECT_GE(count_beginning(lines, "push kvbm kvbm.register_blocks"), 2u);
  EXPECT_EQ(count_beginning(lines, "push"), count_beginning(lines, "pop"));
}
#endif

TEST(Nvtx, WithoutAProfilerNothingIsRecordedAndAllGoesOn) {
  const test::TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    unsetenv("NVTX_INJECTION64_PATH");
    setenv("KVBM_NVTX_RECORD", (folder.path() + "/ranges").c_str(), 1);
    { KVBM_NVTX_RANGE("kvbm.range"); }
    std::_Exit(Nvtx::may_listen() ? 1 : 0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);

  EXPECT_EQ(status, 0);
  EXPECT_TRUE(lines_of(folder.path() + "/ranges").empty());
}

}  // namespace
}  // namespace kvbm
