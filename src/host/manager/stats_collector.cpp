#include "kvbm/manager/stats_collector.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace kvbm {
namespace {

using Counter = std::uint64_t PoolMetrics::*;

double growth(const StatsSample& from, const StatsSample& to, Counter counter) noexcept {
  const std::uint64_t before = from.metrics.*counter;
  const std::uint64_t after = to.metrics.*counter;
  return after > before ? static_cast<double>(after - before) : 0;  // two racing samples may come in either order
}

double hit_rate(const StatsSample& from, const StatsSample& to, Counter requested, Counter returned) noexcept {
  const double asked = growth(from, to, requested);
  return asked > 0 ? growth(from, to, returned) / asked : 0;
}

/// Fills in what `to` says in comparison with the sample before it.
void derive_rates(const StatsSample& from, StatsSample& to) noexcept {
  const double seconds = std::chrono::duration<double>(to.at - from.at).count();
  if (seconds <= 0) return;
  to.allocation_rate = growth(from, to, &PoolMetrics::allocations) / seconds;
  to.eviction_rate = growth(from, to, &PoolMetrics::evictions) / seconds;
  to.match_hit_rate = hit_rate(from, to, &PoolMetrics::match_hashes_requested, &PoolMetrics::match_blocks_returned);
  to.scan_hit_rate = hit_rate(from, to, &PoolMetrics::scan_hashes_requested, &PoolMetrics::scan_blocks_returned);
  to.allocation_rate_gradient = (to.allocation_rate - from.allocation_rate) / seconds;
  to.eviction_rate_gradient = (to.eviction_rate - from.eviction_rate) / seconds;
  to.match_hit_rate_gradient = (to.match_hit_rate - from.match_hit_rate) / seconds;
  to.scan_hit_rate_gradient = (to.scan_hit_rate - from.scan_hit_rate) / seconds;
}

}  // namespace

StatsCollector::StatsCollector(std::weak_ptr<const MetricsSource> source, StatsOptions options)
    : source_(std::move(source)), options_(options) {
  if (options.window_size == 0) throw std::invalid_argument("statistics need a window of at least one sample");
  if (options.sample_interval.count() <= 0) throw std::invalid_argument("the sample interval must be positive");
}

StatsCollector::~StatsCollector() = default;

// relaxed: it guards no data
void StatsCollector::set_enabled(bool enabled) noexcept { enabled_.store(enabled, std::memory_order_relaxed); }

bool StatsCollector::enabled() const noexcept { return enabled_.load(std::memory_order_relaxed); }

bool StatsCollector::sample(Time now) {
  if (!enabled()) return false;
  const auto source = source_.lock();
  if (source == nullptr) return false;
  StatsSample taken{.at = now, .metrics = source->snapshot()};

  const MutexLock lock(mutex_);
  if (!samples_.empty()) derive_rates(samples_.back(), taken);
  samples_.push_back(taken);
  if (samples_.size() > options_.window_size) samples_.pop_front();
  return true;
}

std::optional<StatsSample> StatsCollector::latest() const {
  const MutexLock lock(mutex_);
  if (samples_.empty()) return std::nullopt;
  return samples_.back();
}

std::vector<StatsSample> StatsCollector::window(std::size_t count) const {
  const MutexLock lock(mutex_);
  const auto kept = static_cast<std::ptrdiff_t>(std::min(count, samples_.size()));
  return {samples_.end() - kept, samples_.end()};
}

void StatsCollector::start() {
  if (thread_.joinable()) return;
  thread_ = std::jthread([this](const std::stop_token& stopped) { sample_until(stopped); });
}

void StatsCollector::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void StatsCollector::sample_until(const std::stop_token& stopped) {
  std::mutex mutex;  // nobody else waits here; the condition variable wants one
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!stopped.stop_requested()) {
    sample(std::chrono::steady_clock::now());
    wake.wait_for(lock, stopped, options_.sample_interval, [] { return false; });
  }
}

}  // namespace kvbm
