#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/transfer/engine_world.hpp"

// 6.6: what a failed transfer leaves, wherever it fails

namespace kvbm {
namespace {

using test::EngineWorld;
using test::Witness;
using Code = TransferError::Code;
using Effect = DeviceFault::Effect;

const std::vector<BlockPair> kBlocks{{3, 1}, {7, 4}, {0, 11}, {9, 6}, {2, 3}};
const std::vector<BlockPair> kLater{{5, 8}};

/// A way for a transfer to fail.
struct Failing {
  const char* name;
  FaultKind kind;
  Mechanism mechanism;
  bool to_host;
  bool layer_events = false;

  friend void PrintTo(const Failing& failing, std::ostream* out) { *out << failing.name; }
};

class Failure : public testing::TestWithParam<Failing> {
 protected:
  struct Attempt {
    bool came_to_it;
    bool failed;
    std::string text;
    TransferError::Code code{};
  };
  [[nodiscard]] static TransferRequest request(const EngineWorld& world) {
    TransferRequest made{.layer_events = GetParam().layer_events, .mechanism = GetParam().mechanism};
    return GetParam().to_host ? world.save(kBlocks, std::move(made)) : world.load(kBlocks, std::move(made));
  }
  /// Lets the n-th call of the transfer fail, and sees what is left.
  static Attempt attempt(EngineWorld& world, std::uint64_t n, Effect effect) {
    Witness witness;
    test::GuardedPages& target = GetParam().to_host ? world.store : world.cache;
    const test::GuardedPages& source = GetParam().to_host ? world.cache : world.store;
    const auto& before = GetParam().to_host ? world.in_store : world.in_cache;
    const auto& from = GetParam().to_host ? world.in_cache : world.in_store;
    const std::uint64_t calls_before = world.device->call_counts().of(GetParam().kind);
    world.device->add_fault({.kind = GetParam().kind, .n = calls_before + n, .effect = effect});
    TransferRequest made = request(world);
    made.keepalive = witness.guard();

    auto submitted = world.engine->submit(std::move(made));
    if (!submitted) {
      EXPECT_FALSE(made.keepalive.empty());  // NOLINT(bugprone-use-after-move): left in the request
      return {true, true, submitted.error().text, submitted.error().code};
    }
    const TransferOutcome outcome = submitted->wait();
    const bool came_to_it = world.device->call_counts().of(GetParam().kind) - calls_before >= n;
    if (effect != Effect::Break && came_to_it) {  // the fault is not to hit the copies of this test
      EXPECT_EQ(source.read(), from);
      expect_only_targets_changed(target, before, target.read());
    }
    EXPECT_FALSE(witness.gone());
    static_cast<void>(submitted->take_keepalive());
    EXPECT_TRUE(witness.gone());
    if (outcome.error) return {came_to_it, true, outcome.error->text, outcome.error->code};
    return {came_to_it, false, ""};
  }
  static void expect_only_targets_changed(const test::GuardedPages& pages,
                                          std::vector<test::GuardedPages::Bytes> before,
                                          std::vector<test::GuardedPages::Bytes> after) {
    for (const BlockPair pair : kBlocks) {
      for (std::uint32_t layer = 0; layer < 3; ++layer) {
        for (std::uint32_t outer = 0; outer < 2; ++outer) {
          const auto at = pages.cell(pair.target, layer, outer);
          for (std::size_t byte = 0; byte < pages.config().cell_bytes(); ++byte) {
            before[at.region][at.offset + byte] = after[at.region][at.offset + byte] = 0;
          }
        }
      }
    }
    EXPECT_EQ(after, before);
  }
};

INSTANTIATE_TEST_SUITE_P(Everywhere, Failure,
                         testing::Values(Failing{"Copies", FaultKind::Copy, Mechanism::Copies, true},
                                         Failing{"CopiesOfLayers", FaultKind::Copy, Mechanism::Copies, false, true},
                                         Failing{"Batch", FaultKind::Copy, Mechanism::BatchedCopy, false},
                                         Failing{"Kernel", FaultKind::Launch, Mechanism::CopyKernel, true},
                                         Failing{"StagedLoadCopy", FaultKind::Copy, Mechanism::Staged, false},
                                         Failing{"StagedLoadKernel", FaultKind::Launch, Mechanism::Staged, false},
                                         Failing{"StagedSaveCopy", FaultKind::Copy, Mechanism::Staged, true},
                                         Failing{"StagedSaveKernel", FaultKind::Launch, Mechanism::Staged, true},
                                         Failing{"EventOfCopies", FaultKind::Event, Mechanism::Copies, true},
                                         Failing{"EventOfKernel", FaultKind::Event, Mechanism::CopyKernel, false, true},
                                         Failing{"EventOfStagedLoad", FaultKind::Event, Mechanism::Staged, false},
                                         Failing{"EventOfStagedSave", FaultKind::Event, Mechanism::Staged, true}),
                         [](const auto& every) { return every.param.name; });

TEST_P(Failure, OfEachCallInTurnHurtsThatTransferOnly) {
  for (std::uint64_t n = 1; n < 100; ++n) {
    SCOPED_TRACE("call " + std::to_string(n));
    EngineWorld world({.delay_seed = n});
    const Attempt attempted = attempt(world, n, Effect::Refuse);
    if (!attempted.came_to_it) {
      EXPECT_GT(n, 1u);
      EXPECT_FALSE(attempted.failed) << attempted.text;
      return;
    }
    EXPECT_TRUE(attempted.failed);
    EXPECT_EQ(attempted.code, Code::DeviceFailed);
    EXPECT_NE(attempted.text.find(to_text(GetParam().mechanism)), std::string::npos) << attempted.text;
    EXPECT_NE(attempted.text.find(GetParam().to_host ? "from Device to Pinned" : "from Pinned to Device"),
              std::string::npos);
    EXPECT_NE(attempted.text.find(" -> "), std::string::npos);

    world.in_cache = world.cache.fill(world.random);
    world.in_store = world.store.fill(world.random);
    const auto next = world.engine->submit(world.save(kLater, {.mechanism = GetParam().mechanism})).value().wait();
    ASSERT_FALSE(next.error) << next.error->text;
    EXPECT_EQ(world.store.read(), world.saved(kLater)) << "late work of the failed transfer came after all";
  }
  FAIL() << "the transfer makes too many calls for this test";
}

TEST_P(Failure, OfTheDeviceFailsAllAndHangsNobody) {
  EngineWorld world;
  {
    const Attempt attempted = attempt(world, 2, Effect::Break);
    EXPECT_TRUE(attempted.failed);
    EXPECT_EQ(attempted.code, Code::DeviceFailed);
  }
  for (const Mechanism mechanism : {Mechanism::Copies, Mechanism::CopyKernel, Mechanism::Staged}) {
    auto later = world.engine->submit(world.save(kLater, {.mechanism = mechanism}));
    const auto error = later ? later->wait().error : std::optional(later.error());
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Code::DeviceFailed);
  }
  world.engine->quiesce();
}

TEST(BrokenDevice, FailsWhatWaitsAndWhatIsUnderWay) {
  EngineWorld world;
  const test::HeldStream held(world.device);
  const StreamView after[]{held.view()};
  std::vector<Completion> completions;
  for (BlockId block = 0; block < 7; ++block) {
    const std::vector<BlockPair> one{{block, block}};
    const auto priority = block % 2 == 0 ? TransferPriority::WriteBehind : TransferPriority::OnDemand;
    completions.push_back(
        world.engine->submit(world.save(one, {.after_streams = after, .priority = priority})).value());
  }
  Witness witness;
  TransferRequest through_host{.source = world.store.layout(),
                               .target = world.cache.layout(),
                               .blocks = kLater,
                               .after_streams = after,
                               .keepalive = witness.guard()};
  completions.push_back(world.engine->submit(std::move(through_host)).value());
  const Stream other(world.device, StreamPriority::Normal, "test.other");
  world.device->add_fault(
      {.kind = FaultKind::Copy, .n = world.device->call_counts().copies + 1, .effect = Effect::Break});
  world.device->fill(world.cache.layout()->cell(0, 0, 0).value(), 0, 16, other.view());
  try {
    world.device->synchronize(other.view());
  } catch (const DeviceError& error) {
    EXPECT_EQ(error.kind(), DeviceError::Kind::Broken);
  }
  held.open();
  for (const Completion& completion : completions) {
    ASSERT_TRUE(completion.wait().error);
    EXPECT_EQ(completion.wait().error->code, Code::DeviceFailed);
    completion.wait_on(other.view());  // nothing is left to wait for
  }
  completions.clear();
  world.engine->quiesce();
  EXPECT_TRUE(witness.gone());
}

TEST(BrokenDevice, DestructionDoesNotHang) {
  EngineWorld world;
  std::vector<Completion> completions;
  world.device->add_fault(
      {.kind = FaultKind::Launch, .n = world.device->call_counts().launches + 2, .effect = Effect::Break});
  for (int i = 0; i < 6; ++i) {
    auto submitted = world.engine->submit(world.save(kBlocks, {.mechanism = Mechanism::CopyKernel}));
    if (submitted) completions.push_back(*submitted);
  }
  world.engine.reset();
  for (const Completion& completion : completions) EXPECT_TRUE(completion.done());
}

TEST(PageableFailure, OfEachCallInTurnHurtsThatTransferOnly) {
  for (const bool to_host : {true, false}) {
    for (const FaultKind kind : {FaultKind::Launch, FaultKind::Event, FaultKind::Allocation}) {
      for (std::uint64_t n = 1;; ++n) {
        ASSERT_LT(n, 100u);
        SCOPED_TRACE("call " + std::to_string(n));
        EngineWorld world;
        test::GuardedPages pageable(world.device, EngineWorld::kConfig, {.memory = MemoryKind::System});
        auto in_pageable = pageable.fill(world.random);
        const auto& source = to_host ? world.cache : pageable;
        auto& target = to_host ? pageable : world.cache;
        const auto count = [&] {
          return kind == FaultKind::Allocation ? world.device->call_counts().allocations
                                               : world.device->call_counts().of(kind);
        };
        const std::uint64_t before = count();
        world.device->add_fault({.kind = kind, .n = before + n});
        const TransferOutcome outcome =
            world.engine->submit({.source = source.layout(), .target = target.layout(), .blocks = kBlocks})
                .value()
                .wait();
        if (count() - before < n) {
          EXPECT_FALSE(outcome.error) << outcome.error->text;
          break;
        }
        EXPECT_TRUE(outcome.error);
        const auto next =
            world.engine->submit({.source = source.layout(), .target = target.layout(), .blocks = kBlocks})
                .value()
                .wait();
        ASSERT_FALSE(next.error) << next.error->text;
        EXPECT_EQ(target.read(), copied(source, to_host ? world.in_cache : in_pageable, target,
                                        to_host ? in_pageable : world.in_cache, kBlocks, {0, 3}));
      }
    }
  }
}

TEST(Precondition, AStreamThatCannotBeWaitedForIsAnErrorOfTheRequest) {
  EngineWorld world;
  const Stream stream(world.device, StreamPriority::Normal, "test");
  const StreamView after[]{stream.view()};
  Witness witness;
  TransferRequest request = world.save(kBlocks, {.after_streams = after});
  request.keepalive = witness.guard();
  world.device->add_fault({.kind = FaultKind::Event, .n = world.device->call_counts().events + 1});
  const auto refused = world.engine->submit(std::move(request));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::Precondition);
  EXPECT_FALSE(request.keepalive.empty());  // NOLINT(bugprone-use-after-move): left in the request
  EXPECT_EQ(world.store.read(), world.in_store);
  EXPECT_FALSE(world.engine->submit(std::move(request)).value().wait().error);
}

}  // namespace
}  // namespace kvbm
