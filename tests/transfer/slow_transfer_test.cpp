#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <set>
#include <thread>
#include <vector>

#include "kvbm/transfer/slow_transfer_watch.hpp"
#include "tests/transfer/engine_world.hpp"

// 6.6: warnings of slow transfers

namespace kvbm {
namespace {

using test::EngineWorld;
using test::HeldStream;
using Time = PendingTransfer::Time;
using WaitsFor = PendingTransfer::WaitsFor;
using namespace std::chrono_literals;

const std::vector<BlockPair> kSlow{{3, 1}, {7, 4}};
const std::vector<BlockPair> kAlsoSlow{{2, 2}};

class SlowTransfers : public testing::Test {
 protected:
  /// A transfer that waits for `held_`. By default it fills the budget.
  [[nodiscard]] Completion held_save(const std::vector<BlockPair>& blocks = kSlow, TransferRequest request = {}) {
    const StreamView after[]{held_.view()};
    request.after_streams = after;
    return world_.engine->submit(world_.save(blocks, std::move(request))).value();
  }
  [[nodiscard]] std::vector<PendingTransfer> pending() { return world_.engine->pending_since(Time::max()); }
  /// The only one that is pending, once it waits for that.
  [[nodiscard]] PendingTransfer only_one(WaitsFor waits_for) {
    for (;;) {
      const auto all = pending();
      EXPECT_EQ(all.size(), 1u);
      if (all.size() != 1 || all.front().waits_for == waits_for) return all.empty() ? PendingTransfer() : all.front();
      std::this_thread::yield();
    }
  }
  [[nodiscard]] std::vector<std::uint64_t> told(Time now) {
    std::vector<std::uint64_t> numbers;
    for (const PendingTransfer& transfer : watch_.check(*world_.engine, now)) numbers.push_back(transfer.number);
    return numbers;
  }

