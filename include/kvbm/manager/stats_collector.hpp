#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/manager/metrics.hpp"

namespace kvbm {

struct StatsOptions {
  std::size_t window_size = 60;  ///< samples kept, at least 1
  std::chrono::nanoseconds sample_interval = std::chrono::seconds(1);
};

/// One look at a source, and what changed since the look before it.
///
/// Units  rates per second and hit rates 0 to 1, over the time between the two looks; gradients: change of the rate
///        between the two looks, per second. All 0 in the first sample, and where no time has passed.
struct StatsSample {
  std::chrono::steady_clock::time_point at;
  PoolMetrics metrics;
  double allocation_rate = 0;
  double eviction_rate = 0;
  double match_hit_rate = 0;  ///< 0 if nothing was asked for
  double scan_hit_rate = 0;
  double allocation_rate_gradient = 0;
  double eviction_rate_gradient = 0;
  double match_hit_rate_gradient = 0;
  double scan_hit_rate_gradient = 0;
};

/// Turns one source's counters into rates over a sliding window of samples. It starts out disabled.
///
/// Threads   any; two samples at a time are kept in the order in which they finish.
/// Lifetime  the source is not kept alive: when it is gone, sampling does nothing.
class StatsCollector {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Errors  std::invalid_argument if the window is empty or the interval is not positive.
  explicit StatsCollector(std::weak_ptr<const MetricsSource> source, StatsOptions options = {});
  ~StatsCollector();  ///< stops the background thread
  StatsCollector(const StatsCollector&) = delete;
  StatsCollector& operator=(const StatsCollector&) = delete;

  /// While disabled, sample() does nothing, nor does the background thread.
  void set_enabled(bool enabled) noexcept;
  [[nodiscard]] bool enabled() const noexcept;

  /// Takes a sample at time `now`. Returns whether there is one more.
  bool sample(Time now);

  [[nodiscard]] std::optional<StatsSample> latest() const;
  /// The last `count` samples, or as many as there are, oldest first.
  [[nodiscard]] std::vector<StatsSample> window(std::size_t count) const;

  /// Samples from a thread of its own: now, then once per interval, until stop(). Does nothing if it runs already.
  /// Threads  start, stop and destruction: one at a time.
  /// Errors   std::system_error if the system has no thread, with the collector as it was.
  void start();
  /// Returns when the thread has ended; a wait between samples is cut short.
  void stop();

 private:
  void sample_until(const std::stop_token& stopped);

  const std::weak_ptr<const MetricsSource> source_;
  const StatsOptions options_;
  std::atomic<bool> enabled_{false};
  mutable Mutex mutex_;
  std::deque<StatsSample> samples_ KVBM_GUARDED_BY(mutex_);
  std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace kvbm
