#include <gtest/gtest.h>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/lookup/device_prefix_index.hpp"
#include "kvbm/memory/memory.hpp"
#include "tests/support/managers.hpp"

// A device refuses the n-th call of a kind, for every n, and is as good as before: nothing is left on it, and nothing
// still on its way goes to memory that is gone.

namespace kvbm {
namespace {

constexpr DevicePrefixIndexOptions kOptions{.blocks_at_once = 64, .small_blocks = 16};
constexpr FaultKind kKinds[]{FaultKind::Allocation, FaultKind::Event, FaultKind::Copy, FaultKind::Launch};

/// Late, so that what is enqueued has not run when the next call fails.
std::shared_ptr<EmulatedDevice> late_device() { return EmulatedDevice::create({.delay_seed = 3}); }

/// Long enough for all that was enqueued before.
void expect_usable(const std::shared_ptr<EmulatedDevice>& device) {
  const Memory memory = allocate_device(device, 16);
  const Stream stream(device, StreamPriority::Normal, "test");
  for (int i = 0; i < 200; ++i) device->fill(memory.address(), 1, 16, stream.view());
  EXPECT_NO_THROW(device->synchronize(stream.view()));
}

/// Makes something on devices that refuse the n-th call. Returns how many calls there are to refuse.
template <class Make>
std::uint64_t refuse_each(FaultKind kind, const Make& make) {
  for (std::uint64_t n = 1;; ++n) {
    const auto device = late_device();
    device->add_fault({.kind = kind, .n = n});
    bool refused = false;
    try {
      make(device);
    } catch (const DeviceError&) {
      refused = true;
    }
    EXPECT_EQ(device->device_bytes(), 0u) << n;
    EXPECT_EQ(device->pinned_bytes(), 0u) << n;
    if (!refused || testing::Test::HasFailure()) return n - 1;
    expect_usable(device);
  }
}

TEST(RefusedDevice, GetsAllBackOfAnIndexThatCannotBeMade) {
  std::uint64_t refused = 0;
  for (const FaultKind kind : kKinds) {
    refused += refuse_each(
        kind, [](const std::shared_ptr<Device>& device) { const DevicePrefixIndex index(device, kOptions); });
  }
  EXPECT_GT(refused, 15u);
}

TEST(RefusedDevice, GetsAllBackOfABatchThatCannotBeMade) {
  std::uint64_t refused = 0;
  for (const FaultKind kind : kKinds) {
    refused +=
        refuse_each(kind, [](const std::shared_ptr<Device>& device) { const PinnedPrefixBatch batch(device, 4, 32); });
  }
  EXPECT_GT(refused, 7u);
}

/// Whatever call of an update fails, in a small change or in one that makes the table grow: the next update makes up
/// for it.
TEST(RefusedDevice, IsSentByTheNextUpdateWhatItMissed) {
  std::uint64_t refused = 0;
  for (const FaultKind kind : kKinds) {
    for (std::uint64_t n = 1; !HasFailure(); ++n) {
      const auto device = late_device();
      const auto manager = test::manager<G1>({.blocks = 400, .tokens_per_block = 4, .change_log = 1024});
      DevicePrefixIndex index(device, {.index = {.hashes = 16}, .blocks_at_once = 64, .small_blocks = 16});
      index.add_tier(manager);
      index.update();
      device->add_fault({.kind = kind, .n = device->call_counts().of(kind) + n});
      bool failed = false;
      std::vector<BlockRun<ImmutableBlock<G1>>> runs;
      for (const std::size_t length : {4, 9, 30, 100}) {
        runs.push_back(test::registered(manager, test::chain(length, length)));
        try {
          index.update();
        } catch (const DeviceError&) {
          failed = true;
        }
      }
      if (!failed) break;
      index.update();
      ++refused;

      PrefixAnswers answers;
      for (const std::size_t length : {4, 9, 30, 100}) {
        const auto hashes = test::chain(length, length);
        const std::vector<std::uint32_t> offsets{0, static_cast<std::uint32_t>(length)};
        index.look_up(offsets, hashes, answers);
        EXPECT_EQ(answers.prefixes.front(), length) << n;
      }
    }
  }
  EXPECT_GT(refused, 10u);
}

}  // namespace
}  // namespace kvbm