  using Numbers = std::vector<std::uint64_t>;
  EngineWorld world_;
  HeldStream held_{world_.device};
  SlowTransferWatch watch_{{.threshold = 60s, .interval = 30s}};
};

TEST_F(SlowTransfers, AreToldOfAtTheThresholdAndAgainAfterEachInterval) {
  const Completion slow = held_save();
  const PendingTransfer transfer = pending().at(0);
  const Numbers it{transfer.number};

  EXPECT_EQ(told(transfer.queued), Numbers());
  EXPECT_EQ(told(transfer.queued + 60s - 1ns), Numbers());
  EXPECT_EQ(told(transfer.queued + 60s), it);
  EXPECT_EQ(told(transfer.queued + 60s), Numbers());
  EXPECT_EQ(told(transfer.queued + 90s - 1ns), Numbers());
  EXPECT_EQ(told(transfer.queued + 90s), it);
  EXPECT_EQ(told(transfer.queued + 100s), Numbers());
  EXPECT_EQ(told(transfer.queued + 1000s), it);  // however many intervals nobody asked
  EXPECT_EQ(told(transfer.queued + 1029s), Numbers());
  EXPECT_EQ(told(transfer.queued + 1030s), it);
}

TEST_F(SlowTransfers, AreNotToldOfTwiceSinceSomebodyAskedWithAnEarlierTime) {
  const Completion slow = held_save();
  const Time queued = pending().at(0).queued;
  EXPECT_EQ(told(queued + 80s).size(), 1u);
  EXPECT_EQ(told(queued + 70s), Numbers());
  EXPECT_EQ(told(queued + 10s), Numbers());
  EXPECT_EQ(told(queued + 81s), Numbers());
  EXPECT_EQ(told(queued + 110s).size(), 1u);
}

TEST_F(SlowTransfers, AreWarnedOfAfterAMinuteUnlessToldOtherwise) {
  const Completion slow = held_save();
  const Time queued = pending().at(0).queued;
  SlowTransferWatch watch;
  EXPECT_TRUE(watch.check(*world_.engine, queued + 59s).empty());
  EXPECT_EQ(watch.check(*world_.engine, queued + 60s).size(), 1u);
  EXPECT_TRUE(watch.check(*world_.engine, queued + 89s).empty());
  EXPECT_EQ(watch.check(*world_.engine, queued + 90s).size(), 1u);
}

TEST_F(SlowTransfers, AreEachThrottledByThemselves) {
  const Completion first = held_save(), second = held_save(kAlsoSlow, {.priority = TransferPriority::OnDemand});
  const auto both = pending();
  ASSERT_EQ(both.size(), 2u);
  const Numbers one{both[0].number}, other{both[1].number};
  const Time start = both[0].queued + 60s;
  ASSERT_GT(both[1].queued, both[0].queued);

  EXPECT_EQ(told(start), one);
  EXPECT_EQ(told(both[1].queued + 60s), other);
  EXPECT_EQ(told(start + 30s), one);
  EXPECT_EQ(told(both[1].queued + 90s), other);
}

TEST_F(SlowTransfers, ThatEndAreForgottenAndTheNextOneInTheirPlaceIsNew) {
  {
    const HeldStream held(world_.device);
    const StreamView after[]{held.view()};
    const Completion slow = world_.engine->submit(world_.save(kSlow, {.after_streams = after})).value();
    EXPECT_EQ(told(pending().at(0).queued + 60s).size(), 1u);
    held.open();
    slow.wait();
  }
  EXPECT_TRUE(pending().empty());
  const Completion next = held_save();
  const PendingTransfer transfer = pending().at(0);

  EXPECT_EQ(transfer.number, 2u);
  EXPECT_EQ(told(transfer.queued + 59s), Numbers());
  EXPECT_EQ(told(transfer.queued + 60s), Numbers{2});
}

TEST_F(SlowTransfers, WatchesDoNotThrottleOneAnother) {
  const Completion slow = held_save();
  const Time late = pending().at(0).queued + 60s;
  SlowTransferWatch other({.threshold = 60s, .interval = 30s});
  EXPECT_EQ(told(late).size(), 1u);
  EXPECT_EQ(other.check(*world_.engine, late).size(), 1u);
}

TEST_F(SlowTransfers, TellWhatTheyMoveAndWhen) {
  const Completion slow =
      held_save(kSlow, {.priority = TransferPriority::OnDemand, .mechanism = Mechanism::CopyKernel});
  const PendingTransfer transfer = only_one(WaitsFor::Precondition);

  EXPECT_EQ(transfer.source, MemoryKind::Device);
  EXPECT_EQ(transfer.target, MemoryKind::Pinned);
  EXPECT_EQ(transfer.priority, TransferPriority::OnDemand);
  EXPECT_EQ(transfer.mechanism, Mechanism::CopyKernel);
  EXPECT_EQ(transfer.blocks, 2u);
  EXPECT_EQ(transfer.bytes, 2 * EngineWorld::kConfig.block_bytes());
  held_.open();
  EXPECT_EQ(transfer.queued, slow.wait().queued);
  EXPECT_EQ(transfer.submitted, slow.wait().submitted);
  EXPECT_EQ(to_text(transfer, transfer.queued + 61500ms),
            "transfer 1 from Device to Pinned (CopyKernel, OnDemand, 2 blocks, 768 bytes) is pending for 61.5 s and "
            "waits for its precondition");
}

TEST_F(SlowTransfers, ThatNothingIsEnqueuedOfWaitForTheirTurn) {
  const Completion filling = held_save(), waiting = world_.engine->submit(world_.save(kAlsoSlow)).value();
  const auto both = pending();
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[1].waits_for, WaitsFor::Turn);
  EXPECT_FALSE(both[1].submitted.has_value());
  EXPECT_NE(to_text(both[1], both[1].queued).find("1 block, 384 bytes) is pending for 0.0 s and waits for its turn"),
            std::string::npos);
}

TEST_F(SlowTransfers, WhosePreconditionHasComeWaitForTheirBytes) {
  const Completion first = held_save(kSlow, {.mechanism = Mechanism::CopyKernel});
  // One more behind it on the same stream, forced past the budget, with nothing to wait for itself.
  const Stream reader(world_.device, StreamPriority::Normal, "test.reader");
  const Completion second = world_.engine->submit(world_.save(kAlsoSlow)).value();
  second.wait_on(reader.view());
  const auto both = pending();
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[1].waits_for, WaitsFor::Bytes);
  EXPECT_NE(to_text(both[1], both[1].queued).find("is being moved"), std::string::npos);
}

