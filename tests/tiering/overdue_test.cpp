// physical.md 5.2, 6.9: a precondition that does not come in time

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/held_stream.hpp"
#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

using Hashes = std::vector<SequenceHash>;
using Time = std::chrono::steady_clock::time_point;
using namespace std::chrono_literals;

/// Events that come when the test says so, and offloads that wait for them until a deadline.
class OverduePrecondition : public testing::Test {
 protected:
  static constexpr Time kDeadline{300s};

  [[nodiscard]] static TieredWorld::Options when_asked() {
    return {.g1_blocks = 8,
            .mode = TierMode::Inclusive,
            .offload = OffloadPolicy::WhenAsked,
            .mechanism = Mechanism::CopyKernel};
  }
  /// A forward pass that has not ended.
  struct Pass {
    explicit Pass(const std::shared_ptr<EmulatedDevice>& device)
        : stream(device), event(std::make_shared<Event>(device)) {
      device->record(event->view(), stream.view());
    }
    HeldStream stream;
    std::shared_ptr<Event> event;
  };
  [[nodiscard]] Offloading offload(const Hashes& hashes, const Pass& pass, Time deadline = kDeadline) {
    return world_.cache().offload(hashes, pass.event, deadline);
  }
  [[nodiscard]] static std::size_t count_of(const Offloading& offloading, BlockProgress where) {
    return offloading.blocks(where).size();
  }

  TieredWorld world_{when_asked()};
  const Hashes one_ = chain(1, 2), two_ = chain(2, 1), three_ = chain(3, 1);
  BlockRun<ImmutableBlock<G1>> held_one_ = world_.compute(one_), held_two_ = world_.compute(two_),
                               held_three_ = world_.compute(three_);
  Pass pass_{world_.device()}, other_pass_{world_.device()};
};

TEST_F(OverduePrecondition, HoldsUpNobodyWhileItIsWaitedFor) {
  const Offloading waiting = offload(one_, pass_);
  const Offloading free = world_.cache().offload(two_);

  free.wait();
  world_.cache().advance();

  EXPECT_EQ(free.progress().completed, 1u);
  EXPECT_EQ(waiting.progress(), TieringProgress{.queued = 2});
  EXPECT_EQ(world_.g2().available_blocks(), world_.g2().total_blocks());
  pass_.stream.open();
  waiting.wait();
  EXPECT_EQ(waiting.progress(), TieringProgress{.completed = 2});
}

TEST_F(OverduePrecondition, FailsItsDependantsOnly) {
  const Offloading late = offload(one_, pass_), later = offload(two_, other_pass_, kDeadline + 1s);
  const Offloading patient = world_.cache().offload(three_, pass_.event);  // without a deadline
  world_.cache().advance();

  EXPECT_EQ(world_.cache().fail_overdue(kDeadline - 1ns), 0u);
  EXPECT_EQ(late.progress().queued, 2u);
  EXPECT_EQ(world_.cache().fail_overdue(kDeadline), 2u);

  EXPECT_EQ(late.progress(), TieringProgress{.failed = 2});
  EXPECT_EQ(count_of(late, BlockProgress::Failed), 2u);
  EXPECT_EQ(later.progress(), TieringProgress{.queued = 1});
  EXPECT_EQ(patient.progress(), TieringProgress{.under_way = 1});
  const auto failures = world_.cache().take_failures();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].operation, TieringFailure::Operation::Offload);
  EXPECT_EQ(failures[0].blocks, 2u);
  EXPECT_EQ(failures[0].first_hash, one_[1]);
  EXPECT_NE(failures[0].text.find("and 1 more: its precondition timed out"), std::string::npos) << failures[0].text;
  pass_.stream.open();
  other_pass_.stream.open();
  world_.cache().settle();
  EXPECT_EQ(later.progress(), TieringProgress{.completed = 1});
  EXPECT_EQ(patient.progress(), TieringProgress{.completed = 1});
  EXPECT_FALSE(world_.in_g2(one_[0]) || world_.in_g2(one_[1]));
  EXPECT_EQ(world_.cache().fail_overdue(Time::max()), 0u);
}

TEST_F(OverduePrecondition, ThatHasComeByThenIsNone) {
  const Offloading offloading = offload(one_, pass_);
  world_.cache().advance();
  pass_.stream.open();
  world_.device()->synchronize(pass_.event->view());

  EXPECT_EQ(world_.cache().fail_overdue(kDeadline + 1h), 0u);

  offloading.wait();
  EXPECT_EQ(offloading.progress(), TieringProgress{.completed = 2});
}

TEST_F(OverduePrecondition, OfNothingIsDoneAtOnce) {
  const Offloading offloading = offload({}, pass_);
  EXPECT_TRUE(offloading.advance());
  EXPECT_EQ(world_.cache().fail_overdue(Time::max()), 0u);
}

TEST_F(OverduePrecondition, OfBlocksThatWereEvictedMeanwhileIsStillTold) {
  const Offloading offloading = offload(two_, pass_);
  { const auto gone = std::move(held_two_); }
  static_cast<void>(world_.g1().reset_inactive_pool());
  EXPECT_EQ(world_.cache().fail_overdue(kDeadline), 1u);
  EXPECT_NE(world_.cache().take_failures().at(0).text.find("a block that is in G1 no more: its precondition timed out"),
            std::string::npos);
}

