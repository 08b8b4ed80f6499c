#include "kvbm/transfer/await_completion.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/allocation_faults.hpp"
#include "tests/transfer/engine_world.hpp"

// 6.6: a Completion is awaited by coroutines

namespace kvbm {
namespace {

using test::EngineWorld;
using test::HeldStream;
using test::Witness;
using Code = TransferError::Code;

const std::vector<BlockPair> kAwaited{{3, 1}, {7, 4}};

/// A coroutine that starts at once, and whose frame goes when it has run to its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

/// A coroutine that its owner may destroy.
struct Owned {
  struct promise_type {
    Owned get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

/// What a coroutine saw when it went on.
struct Seen {
  TransferOutcome outcome;
  std::thread::id thread;
};

Detached await_one(Completion completion, std::promise<Seen>& seen) {
  const TransferOutcome& outcome = co_await completion;
  seen.set_value({outcome, std::this_thread::get_id()});  // a second time would throw
}

Detached await_temporary(EngineWorld& world, std::promise<Seen>& seen) {
  const TransferOutcome& outcome = co_await world.engine->submit(world.save(kAwaited)).value();
  seen.set_value({outcome, std::this_thread::get_id()});
}

Detached await_each(std::vector<Completion> completions, std::atomic<std::size_t>& went_on, std::latch& ended) {
  for (const Completion& completion : completions) {
    const TransferOutcome& outcome = co_await completion;
    EXPECT_FALSE(outcome.error);
    went_on.fetch_add(1);
  }
  ended.count_down();
}

class Await : public testing::Test {
 protected:
  [[nodiscard]] Completion held_save(const HeldStream& held, TransferRequest request = {}) const {
    const StreamView after[]{held.view()};
    request.after_streams = after;
    return world_.engine->submit(world_.save(kAwaited, std::move(request))).value();
  }