TEST_F(SlowTransfers, OnTheHostsLanesAreSeenToo) {
  test::GuardedPages pageable(world_.device, EngineWorld::kConfig,
                              {LayoutKind::FullyContiguous, MemoryKind::System, 0});
  const StreamView after[]{held_.view()};
  const Completion slow =
      world_.engine
          ->submit(
              {.source = world_.store.layout(), .target = pageable.layout(), .blocks = kSlow, .after_streams = after})
          .value();
  const PendingTransfer transfer = only_one(WaitsFor::Precondition);
  EXPECT_EQ(transfer.source, MemoryKind::Pinned);
  EXPECT_EQ(transfer.target, MemoryKind::System);
  held_.open();
  slow.wait();
  EXPECT_TRUE(pending().empty());
}

TEST_F(SlowTransfers, OfMoreBlocksThanASlotHoldsAreOne) {
  std::vector<BlockPair> all;
  for (BlockId block = 0; block < 12; ++block) all.push_back({block, block});
  TransferEngineOptions options = EngineWorld::options();
  options.blocks_max = 4;
  TransferEngine engine(world_.device, options);
  const StreamView after[]{held_.view()};
  const Completion slow = engine.submit(world_.save(all, {.after_streams = after})).value();
  const auto seen = engine.pending_since(Time::max());
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].blocks, 12u);
  held_.open();
  slow.wait();
}

TEST_F(SlowTransfers, ThatAreRefusedOrEmptyAreNeverPending) {
  const StreamView after[]{held_.view()};
  world_.device->add_fault({.kind = FaultKind::Event, .n = world_.device->call_counts().events + 1});
  EXPECT_FALSE(world_.engine->submit(world_.save(kSlow, {.after_streams = after})));
  EXPECT_TRUE(pending().empty());
  EXPECT_TRUE(world_.engine->submit(world_.save({})).value().done());
  EXPECT_TRUE(pending().empty());
  const Completion next = held_save();  // in the place of the one that was refused
  EXPECT_EQ(pending().size(), 1u);
}

TEST_F(SlowTransfers, OfABrokenDeviceAreStillTold) {
  const Completion slow = held_save();
  world_.device->add_fault(
      {.kind = FaultKind::Event, .n = world_.device->call_counts().events + 1, .effect = DeviceFault::Effect::Break});
  EXPECT_THROW(static_cast<void>(world_.device->create_event()), DeviceError);
  static_cast<void>(pending());
  held_.open();
  EXPECT_TRUE(slow.wait().error.has_value());
  EXPECT_TRUE(pending().empty());
}

TEST(SlowTransferRace, LookingWhileTransfersComeAndGoSeesWholeOnesOnly) {
  EngineWorld world;
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> seen{0};
  {
    std::vector<std::jthread> watchers;
    for (int i = 0; i < 2; ++i) {
      watchers.emplace_back([&] {
        SlowTransferWatch watch({.threshold = 0s, .interval = 0s});
        std::uint64_t oldest = 0;
        while (!over.load()) {
          for (const PendingTransfer& transfer : watch.check(*world.engine, std::chrono::steady_clock::now())) {
            EXPECT_EQ(transfer.bytes, transfer.blocks * EngineWorld::kConfig.block_bytes());
            EXPECT_EQ(transfer.blocks, transfer.source == MemoryKind::Device ? 2u : 1u);
            EXPECT_NE(transfer.source, transfer.target);
            EXPECT_LE(transfer.queued, transfer.submitted.value_or(transfer.queued));
            seen.fetch_add(1);
            oldest = std::max(oldest, transfer.number);
          }
        }
      });
    }
    std::vector<std::jthread> submitters;
    for (int i = 0; i < 2; ++i) {
      submitters.emplace_back([&, saves = i == 0] {
        const std::vector<BlockPair> up{{8, 9}};
        const std::vector<BlockPair> down{{0, 0}, {1, 1}};
        for (int n = 0; n < 1500; ++n) {
          EXPECT_FALSE(
              world.engine->submit(saves ? world.save(down) : world.load(up)).value().wait().error.has_value());
        }
      });
    }
    submitters.clear();
    over.store(true);
  }
  EXPECT_GT(seen.load(), 0u);
  world.engine->quiesce();  // every place has come back
  EXPECT_TRUE(world.engine->pending_since(Time::max()).empty());
}

}  // namespace
}  // namespace kvbm
