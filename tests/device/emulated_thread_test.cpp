#include <gtest/gtest.h>

#include <string>

#include "kvbm/device/emulated_device.hpp"
#include "tests/support/pinned_bytes.hpp"
#include "tests/support/test_stream.hpp"
#include "tests/support/thread_faults.hpp"

namespace kvbm::test {
namespace {

TEST(EmulatedThreads, AStreamWithoutAThreadIsRefusedAndTheNextOneRuns) {
  const auto device = EmulatedDevice::create();
  PinnedBytes bytes(device, 1);
  {
    const ThreadFault fault(0);
    try {
      const Stream stream = stream_of(device);
      ADD_FAILURE() << "a stream that nobody empties";
    } catch (const DeviceError& error) {
      EXPECT_EQ(error.kind(), DeviceError::Kind::Refused);
      EXPECT_NE(std::string(error.what()).find("create_stream: no thread"), std::string::npos) << error.what();
    }
  }

  const Stream stream = stream_of(device);
  device->fill(bytes.data(), 7, 1, stream.view());
  device->synchronize(stream.view());

  EXPECT_EQ(bytes[0], 7);
}

TEST(EmulatedThreads, StreamsThatAreThereGoOnWhereThereIsNoThreadForAnother) {
  const auto device = EmulatedDevice::create();
  PinnedBytes bytes(device, 1);
  const Stream stream = stream_of(device);
  {
    const ThreadFault fault(0);
    EXPECT_THROW(static_cast<void>(stream_of(device)), DeviceError);
  }

  device->fill(bytes.data(), 7, 1, stream.view());
  device->synchronize(stream.view());

  EXPECT_EQ(bytes[0], 7);
}

}  // namespace
}  // namespace kvbm::test