  mutable EngineWorld world_;
};

TEST_F(Await, OfWhatHasEndedGoesOnAtOnce) {
  const Completion done = world_.engine->submit(world_.save(kAwaited)).value();
  done.wait();
  for (const Completion& completion : {Completion::ready(), done}) {
    std::promise<Seen> seen;
    await_one(completion, seen);
    const Seen now = seen.get_future().get();
    EXPECT_EQ(now.thread, std::this_thread::get_id());
    EXPECT_FALSE(now.outcome.error);
    EXPECT_EQ(now.outcome.bytes, completion.outcome().bytes);
  }
}

TEST_F(Await, OfWhatIsUnderWayGoesOnOnAThreadOfKvbms) {
  const HeldStream held(world_.device);
  std::promise<Seen> promise;
  std::future<Seen> seen = promise.get_future();
  await_one(held_save(held), promise);

  EXPECT_EQ(seen.wait_for(std::chrono::nanoseconds(0)), std::future_status::timeout);
  held.open();

  const Seen then = seen.get();
  EXPECT_NE(then.thread, std::this_thread::get_id());
  EXPECT_FALSE(then.outcome.error);
  EXPECT_EQ(then.outcome.bytes, 2 * EngineWorld::kConfig.block_bytes());
  EXPECT_EQ(world_.store.read(), world_.saved(kAwaited));
}

TEST_F(Await, SeesHowItFailed) {
  world_.device->add_fault({.kind = FaultKind::Launch, .n = world_.device->call_counts().launches + 1});
  std::promise<Seen> seen;
  await_one(world_.engine->submit(world_.save(kAwaited, {.mechanism = Mechanism::CopyKernel})).value(), seen);
  const Seen then = seen.get_future().get();
  ASSERT_TRUE(then.outcome.error);
  EXPECT_EQ(then.outcome.error->code, Code::DeviceFailed);
}

TEST_F(Await, SeesThatItWasCancelledOnTheThreadThatDidIt) {
  const HeldStream held(world_.device);
  const std::vector<BlockPair> full{{0, 0}, {1, 2}};
  const StreamView after[]{held.view()};
  const Completion filling = world_.engine->submit(world_.save(full, {.after_streams = after})).value();
  const Completion waiting = world_.engine->submit(world_.save(kAwaited)).value();  // the budget is used up
  std::promise<Seen> seen;
  await_one(waiting, seen);

  ASSERT_TRUE(waiting.cancel());

  const Seen then = seen.get_future().get();
  ASSERT_TRUE(then.outcome.error);
  EXPECT_EQ(then.outcome.error->code, Code::Cancelled);
  EXPECT_EQ(then.thread, std::this_thread::get_id());
}

TEST_F(Await, OfATemporaryGivesAnOutcomeOfItsOwn) {
  std::promise<Seen> seen;
  await_temporary(world_, seen);
  EXPECT_EQ(seen.get_future().get().outcome.bytes, 2 * EngineWorld::kConfig.block_bytes());
}

TEST_F(Await, OfSeveralAsOneGoesOnBehindTheLast) {
  const HeldStream held(world_.device);
  const std::vector<BlockPair> other{{0, 0}};
  const Completion parts[]{world_.engine->submit(world_.save(other, {.priority = TransferPriority::OnDemand})).value(),
                           held_save(held)};
  std::promise<Seen> promise;
  std::future<Seen> seen = promise.get_future();
  await_one(Completion::all(parts), promise);
  parts[0].wait();
  EXPECT_EQ(seen.wait_for(std::chrono::nanoseconds(0)), std::future_status::timeout);
  held.open();
  EXPECT_EQ(seen.get().outcome.bytes, 3 * EngineWorld::kConfig.block_bytes());
}

TEST_F(Await, HoldsWhatItWaitsFor) {
  const HeldStream held(world_.device);
  Witness witness;
  std::promise<Seen> seen;
  await_one(held_save(held, {.keepalive = witness.guard()}), seen);  // only the coroutine has the completion
  EXPECT_FALSE(witness.gone());
  held.open();
  EXPECT_FALSE(seen.get_future().get().outcome.error);
  world_.engine->quiesce();
  EXPECT_TRUE(witness.gone());
}

TEST_F(Await, ATransferThatEndsWhileItsCoroutineSuspendsResumesItOnce) {
  const HeldStream held(world_.device);
  const Completion completion = held_save(held);
  int resumed = 0;
  const Owned counting = [](int& times) -> Owned {
    co_await std::suspend_always();
    ++times;
  }(resumed);
  {
    auto awaiter = operator co_await(completion);
    ASSERT_FALSE(awaiter.await_ready());
    held.open();
    completion.wait();

    EXPECT_FALSE(awaiter.await_suspend(counting.handle));  // so whoever waits goes on by itself

    EXPECT_EQ(resumed, 0);
    EXPECT_FALSE(awaiter.await_resume().error);
  }
  counting.handle.destroy();
}

TEST_F(Await, ManyCoroutinesOfManyTransfersEachGoOnOnce) {
  constexpr std::size_t kCoroutines = 200, kTransfers = 50;
  std::vector<Completion> completions;
  std::atomic<std::size_t> went_on{0};
  std::latch ended(kCoroutines);
  std::vector<std::jthread> submitters;
  {
    const HeldStream held(world_.device);
    completions.push_back(held_save(held));
    for (std::size_t i = 0; i < kCoroutines / 2; ++i) await_each(completions, went_on, ended);
    held.open();
  }
  for (std::size_t i = 1; i < kTransfers; ++i) {
    const std::vector<BlockPair> one{{static_cast<BlockId>(i % 12), static_cast<BlockId>(i % 12)}};
    completions.push_back(world_.engine->submit(world_.save(one)).value());
  }
  for (std::size_t i = 0; i < 4; ++i) {
    submitters.emplace_back([&] {
      for (std::size_t n = 0; n < kCoroutines / 8; ++n) await_each(completions, went_on, ended);
    });
  }
  ended.wait();
  EXPECT_EQ(went_on.load(), kCoroutines / 2 + kCoroutines / 2 * kTransfers);
}

TEST_F(Await, ThatEndAtAnyTimeOfSuspendingAreNeitherLostNorResumedTwice) {
  constexpr std::size_t kTransfers = 3000;
  std::atomic<std::size_t> went_on{0};
  std::latch ended(kTransfers);
  const std::vector<BlockPair> one{{3, 1}};
  for (std::size_t i = 0; i < kTransfers; ++i) {
    await_each({world_.engine->submit(world_.save(one)).value()}, went_on, ended);
  }
  ended.wait();
  EXPECT_EQ(went_on.load(), kTransfers);
}

TEST_F(Await, WithoutMemoryTheCoroutineIsToldAndDoesNotWait) {
  const HeldStream held(world_.device);
  const Completion completion = held_save(held);
  bool told = false;
  const auto awaits = [](const Completion& of, bool& out_of_memory) -> Detached {
    try {
      static_cast<void>(co_await of);
      ADD_FAILURE() << "it has not ended";
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
  };
  {
    const test::AllocationFault fault(1);  // the first one is the coroutine's frame
    awaits(completion, told);
    ASSERT_TRUE(fault.fired());
  }
  EXPECT_TRUE(told);
  held.open();
  EXPECT_FALSE(completion.wait().error);
  world_.engine->quiesce();  // nothing resumes what has gone
}

Owned await_owned(Completion completion) { static_cast<void>(co_await completion); }

using AwaitDeathTest = Await;

TEST_F(AwaitDeathTest, DestroyingACoroutineThatWaitsIsABug) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const HeldStream held(world_.device);
  const Owned owned = await_owned(held_save(held));
  EXPECT_DEATH(owned.handle.destroy(), "destroyed while it waited for a transfer");
  held.open();
  world_.engine->quiesce();
  EXPECT_TRUE(owned.handle.done());
  owned.handle.destroy();
}

}  // namespace
}  // namespace kvbm
