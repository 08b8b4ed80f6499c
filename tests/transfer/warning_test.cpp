#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/transfer/engine_world.hpp"

// What an engine warns of.

namespace kvbm {
namespace {

class Warnings : public testing::Test {
 protected:
  [[nodiscard]] TransferEngineOptions options(bool calibrate = false) {
    TransferEngineOptions made = test::EngineWorld::options();
    made.calibrate = calibrate;
    made.on_warning = [this](std::string_view text) { told_.emplace_back(text); };
    return made;
  }

  std::vector<std::string> told_;
  const std::vector<BlockPair> blocks_{{1, 2}};
};

TEST_F(Warnings, UnknownOrdersAreTakenToBeEqualAndThatIsToldOnce) {
  test::EngineWorld world({}, options());
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(world.engine->submit(world.save(blocks_)).value().wait().error);
    ASSERT_FALSE(world.engine->submit(world.load(blocks_)).value().wait().error);
  }
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_NE(told_.front().find("unknown"), std::string::npos) << told_.front();
}

TEST_F(Warnings, NothingIsToldOfOrdersThatAreNamed) {
  const std::shared_ptr<Device> device = EmulatedDevice::create();
  LayoutConfig named = test::EngineWorld::kConfig;
  named.order = InnerOrder::Hnd;
  const test::GuardedPages source(device, named, {LayoutKind::FullyContiguous, MemoryKind::Pinned});
  const test::GuardedPages target(device, named, {LayoutKind::FullyContiguous, MemoryKind::Device});
  TransferEngine engine(device, options());
  const auto request = [&] {
    return TransferRequest{.source = source.layout(), .target = target.layout(), .blocks = blocks_};
  };
  ASSERT_FALSE(engine.submit(request()).value().wait().error);
  EXPECT_TRUE(told_.empty());
}

TEST_F(Warnings, NothingIsToldOfWhatTheEngineMovesToMeasure) {
  const TransferEngine engine(EmulatedDevice::create(), options(true));
  EXPECT_TRUE(told_.empty());
}

TEST_F(Warnings, NothingIsToldOfWhatIsRefused) {
  test::EngineWorld world({}, options());
  const std::vector<BlockPair> beyond{{100, 0}};
  ASSERT_FALSE(world.engine->submit(world.save(beyond)));
  EXPECT_TRUE(told_.empty());
}

}  // namespace
}  // namespace kvbm
