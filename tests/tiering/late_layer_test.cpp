// 6.10: layers of an onboarding that somebody asks for late

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/managers.hpp"
#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {
namespace {

/// Loads of two blocks that G2 has from the start.
class LateOnboardedLayer : public testing::Test {
 protected:
  explicit LateOnboardedLayer(bool gated = false)
      : world_({.layer_events = true, .gated = gated, .mechanism = Mechanism::CopyKernel, .bytes_in_flight_max = 256}) {
    world_.put_in_g2(hashes_);
  }

  [[nodiscard]] Onboarding onboard() { return world_.cache().onboard(world_.cache().match(hashes_)); }
  /// Whether a stream that waits for a layer goes on.
  void expect_stream_goes_on(Onboarding& onboarding, std::uint32_t layer) {
    const Stream stream(world_.device(), StreamPriority::Normal, "consumer");
    const Event passed(world_.device());
    onboarding.wait_for_layer(layer, stream.view());
    world_.device()->record(passed.view(), stream.view());
    world_.device()->synchronize(passed.view());
  }

  const std::vector<SequenceHash> hashes_ = chain(1, 2);
  TieredWorld world_;
};
class LateOnboardedLayerBehindAGate : public LateOnboardedLayer {
 protected:
  LateOnboardedLayerBehindAGate() : LateOnboardedLayer(true) {}
};

TEST_F(LateOnboardedLayer, OfWhatHasArrivedLetsTheStreamGoOn) {
  Onboarding onboarding = onboard();
  world_.cache().settle();  // it is registered, and the loads are nobody's any more

  for (const std::uint32_t layer : {1u, 0u}) expect_stream_goes_on(onboarding, layer);

  EXPECT_EQ(onboarding.progress(), TieringProgress{.completed = 2});
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 2u);
}

TEST_F(LateOnboardedLayer, OfWhatWasInG1FromTheStartLetsTheStreamGoOn) {
  static_cast<void>(world_.fetch(hashes_));
  Onboarding onboarding = onboard();
  expect_stream_goes_on(onboarding, 1);
  EXPECT_EQ(std::move(onboarding).finish().prefix.size(), 2u);
}

TEST_F(LateOnboardedLayer, OfWhatFailedLetsTheStreamGoOnAndTheFailureIsTold) {
  world_.device()->add_fault({FaultKind::Launch, world_.device()->call_counts().launches + 1});
  Onboarding onboarding = onboard();
  world_.cache().settle();

  expect_stream_goes_on(onboarding, 1);

  EXPECT_EQ(onboarding.progress(), TieringProgress{.failed = 2});
  const Onboarded onboarded = std::move(onboarding).finish();
  EXPECT_EQ(onboarded.prefix.size(), 0u);
  EXPECT_TRUE(onboarded.failure.has_value());
}

TEST_F(LateOnboardedLayerBehindAGate, OfWhatWasCancelledLetsTheStreamGoOn) {
  const Completion filling = world_.fill_budget(PagesArrived::Tier::G1);
  Onboarding onboarding = onboard();  // waits in the engine
  onboarding.cancel();

  expect_stream_goes_on(onboarding, 1);

  EXPECT_FALSE(filling.done());
  EXPECT_EQ(onboarding.progress(), (TieringProgress{.cancelled = 2, .cancel_requested = true}));
  EXPECT_TRUE(std::move(onboarding).finish().cancelled);
  world_.open_gate();
  filling.wait();
}

TEST_F(LateOnboardedLayerBehindAGate, OfWhatOthersBringIsWaitedForLikeOnesOwn) {
  Onboarding first = onboard(), second = onboard();
  const Stream stream(world_.device(), StreamPriority::Normal, "consumer");
  const Event passed(world_.device());
  second.wait_for_layer(0, stream.view());
  world_.device()->record(passed.view(), stream.view());
  EXPECT_FALSE(world_.device()->done(passed.view()));

  world_.open_gate();
  world_.device()->synchronize(passed.view());

  EXPECT_EQ(std::move(first).finish().prefix.size(), 2u);
  expect_stream_goes_on(second, 0);
  EXPECT_EQ(std::move(second).finish().prefix.size(), 2u);
}

}  // namespace
}  // namespace kvbm::test
