#include <cuda_runtime_api.h>

#include <thread>

#include "kvbm/device/cuda_device.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "tests/support/device_conformance.hpp"

namespace kvbm::test {
namespace {

std::shared_ptr<Device> device_with(CudaDeviceOptions options) {
  auto device = open_cuda_device(0, options);
  return device ? *device : nullptr;
}

std::vector<DeviceCase> cases() {
  return {{"AsItIs", [] { return device_with({}); }},
          {"WithoutBatches", [] { return device_with({.batched_copy = false}); }}};
}

INSTANTIATE_TEST_SUITE_P(Cuda, DeviceConformance, testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

class CudaDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    device_ = device_with({});
    if (device_ == nullptr) GTEST_SKIP() << "no GPU";
  }

  std::shared_ptr<Device> device_;
};

TEST_F(CudaDeviceTest, LeavesTheCurrentDeviceAndNoErrorBehind) {
  int before = -1, after = -1;
  ASSERT_EQ(cudaGetDevice(&before), cudaSuccess);
  EXPECT_THROW(static_cast<void>(device_->allocate(std::size_t{1} << 60)), DeviceError);
  ASSERT_EQ(cudaGetDevice(&after), cudaSuccess);

  EXPECT_EQ(after, before);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

TEST_F(CudaDeviceTest, BatchesAreForDriversAndBuildsThatKnowThem) {
  int driver = 0;
  ASSERT_EQ(cudaDriverGetVersion(&driver), cudaSuccess);

  EXPECT_EQ(device_->capabilities().batched_copy, CUDART_VERSION >= 12080 && driver >= 12080);
}

TEST_F(CudaDeviceTest, CapabilitiesCanBeForcedOff) {
  const auto device = device_with({.batched_copy = false,
                                   .bulk_copy = false,
                                   .coherent_host = false,
                                   .host_register = false,
                                   .memory_pools = false});
  const DeviceCapabilities& can = device->capabilities();

  EXPECT_FALSE(can.batched_copy || can.bulk_copy || can.coherent_host || can.host_register || can.memory_pools);
}

TEST_F(CudaDeviceTest, UnfinishedEventLeavesNoErrorBehind) {
  constexpr std::size_t kBytes = 256u << 20;
  const Memory memory = allocate_device(device_, kBytes);
  const Stream stream(device_, StreamPriority::Normal, "test");
  const Event event(device_);
  for (int i = 0; i < 20; ++i) device_->fill(memory.address(), 1, kBytes, stream.view());
  device_->record(event.view(), stream.view());

  while (!device_->done(event.view())) EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

TEST_F(CudaDeviceTest, WithoutHostRegisterPinnedMemoryComesFromTheDriver) {
  PinnedMemoryReport report;

  const Memory memory = allocate_pinned(device_with({.host_register = false}), 1 << 20, {}, &report);

  EXPECT_TRUE(report.from_driver);
}

TEST_F(CudaDeviceTest, PinnedMemoryIsReachedAcrossTheSeamOfTwoRegistrations) {
  if (!device_->capabilities().host_register) GTEST_SKIP() << "the device registers no memory";
  constexpr std::size_t kBlock = 1 << 20;
  PinnedMemoryReport report;
  const Memory host =
      allocate_pinned(device_, 8 * kBlock, {.block_bytes = kBlock, .registration_bytes_max = 3 * kBlock}, &report);
  const Memory memory = allocate_device(device_, kBlock);
  const Stream stream(device_, StreamPriority::Normal, "test");

  for (std::size_t i = 0; i < 8; ++i) {
    device_->fill(memory.address(), static_cast<std::uint8_t>(i + 1), kBlock, stream.view());
    device_->copy(host.address() + i * kBlock, memory.address(), kBlock, stream.view());
  }
  device_->synchronize(stream.view());

  EXPECT_EQ(report.registrations.size(), 3u);
  for (std::size_t i = 0; i < 8 * kBlock; i += 4096) ASSERT_EQ(host.address()[i], std::byte(i / kBlock + 1)) << i;
}

}  // namespace
}  // namespace kvbm::test
