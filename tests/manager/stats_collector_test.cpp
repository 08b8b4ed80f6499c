#include "kvbm/manager/stats_collector.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include "tests/support/thread_faults.hpp"

namespace kvbm {
namespace {

using namespace std::chrono_literals;

class FakeSource final : public MetricsSource {
 public:
  [[nodiscard]] std::string label() const override { return "fake"; }
  [[nodiscard]] PoolMetrics snapshot() const override { return metrics; }

  PoolMetrics metrics;
};

/// An enabled collector of a source, and a clock that moves when told to.
struct World {
  explicit World(StatsOptions options = {}) : stats(source, options) { stats.set_enabled(true); }

  StatsSample sample_after(std::chrono::milliseconds time) {
    now += time;
    EXPECT_TRUE(stats.sample(now));
    return *stats.latest();
  }

  std::shared_ptr<FakeSource> source = std::make_shared<FakeSource>();
  StatsCollector stats;
  StatsCollector::Time now{};
};

TEST(StatsCollector, DoesNothingWhileDisabled) {  // logical.md 18.19 case 234
  const auto source = std::make_shared<FakeSource>();
  StatsCollector stats(source);

  EXPECT_FALSE(stats.enabled());
  EXPECT_FALSE(stats.sample({}));
  EXPECT_FALSE(stats.latest());
  EXPECT_TRUE(stats.window(10).empty());

  stats.set_enabled(true);
  EXPECT_TRUE(stats.sample({}));
  stats.set_enabled(false);
  EXPECT_FALSE(stats.sample(StatsCollector::Time(1s)));
  EXPECT_EQ(stats.window(10).size(), 1u);
}

TEST(StatsCollector, FirstSampleHasNoRates) {  // logical.md 18.19 case 235
  World world;
  world.source->metrics = {.allocations = 50, .evictions = 20, .match_hashes_requested = 4, .reset_pool_size = 7};

  const StatsSample first = world.sample_after(1s);

  EXPECT_EQ(first.allocation_rate, 0);
  EXPECT_EQ(first.eviction_rate, 0);
  EXPECT_EQ(first.match_hit_rate, 0);
  EXPECT_EQ(first.scan_hit_rate, 0);
  EXPECT_EQ(first.allocation_rate_gradient, 0);
  EXPECT_EQ(first.metrics, world.source->metrics);  // gauges of now
}

TEST(StatsCollector, RatesArePerSecond) {  // logical.md 18.19 case 235
  World world;
  world.sample_after(0s);
  world.source->metrics.allocations += 100;
  world.source->metrics.evictions += 30;
  world.source->metrics.inflight_mutable = 3;

  const StatsSample sample = world.sample_after(2s);

  EXPECT_DOUBLE_EQ(sample.allocation_rate, 50);
  EXPECT_DOUBLE_EQ(sample.eviction_rate, 15);
  EXPECT_EQ(sample.metrics.inflight_mutable, 3);
  EXPECT_EQ(sample.at, world.now);
}

TEST(StatsCollector, WithoutElapsedTimeThereAreNoRates) {
  World world;
  world.sample_after(1s);
  world.source->metrics.allocations += 100;
  world.source->metrics.inactive_pool_size = 4;

  const StatsSample same_time = world.sample_after(0s);
  const StatsSample earlier = world.sample_after(-500ms);

  EXPECT_EQ(same_time.allocation_rate, 0);
  EXPECT_EQ(same_time.metrics.inactive_pool_size, 4);
  EXPECT_EQ(earlier.allocation_rate, 0);
}

TEST(StatsCollector, KeepsItsWindow) {  // logical.md 18.19 case 236
  World world({.window_size = 5});
  for (int i = 1; i <= 10; ++i) {
    world.source->metrics.allocations = static_cast<std::uint64_t>(i);
    world.sample_after(1s);
  }

  const auto three = world.stats.window(3);
  const auto all = world.stats.window(100);

  ASSERT_EQ(three.size(), 3u);
  EXPECT_EQ(three.front().metrics.allocations, 8u);
  EXPECT_EQ(three.back().metrics.allocations, 10u);
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all.front().metrics.allocations, 6u);
  EXPECT_EQ(all.back().metrics.allocations, 10u);
  EXPECT_EQ(world.stats.latest()->metrics.allocations, 10u);
  EXPECT_TRUE(world.stats.window(0).empty());
}

TEST(StatsCollector, HitRateIsReturnedOverRequested) {  // logical.md 18.19 case 237
  World world;
  world.source->metrics = {.match_hashes_requested = 1000, .scan_hashes_requested = 1000};
  world.sample_after(1s);
  world.source->metrics.match_hashes_requested += 10;
  world.source->metrics.match_blocks_returned += 7;
  world.source->metrics.scan_hashes_requested += 4;
  world.source->metrics.scan_blocks_returned += 1;

  const StatsSample busy = world.sample_after(3s);
  const StatsSample quiet = world.sample_after(1s);

  EXPECT_DOUBLE_EQ(busy.match_hit_rate, 0.7);
  EXPECT_DOUBLE_EQ(busy.scan_hit_rate, 0.25);
  EXPECT_EQ(quiet.match_hit_rate, 0);  // nothing was asked for
}

TEST(StatsCollector, GradientsShowRisingRates) {  // logical.md 18.19 case 238
  World world;
  world.sample_after(0s);
  world.source->metrics.allocations += 10;
  world.source->metrics.match_hashes_requested += 10;
  world.source->metrics.match_blocks_returned += 5;
  world.sample_after(1s);  // 10 per second, half of the hashes
  world.source->metrics.allocations += 60;
  world.source->metrics.evictions += 8;
  world.source->metrics.match_hashes_requested += 10;
  world.source->metrics.match_blocks_returned += 10;
  world.source->metrics.scan_hashes_requested += 1;
  world.source->metrics.scan_blocks_returned += 1;

  const StatsSample sample = world.sample_after(2s);  // 30 per second, all hashes

  EXPECT_DOUBLE_EQ(sample.allocation_rate_gradient, 10);
  EXPECT_DOUBLE_EQ(sample.eviction_rate_gradient, 2);
  EXPECT_DOUBLE_EQ(sample.match_hit_rate_gradient, 0.25);
  EXPECT_DOUBLE_EQ(sample.scan_hit_rate_gradient, 0.5);
}

TEST(StatsCollector, DoesNothingWhenTheSourceIsGone) {
  World world;
  world.sample_after(1s);

  world.source.reset();

  EXPECT_FALSE(world.stats.sample(world.now + 1s));
  EXPECT_EQ(world.stats.window(10).size(), 1u);
}

TEST(StatsCollector, RefusesAnEmptyWindowOrInterval) {
  const auto source = std::make_shared<FakeSource>();
  EXPECT_THROW(StatsCollector(source, {.window_size = 0}), std::invalid_argument);
  EXPECT_THROW(StatsCollector(source, {.sample_interval = 0s}), std::invalid_argument);
}

// ---- background thread ----

/// Opens a gate when it has been asked often enough.
class GateSource final : public MetricsSource {
 public:
  explicit GateSource(std::ptrdiff_t times) : asked(times), left_(times) {}
  [[nodiscard]] std::string label() const override { return "gate"; }
  [[nodiscard]] PoolMetrics snapshot() const override {
    if (left_ > 0) {
      --left_;  // only the background thread asks
      asked.count_down();
    }
    return {};
  }

