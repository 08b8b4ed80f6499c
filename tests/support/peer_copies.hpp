#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "kvbm/transfer/transfer_engine.hpp"
#include "tests/support/guarded_pages.hpp"
#include "tests/support/transfer_suite.hpp"

namespace kvbm::test {

/// Two devices of one kind. Null where there are no two.
struct DevicePair {
  std::string name;
  std::function<std::shared_ptr<Device>()> first;
  std::function<std::shared_ptr<Device>()> second;

  friend void PrintTo(const DevicePair& pair, std::ostream* out) { *out << pair.name; }
};

/// Pages on two devices, and an engine of the first.
class PeerCopies : public testing::TestWithParam<DevicePair> {
 protected:
  static constexpr LayoutConfig kConfig = small_config();

  void SetUp() override {
    here_ = GetParam().first();
    there_ = GetParam().second();
    if (here_ == nullptr || there_ == nullptr) GTEST_SKIP() << "no such two devices here";
  }
  std::shared_ptr<Device> here_, there_;
  std::mt19937_64 random_{20240817};
};

/// case 6.5: two devices
TEST_P(PeerCopies, MoveTheNamedCellsAndNothingElse) {
  TransferEngine engine(here_, small_options());
  for (const LayoutKind kind : kEveryKind) {
    for (const LayoutKind other : kEveryKind) {
      GuardedPages here(here_, kConfig, {kind, MemoryKind::Device, 16});
      GuardedPages there(there_, kConfig, {other, MemoryKind::Device, 0});
      for (const bool away : {true, false}) {
        GuardedPages& source = away ? here : there;
        GuardedPages& target = away ? there : here;
        for (const std::optional<LayerRange> layers : {std::optional<LayerRange>(), std::optional(LayerRange{1, 2})}) {
          for (const auto mechanism : {std::optional<Mechanism>(), std::optional(Mechanism::BatchedCopy)}) {
            if (mechanism && !here_->capabilities().batched_copy) continue;
            const auto from = source.fill(random_);
            const auto to = target.fill(random_);
            const auto blocks = random_pairs(12, 10, random_);
            auto submitted = engine.submit({.source = source.layout(),
                                            .target = target.layout(),
                                            .blocks = blocks,
                                            .layers = layers,
                                            .layer_events = layers.has_value(),
                                            .mechanism = mechanism});
            ASSERT_TRUE(submitted) << submitted.error().text;
            const TransferOutcome& outcome = submitted->wait();
            ASSERT_FALSE(outcome.error) << outcome.error->text;
            EXPECT_TRUE(mechanism || outcome.mechanism == Mechanism::Copies);
            EXPECT_EQ(source.read(), from);
            EXPECT_EQ(target.read(), copied(source, from, target, to, blocks, layers.value_or(LayerRange{0, 3})));
          }
        }
      }
    }
  }
}

TEST_P(PeerCopies, ComeBehindAnEventOfTheOtherDevice) {
  TransferEngine engine(here_, small_options());
  GuardedPages source(there_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
  GuardedPages target(here_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
  static_cast<void>(source.fill(random_));
  const auto to = target.fill(random_);
  const std::size_t bytes = kConfig.blocks * kConfig.block_bytes();
  const Stream writer(there_, StreamPriority::Normal, "test.writer");
  const Event written(there_), other(here_);
  const Memory large = allocate_device(there_, std::size_t{64} << 20);
  for (int i = 0; i < 8; ++i) there_->fill(large.address(), 1, large.bytes(), writer.view());
  there_->fill(source.layout()->cell(0, 0, 0).value(), 0xA5, bytes, writer.view());
  there_->record(written.view(), writer.view());
  const EventView after[]{written.view(), other.view()};
  const std::vector<BlockPair> blocks{{3, 1}, {7, 4}};

  const Completion completion =
      engine.submit({.source = source.layout(), .target = target.layout(), .blocks = blocks, .after_events = after})
          .value();

  ASSERT_FALSE(completion.wait().error);
  EXPECT_TRUE(there_->done(written.view()));
  EXPECT_EQ(target.read(), copied(source, source.read(), target, to, blocks, {0, 3}));
  const auto at = target.cell(4, 2, 1);
  EXPECT_EQ(target.read()[at.region][at.offset], 0xA5);
}

/// A stream of the other device waits by an event of this one.
TEST_P(PeerCopies, AreWaitedForByTheOtherDevice) {
  TransferEngine engine(here_, small_options());
  GuardedPages source(here_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
  GuardedPages target(there_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
  GuardedPages seen(there_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
  const auto from = source.fill(random_);
  const auto to = target.fill(random_);
  static_cast<void>(seen.fill(random_));
  const Stream bridge(here_, StreamPriority::Normal, "test.bridge"), reader(there_, StreamPriority::Normal, "test");
  const Event arrived(here_), read(there_);
  const auto blocks = random_pairs(12, 12, random_);

  const Completion completion =
      engine.submit({.source = source.layout(), .target = target.layout(), .blocks = blocks}).value();
  completion.wait_on(bridge.view());
  here_->record(arrived.view(), bridge.view());
  there_->wait(reader.view(), arrived.view());
  there_->copy(seen.layout()->cell(0, 0, 0).value(), target.layout()->cell(0, 0, 0).value(),
               kConfig.blocks * kConfig.block_bytes(), reader.view());
  there_->record(read.view(), reader.view());
  here_->synchronize(read.view());  // events of the other device may be asked too

  EXPECT_TRUE(here_->done(read.view()));
  ASSERT_FALSE(completion.wait().error);
  const auto expected = copied(source, from, target, to, blocks, {0, 3});
  for (BlockId block = 0; block < kConfig.blocks; ++block) {
    const auto at = target.cell(block, 1, 1), in_seen = seen.cell(block, 1, 1);
    EXPECT_EQ(seen.read()[in_seen.region][in_seen.offset], expected[at.region][at.offset]);
  }
}

TEST_P(PeerCopies, GoByCopyCallsBetweenPagesOfOneOrderOnly) {
  using Code = TransferError::Code;
  TransferEngine engine(here_, small_options());
  const auto pages = [&](const std::shared_ptr<Device>& device, MemoryKind memory) {
    return GuardedPages(device, kConfig, {LayoutKind::FullyContiguous, memory, 0}).layout();
  };
  const auto here = pages(here_, MemoryKind::Device), there = pages(there_, MemoryKind::Device);
  const std::vector<BlockPair> blocks{{3, 1}};
  const auto refused = [&](TransferRequest request) {
    request.blocks = blocks;
    const auto wanted = request.mechanism;
    auto submitted = engine.submit(std::move(request));
    EXPECT_EQ(request.mechanism, wanted);  // NOLINT(bugprone-use-after-move): left as it was
    return submitted ? TransferError{} : submitted.error();
  };

  for (const Mechanism kernel : {Mechanism::CopyKernel, Mechanism::BulkCopyKernel, Mechanism::Staged}) {
    const TransferError error = refused({.source = here, .target = there, .mechanism = kernel});
    EXPECT_EQ(error.code, Code::Unsupported);
    EXPECT_NE(error.text.find(std::string(to_text(kernel)) + " cannot move pages between two devices"),
              std::string::npos)
        << error.text;
  }
  const TransferError orders =
      refused({.source = there, .target = here, .source_order = InnerOrder::Nhd, .target_order = InnerOrder::Hnd});
  EXPECT_EQ(orders.code, Code::Unsupported);
  EXPECT_NE(orders.text.find("not permuted on their way to another device"), std::string::npos) << orders.text;
  for (const MemoryKind memory : {MemoryKind::Pinned, MemoryKind::System}) {
    EXPECT_EQ(refused({.source = there, .target = pages(here_, memory)}).code, Code::Unsupported);
    EXPECT_EQ(refused({.source = pages(here_, memory), .target = there}).code, Code::Unsupported);
  }
  EXPECT_EQ(refused({.source = pages(there_, MemoryKind::Pinned), .target = here}).code, Code::Unsupported);
  EXPECT_EQ(refused({.source = there, .target = pages(there_, MemoryKind::Device)}).code, Code::Unsupported);
}

TEST_P(PeerCopies, OfNothingAreDoneAtOnce) {
  TransferEngine engine(here_, small_options());
  const GuardedPages here(here_, kConfig, {LayoutKind::FullyContiguous, MemoryKind::Device, 0});
  const GuardedPages there(there_, kConfig, {LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, 0});
  EXPECT_TRUE(engine.submit({.source = here.layout(), .target = there.layout()}).value().done());
}

}  // namespace kvbm::test