TEST_F(OverduePrecondition, IsWaitedForBySettling) {
  const Offloading offloading = offload(one_, pass_);
  const SettlementToken token = world_.cache().token();
  EXPECT_FALSE(world_.cache().settled(token).value());
  std::future<void> settled = std::async(std::launch::async, [&] { world_.cache().settle(); });

  EXPECT_EQ(settled.wait_for(5ms), std::future_status::timeout);
  pass_.stream.open();

  settled.get();
  EXPECT_EQ(offloading.progress(), TieringProgress{.completed = 2});
  EXPECT_TRUE(world_.cache().settled(token).value());
}

TEST_F(OverduePrecondition, LetsThoseGoWhoSettle) {
  const Offloading offloading = offload(one_, pass_);
  std::future<void> settled = std::async(std::launch::async, [&] { world_.cache().settle(); });
  EXPECT_EQ(settled.wait_for(5ms), std::future_status::timeout);

  EXPECT_EQ(world_.cache().fail_overdue(kDeadline), 2u);

  settled.get();
  EXPECT_EQ(offloading.progress(), TieringProgress{.failed = 2});
}

TEST_F(OverduePrecondition, IsNotWaitedForOnceItsBlocksAreGivenUp) {
  const Offloading given_up = offload(one_, pass_), other = offload(two_, pass_);

  given_up.cancel();

  EXPECT_EQ(given_up.progress(), (TieringProgress{.cancelled = 2, .cancel_requested = true}));
  EXPECT_EQ(world_.cache().counts().cancelled_blocks, 2u);
  EXPECT_EQ(world_.cache().fail_overdue(kDeadline), 1u);
  EXPECT_EQ(other.progress(), TieringProgress{.failed = 1});
}

TEST_F(OverduePrecondition, FailsWithTheCache) {
  const Offloading offloading = offload(one_, pass_);
  world_.drop_cache();
  EXPECT_EQ(offloading.progress(), TieringProgress{.failed = 2});
}

TEST_F(OverduePrecondition, ThatCannotBeAskedForFailsItsBlocks) {
  const Offloading offloading = offload(one_, pass_);
  world_.device()->add_fault(
      {.kind = FaultKind::Event, .n = world_.device()->call_counts().events + 1, .effect = DeviceFault::Effect::Break});
  EXPECT_THROW(static_cast<void>(world_.device()->create_event()), DeviceError);

  EXPECT_TRUE(offloading.advance());

  EXPECT_EQ(offloading.progress(), TieringProgress{.failed = 2});
  const auto failures = world_.cache().take_failures();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_NE(failures[0].text.find("its precondition failed: the emulated device is broken"), std::string::npos);
}

TEST(OverduePreconditions, AreBoundedLikeTheQueue) {
  TieredWorld world({.g1_blocks = 8, .mode = TierMode::Inclusive, .offload = OffloadPolicy::WhenAsked, .queue_max = 3});
  const HeldStream pass(world.device());
  const auto event = std::make_shared<Event>(world.device());
  world.device()->record(event->view(), pass.view());
  const auto one = chain(1, 2), two = chain(2, 2), large = chain(3, 4);
  const auto held = world.compute(one), also_held = world.compute(two), held_too = world.compute(large);

  const Offloading first = world.cache().offload(one, event, Time(1s));
  const Offloading second = world.cache().offload(two, event, Time(1s));
  EXPECT_EQ(first.progress(), TieringProgress{.skipped = 2});
  EXPECT_EQ(world.cache().counts().forgotten_blocks, 2u);
  const Offloading third = world.cache().offload(large, event, Time(1s));
  EXPECT_EQ(second.progress(), TieringProgress{.skipped = 2});
  pass.open();
  third.wait();

  EXPECT_EQ(third.progress(), (TieringProgress{.completed = 3, .skipped = 1}));
  EXPECT_EQ(world.cache().counts().forgotten_blocks, 5u);
}

TEST(OverduePreconditionRace, EveryBlockFinishesOnce) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TieredWorld world({.g1_blocks = 24,
                       .g2_blocks = 24,
                       .mode = TierMode::Inclusive,
                       .offload = OffloadPolicy::WhenAsked,
                       .device = {.delay_seed = seed}});
    std::mt19937_64 random(seed);
    for (int round = 0; round < 30; ++round) {
      const auto hashes = chain(1000 * seed + static_cast<std::uint64_t>(round) * 10, 4);
      const auto held = world.compute(hashes);
      const Stream stream(world.device(), StreamPriority::Normal, "test");
      const auto event = std::make_shared<Event>(world.device());
      world.device()->record(event->view(), stream.view());
      const Offloading offloading = world.cache().offload(hashes, event, Time(1s));
      const bool gives_up = random() % 2 == 0;
      {
        std::latch begin(3);
        std::jthread overdue([&] {
          begin.arrive_and_wait();
          static_cast<void>(world.cache().fail_overdue(Time(2s)));
        });
        std::jthread canceller([&] {
          begin.arrive_and_wait();
          if (gives_up) offloading.cancel();
        });
        begin.arrive_and_wait();
        static_cast<void>(offloading.advance());
      }
      offloading.wait();
      EXPECT_EQ(offloading.progress().remaining(), 0u);
      EXPECT_EQ(offloading.progress().passed(), 4u);
      EXPECT_EQ(offloading.take_finished().size(), 4u);
    }
    world.cache().settle();
    world.expect_sound({});
  }
}

}  // namespace
}  // namespace kvbm::test
