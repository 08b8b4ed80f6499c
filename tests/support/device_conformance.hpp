#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kvbm/device/device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/memory.hpp"
#include "tests/support/pinned_bytes.hpp"

namespace kvbm::test {

/// A device the suite runs on. `open` returns null where there is none; the tests skip then.
struct DeviceCase {
  std::string name;
  std::function<std::shared_ptr<Device>()> open;
};

/// What every Device does, whatever it is made of. Run by instantiating it.
class DeviceConformance : public testing::TestWithParam<DeviceCase> {
 protected:
  void SetUp() override {
    device_ = GetParam().open();
    if (device_ == nullptr) GTEST_SKIP() << "no such device here";
  }

  [[nodiscard]] Stream stream(const char* name = "test") const { return Stream(device_, StreamPriority::Normal, name); }
  /// What the call throws, as a kind.
  template <class Call>
  [[nodiscard]] static std::optional<DeviceError::Kind> refusal(Call call) {
    try {
      call();
    } catch (const DeviceError& error) {
      EXPECT_STRNE(error.what(), "");
      return error.kind();
    }
    return std::nullopt;
  }

  std::shared_ptr<Device> device_;
};

TEST_P(DeviceConformance, DescribesItself) {
  const DeviceCapabilities& capabilities = device_->capabilities();

  EXPECT_FALSE(capabilities.name.empty());
  EXPECT_GE(capabilities.ordinal, 0);
  EXPECT_GT(capabilities.multiprocessors, 0);
  EXPECT_GT(capabilities.memory_bytes, 0u);
}

TEST_P(DeviceConformance, RefusesMemoryOfZeroBytes) {
  EXPECT_TRUE(refusal([&] { static_cast<void>(device_->allocate(0)); }));
  EXPECT_TRUE(refusal([&] { static_cast<void>(device_->allocate_pinned(0, false)); }));
  EXPECT_TRUE(refusal([&] { device_->register_host(nullptr, 0); }));
}

TEST_P(DeviceConformance, SaysWhenMemoryRunsOut) {
  EXPECT_EQ(refusal([&] { static_cast<void>(device_->allocate(std::size_t{1} << 50)); }),
            DeviceError::Kind::OutOfMemory);
  EXPECT_NO_THROW(device_->release(device_->allocate(1 << 20)));  // and goes on
}

TEST_P(DeviceConformance, AllocatesAlignedMemory) {
  const Memory memory = allocate_device(device_, 1000);

  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.address()) % 256, 0u);
  EXPECT_EQ(memory.region().kind, MemoryKind::Device);
  EXPECT_EQ(memory.region().device, device_->capabilities().ordinal);
}

