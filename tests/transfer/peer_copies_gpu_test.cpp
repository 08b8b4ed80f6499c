#include <cuda_runtime_api.h>

#include "kvbm/cuda/device_probe.hpp"
#include "kvbm/device/cuda_device.hpp"
#include "tests/support/peer_copies.hpp"

// 6.5: two devices. Between two GPUs where there are two; and a GPU opened twice, which takes the same way.

namespace kvbm::test {
namespace {

/// Null only where there is no such GPU: one that is there has to open.
std::function<std::shared_ptr<Device>()> gpu(std::size_t ordinal) {
  return [=]() -> std::shared_ptr<Device> {
    if (probe_devices().devices.size() <= ordinal) return nullptr;
    return open_cuda_device(static_cast<int>(ordinal)).value();
  };
}

INSTANTIATE_TEST_SUITE_P(Cuda, PeerCopies,
                         testing::Values(DevicePair{"TwoGpus", gpu(0), gpu(1)},
                                         DevicePair{"TwoGpusBack", gpu(1), gpu(0)},
                                         DevicePair{"OneGpuTwice", gpu(0), gpu(0)}),
                         [](const auto& each) { return each.param.name; });

/// The caller's device stays the current one, whichever kvbm works on.
class CallersDevice : public testing::Test {
 protected:
  void SetUp() override {
    here_ = gpu(0)();
    there_ = gpu(1)();
    if (here_ == nullptr || there_ == nullptr) GTEST_SKIP() << "fewer than two GPUs";
  }
  [[nodiscard]] static int current() {
    int ordinal = -1;
    EXPECT_EQ(cudaGetDevice(&ordinal), cudaSuccess);
    return ordinal;
  }

  std::shared_ptr<Device> here_, there_;
};

TEST_F(CallersDevice, StaysCurrentWhileAllIsDoneOnTheOther) {
  for (const int mine : {0, 1}) {
    ASSERT_EQ(cudaSetDevice(mine), cudaSuccess);
    for (const std::shared_ptr<Device>& device : {here_, there_}) {
      {
        const Memory memory = allocate_device(device, 4096);
        cudaPointerAttributes attributes{};
        ASSERT_EQ(cudaPointerGetAttributes(&attributes, memory.address()), cudaSuccess);
        EXPECT_EQ(attributes.device, device->capabilities().ordinal);
        const Stream stream(device, StreamPriority::High, "test");
        const Event event(device);
        device->fill(memory.address(), 1, 4096, stream.view());
        device->record(event.view(), stream.view());
        device->wait(stream.view(), event.view());
        static_cast<void>(device->done(event.view()));
        device->synchronize(event.view());
        device->synchronize(stream.view());
        EXPECT_THROW(static_cast<void>(device->allocate(std::size_t{1} << 60)), DeviceError);
        EXPECT_EQ(current(), mine);
      }
      EXPECT_EQ(current(), mine);  // destructors too
    }
  }
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
}

TEST_F(CallersDevice, StaysCurrentWhileAnEngineOfTheOtherWorks) {
  constexpr LayoutConfig kConfig{
      .blocks = 4, .layers = 2, .outer = 2, .tokens = 4, .inner = 8, .heads = 2, .element_bytes = 2};
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  std::mt19937_64 random(7);
  GuardedPages cache(there_, kConfig, {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0});
  GuardedPages store(there_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Pinned, 0});
  const auto from = cache.fill(random);
  const auto to = store.fill(random);
  TransferEngine engine(there_, {.calibrate = false});
  const std::vector<BlockPair> blocks{{0, 3}, {2, 1}};
  for (const Mechanism mechanism : {Mechanism::Copies, Mechanism::CopyKernel, Mechanism::Staged}) {
    const Completion completion =
        engine.submit({.source = cache.layout(), .target = store.layout(), .blocks = blocks, .mechanism = mechanism})
            .value();
    EXPECT_EQ(current(), 0);
    ASSERT_FALSE(completion.wait().error);
    EXPECT_EQ(store.read(), copied(cache, from, store, to, blocks, {0, 2}));
    store.write(to);
  }
  EXPECT_EQ(current(), 0);
}

}  // namespace
}  // namespace kvbm::test