  mutable std::latch asked;

 private:
  mutable std::ptrdiff_t left_;
};

TEST(StatsCollector, BackgroundSamplesAtOnceAndStopsInMidInterval) {
  const auto source = std::make_shared<GateSource>(1);
  StatsCollector stats(source, {.sample_interval = std::chrono::hours(1)});
  stats.set_enabled(true);

  stats.start();
  source->asked.wait();
  stats.start();  // runs already
  stats.stop();

  EXPECT_EQ(stats.window(10).size(), 1u);
}

TEST(StatsCollector, BackgroundSamplesAgainAfterEachInterval) {
  const auto source = std::make_shared<GateSource>(3);
  StatsCollector stats(source, {.sample_interval = 1ns});
  stats.set_enabled(true);

  stats.start();
  source->asked.wait();
  stats.stop();

  EXPECT_GE(stats.window(10).size(), 3u);
}

TEST(StatsCollector, WithoutAThreadIsAsBeforeAndMayStartLater) {
  const auto source = std::make_shared<GateSource>(1);
  StatsCollector stats(source, {.sample_interval = std::chrono::hours(1)});
  stats.set_enabled(true);
  {
    const test::ThreadFault fault(0);
    EXPECT_THROW(stats.start(), std::system_error);
  }
  stats.stop();
  EXPECT_FALSE(stats.latest());

  stats.start();
  source->asked.wait();
  stats.stop();

  EXPECT_EQ(stats.window(10).size(), 1u);
}

TEST(StatsCollector, StartsAgainAfterAStopAndStopsWhenDestroyed) {
  const auto source = std::make_shared<GateSource>(2);
  {
    StatsCollector stats(source, {.sample_interval = 1ns});
    stats.set_enabled(true);
    stats.start();
    stats.stop();
    stats.stop();
    stats.start();
    source->asked.wait();
  }
  EXPECT_TRUE(source->asked.try_wait());
}

}  // namespace
}  // namespace kvbm