TEST_P(DeviceConformance, CopiesThereAndBack) {
  constexpr std::size_t kBytes = 1 << 20;
  PinnedBytes sent(device_, kBytes), received(device_, kBytes);
  for (std::size_t i = 0; i < kBytes; ++i) sent[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  const Memory first = allocate_device(device_, kBytes), second = allocate_device(device_, kBytes);
  const Stream on = stream();

  device_->copy(first.address(), sent.data(), kBytes, on.view());
  device_->copy(second.address(), first.address(), kBytes, on.view());
  device_->copy(received.data(), second.address(), kBytes, on.view());
  device_->synchronize(on.view());

  EXPECT_EQ(std::memcmp(sent.data(), received.data(), kBytes), 0);
}

TEST_P(DeviceConformance, FillsExactlyWhatItIsTold) {
  PinnedBytes bytes(device_, 64);
  const Stream on = stream();

  device_->fill(bytes.data() + 16, 0xA5, 32, on.view());
  device_->synchronize(on.view());

  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(bytes[i], i >= 16 && i < 48 ? 0xA5 : 0) << i;
}

TEST_P(DeviceConformance, CopiesEveryPieceOfABatch) {
  constexpr std::size_t kPieces = 300, kStride = 64;
  PinnedBytes sent(device_, kPieces * kStride), received(device_, kPieces * kStride);
  for (std::size_t i = 0; i < kPieces * kStride; ++i) sent[i] = static_cast<std::uint8_t>(i % 249 + 1);
  const Memory memory = allocate_device(device_, kPieces * kStride);
  std::vector<void*> targets, received_at;
  std::vector<const void*> sources, memory_at;
  std::vector<std::size_t> sizes;
  for (std::size_t piece = 0; piece < kPieces; ++piece) {
    const std::size_t there = (piece * 7) % kPieces * kStride;  // 7 and 300 have no common divisor
    targets.push_back(memory.address() + there);
    memory_at.push_back(memory.address() + there);
    sources.push_back(sent.data() + piece * kStride);
    received_at.push_back(received.data() + piece * kStride);
    sizes.push_back(piece % kStride + 1);
  }
  const Stream on = stream();

  device_->copy_batch({.targets = targets, .sources = sources, .bytes = sizes}, on.view());
  device_->copy_batch({.targets = received_at, .sources = memory_at, .bytes = sizes}, on.view());
  device_->synchronize(on.view());

  for (std::size_t piece = 0; piece < kPieces; ++piece) {
    for (std::size_t i = 0; i < kStride; ++i) {
      const std::size_t at = piece * kStride + i;
      ASSERT_EQ(received[at], i < sizes[piece] ? sent[at] : 0) << "piece " << piece << ", byte " << i;
    }
  }
}

TEST_P(DeviceConformance, CopiesBatchesOfEveryShape) {
  const std::vector<std::vector<std::size_t>> batches{
      {256}, {512, 512, 512}, {1 << 20}, {999}, std::vector<std::size_t>(500, 64), {1, 1 << 20, 7, 4096, 64, 999}};
  constexpr std::size_t kGap = 16;
  for (const std::vector<std::size_t>& sizes : batches) {
    const std::size_t bytes = std::accumulate(sizes.begin(), sizes.end(), sizes.size() * kGap);
    PinnedBytes sent(device_, bytes), received(device_, bytes);
    const Memory memory = allocate_device(device_, bytes);
    std::vector<void*> targets, received_at;
    std::vector<const void*> sources, memory_at;
    std::vector<std::uint8_t> expected(bytes);
    std::size_t at = 0;
    for (const std::size_t size : sizes) {
      for (std::size_t i = 0; i < size; ++i)
        sent[at + i] = expected[at + i] = static_cast<std::uint8_t>((at + i) % 251 + 1);
      sources.push_back(sent.data() + at);
      targets.push_back(memory.address() + at);
      memory_at.push_back(memory.address() + at);
      received_at.push_back(received.data() + at);
      at += size + kGap;
    }
    const Stream on = stream();

    device_->copy_batch({.targets = targets, .sources = sources, .bytes = sizes}, on.view());
    device_->copy_batch({.targets = received_at, .sources = memory_at, .bytes = sizes}, on.view());
    device_->synchronize(on.view());

    EXPECT_EQ(std::memcmp(received.data(), expected.data(), bytes), 0) << sizes.size() << " pieces";
  }
}

TEST_P(DeviceConformance, CopiesMorePiecesThanOneCallOfADriverTakes) {
  constexpr std::size_t kPieces = 10'000;
  PinnedBytes sent(device_, kPieces * 4), received(device_, kPieces * 4);
  std::vector<void*> targets;
  std::vector<const void*> sources;
  for (std::size_t piece = 0; piece < kPieces; ++piece) {
    std::memcpy(sent.data() + piece * 4, &piece, 4);
    targets.push_back(received.data() + piece * 4);
    sources.push_back(sent.data() + piece * 4);
  }
  const std::vector<std::size_t> sizes(kPieces, 4);
  const Stream on = stream();

  device_->copy_batch({.targets = targets, .sources = sources, .bytes = sizes}, on.view());
  device_->synchronize(on.view());

  EXPECT_EQ(std::memcmp(sent.data(), received.data(), kPieces * 4), 0);
}

TEST_P(DeviceConformance, CopiesOfNothingEnqueueNothing) {
  PinnedBytes bytes(device_, 16);
  const Stream on = stream();

  device_->copy(bytes.data(), bytes.data() + 8, 0, on.view());
  device_->fill(bytes.data(), 1, 0, on.view());
  device_->copy_batch({}, on.view());
  device_->synchronize(on.view());

  EXPECT_EQ(bytes[0], 0);
}

TEST_P(DeviceConformance, RefusesEmptyPiecesInABatch) {
  PinnedBytes bytes(device_, 16);
  const Stream on = stream();
  void* const targets[] = {bytes.data(), bytes.data() + 4};
  const void* const sources[] = {bytes.data() + 8, bytes.data() + 12};
  const std::size_t sizes[] = {4, 0};

  EXPECT_EQ(refusal([&] { device_->copy_batch({.targets = targets, .sources = sources, .bytes = sizes}, on.view()); }),
            DeviceError::Kind::Refused);
}

TEST_P(DeviceConformance, RefusesTheDefaultStream) {
  PinnedBytes bytes(device_, 16);

  EXPECT_EQ(refusal([&] { device_->copy(bytes.data(), bytes.data() + 8, 8, StreamView(nullptr)); }),
            DeviceError::Kind::Refused);
}

TEST_P(DeviceConformance, EventThatNeverRecordedIsDone) {
  const Event event(device_);
  const Stream on = stream();

  EXPECT_TRUE(device_->done(event.view()));
  device_->wait(on.view(), event.view());
  device_->synchronize(event.view());
  device_->synchronize(on.view());
}

TEST_P(DeviceConformance, EventIsDoneInTheEnd) {
  PinnedBytes bytes(device_, 1 << 20);
  const Stream on = stream();
  const Event event(device_);

  device_->fill(bytes.data(), 3, 1 << 20, on.view());
  device_->record(event.view(), on.view());
  while (!device_->done(event.view())) std::this_thread::yield();

  EXPECT_EQ(bytes[(1 << 20) - 1], 3);
}

TEST_P(DeviceConformance, SynchronizedEventIsDone) {
  PinnedBytes bytes(device_, 1 << 20);
  const Stream on = stream();
  const Event event(device_);

  device_->fill(bytes.data(), 3, 1 << 20, on.view());
  device_->record(event.view(), on.view());
  device_->synchronize(event.view());

  EXPECT_TRUE(device_->done(event.view()));
  EXPECT_EQ(bytes[(1 << 20) - 1], 3);
}

TEST_P(DeviceConformance, EventsOrderStreams) {
  constexpr std::size_t kBytes = 1 << 16;
  PinnedBytes result(device_, kBytes);
  const Memory memory = allocate_device(device_, kBytes);
  const Stream writer = stream("writer"), reader = stream("reader");
  const Event written(device_), read(device_);

  for (int round = 1; round <= 100; ++round) {
    const auto value = static_cast<std::uint8_t>(round);
    device_->wait(writer.view(), read.view());
    device_->fill(memory.address(), value, kBytes, writer.view());
    device_->record(written.view(), writer.view());
    device_->wait(reader.view(), written.view());
    device_->copy(result.data(), memory.address(), kBytes, reader.view());
    device_->record(read.view(), reader.view());
    if (round % 10 != 0) continue;
    device_->synchronize(read.view());
    ASSERT_EQ(result[0], value);
    ASSERT_EQ(result[kBytes - 1], value);
  }
}

TEST_P(DeviceConformance, DestroyedEventStillOrdersWhatWaits) {
  constexpr std::size_t kBytes = 1 << 22;
  PinnedBytes source(device_, kBytes), result(device_, 1);
  const Stream writer = stream("writer"), reader = stream("reader");
  {
    const Event written(device_);
    device_->fill(source.data(), 9, kBytes, writer.view());
    device_->record(written.view(), writer.view());
    device_->wait(reader.view(), written.view());
  }
  device_->copy(result.data(), source.data() + kBytes - 1, 1, reader.view());
  device_->synchronize(reader.view());
  device_->synchronize(writer.view());

  EXPECT_EQ(result[0], 9);
}

TEST_P(DeviceConformance, WorkOfADestroyedStreamRuns) {
  constexpr std::size_t kBytes = 1 << 20;
  PinnedBytes result(device_, kBytes);
  const Event event(device_);
  {
    const Stream gone = stream("gone");
    device_->fill(result.data(), 5, kBytes, gone.view());
    device_->record(event.view(), gone.view());
  }
  device_->synchronize(event.view());

  EXPECT_EQ(result[kBytes - 1], 5);
}

TEST_P(DeviceConformance, CopiesToRegisteredMemory) {
  if (!device_->capabilities().host_register) GTEST_SKIP() << "the device registers no memory";
  const Memory host = allocate_system(1 << 20);
  device_->register_host(host.address(), host.bytes());
  const Stream on = stream();

  device_->fill(device_->device_address(host.address()), 7, host.bytes(), on.view());
  device_->synchronize(on.view());

  EXPECT_EQ(host.address()[host.bytes() - 1], std::byte{7});
  EXPECT_TRUE(device_->unregister_host(host.address()));
}

TEST_P(DeviceConformance, RegistersNothingTwice) {
  if (!device_->capabilities().host_register) GTEST_SKIP() << "the device registers no memory";
  const Memory host = allocate_system(1 << 16);
  device_->register_host(host.address(), host.bytes());

  EXPECT_EQ(refusal([&] { device_->register_host(host.address(), host.bytes()); }), DeviceError::Kind::Refused);
  EXPECT_TRUE(device_->unregister_host(host.address()));
  EXPECT_FALSE(device_->unregister_host(host.address()));
}

TEST_P(DeviceConformance, ServesManyThreads) {
  constexpr std::size_t kThreads = 8, kBytes = 4096;
  PinnedBytes results(device_, kThreads * kBytes);
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        const Stream on = stream();
        const Event event(device_);
        for (std::size_t value = 1; value <= 50; ++value) {
          device_->fill(results.data() + thread * kBytes, static_cast<std::uint8_t>(value + thread), kBytes, on.view());
          device_->record(event.view(), on.view());
        }
        device_->synchronize(event.view());
      });
    }
  }
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    EXPECT_EQ(results[thread * kBytes], 50 + thread);
    EXPECT_EQ(results[(thread + 1) * kBytes - 1], 50 + thread);
  }
}

}  // namespace kvbm::test
