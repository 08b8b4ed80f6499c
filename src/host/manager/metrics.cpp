#include "kvbm/manager/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "kvbm/base/mutex.hpp"

namespace kvbm {
namespace {

using Counter = std::uint64_t PoolMetrics::*;
using Gauge = std::int64_t PoolMetrics::*;

constexpr std::array kCounters = {
    &PoolMetrics::allocations,
    &PoolMetrics::allocations_from_reset,
    &PoolMetrics::evictions,
    &PoolMetrics::registrations,
    &PoolMetrics::duplicate_blocks,
    &PoolMetrics::registration_dedup,
    &PoolMetrics::stagings,
    &PoolMetrics::match_hashes_requested,
    &PoolMetrics::match_blocks_returned,
    &PoolMetrics::scan_hashes_requested,
    &PoolMetrics::scan_blocks_returned,
    &PoolMetrics::eager_primary_to_inactive_total,
    &PoolMetrics::allocate_atomic_rollback_total,
    &PoolMetrics::release_primary_noop_total,
    &PoolMetrics::release_duplicate_noop_total,
};
constexpr std::array kGauges = {
    &PoolMetrics::inflight_mutable,
    &PoolMetrics::inflight_immutable,
    &PoolMetrics::reset_pool_size,
    &PoolMetrics::inactive_pool_size,
};

constexpr MetricDescriptor counter(std::string_view name, std::string_view help) noexcept {
  return {.name = name, .help = help, .type = MetricType::Counter};
}
constexpr MetricDescriptor gauge(std::string_view name, std::string_view help) noexcept {
  return {.name = name, .help = help, .type = MetricType::Gauge};
}

// In the order of kCounters, then of kGauges.
constexpr std::array kDescriptors = {
    counter("kvbm_allocations_total", "Blocks handed out by allocation"),
    counter("kvbm_allocations_from_reset_total", "Blocks handed out that came from the reset pool"),
    counter("kvbm_evictions_total", "Blocks handed out that were evicted from the inactive pool"),
    counter("kvbm_registrations_total", "Blocks passed to registration"),
    counter("kvbm_duplicate_blocks_total", "Blocks kept as second copies of a registered hash"),
    counter("kvbm_registration_dedup_total", "Blocks given back because their hash was registered"),
    counter("kvbm_stagings_total", "Blocks declared full"),
    counter("kvbm_match_hashes_requested_total", "Hashes asked for by matches"),
    counter("kvbm_match_blocks_returned_total", "Blocks found by matches"),
    counter("kvbm_scan_hashes_requested_total", "Hashes asked for by scans"),
    counter("kvbm_scan_blocks_returned_total", "Blocks found by scans"),
    counter("kvbm_eager_primary_to_inactive_total", "Blocks made inactive by a racing lookup"),
    counter("kvbm_allocate_atomic_rollback_total", "Allocations undone half way"),
    counter("kvbm_release_primary_noop_total", "Releases of a block that had been taken again"),
    counter("kvbm_release_duplicate_noop_total", "Releases of a second copy that had been taken again"),
    gauge("kvbm_inflight_mutable", "Blocks held to be filled"),
    gauge("kvbm_inflight_immutable", "Handles that hold registered blocks"),
    gauge("kvbm_reset_pool_size", "Blocks in the reset pool"),
    gauge("kvbm_inactive_pool_size", "Blocks in the inactive pool"),
};
static_assert(kDescriptors.size() == kCounters.size() + kGauges.size());

double value_of(const PoolMetrics& metrics, std::size_t descriptor) noexcept {
  if (descriptor < kCounters.size()) return static_cast<double>(metrics.*kCounters[descriptor]);
  return static_cast<double>(metrics.*kGauges[descriptor - kCounters.size()]);
}

bool is_label_name(std::string_view name) noexcept {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && is_letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

void append_escaped(std::string& text, std::string_view raw, bool with_quotes) {
  for (const char c : raw) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || (c == '"' && with_quotes)) text += '\\';
    text += c;
  }
}

void append_number(std::string& text, double value) {
  if (!std::isfinite(value)) {
    text += std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
    return;
  }
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

void append_metric(std::string& text, std::string_view name, const Metric& metric) {
  text += name;
  char before = '{';
  for (const MetricLabel& label : metric.labels) {
    text += before;
    text += label.name;
    text += "=\"";
    append_escaped(text, label.value, true);
    text += '"';
    before = ',';
  }
  if (!metric.labels.empty()) text += '}';
  text += ' ';
  append_number(text, metric.value);
  text += '\n';
}

}  // namespace

struct MetricsAggregator::Shared {
  struct Registered {
    std::weak_ptr<const MetricsSource> source;
    std::string pool;
  };

  mutable Mutex mutex;
  std::vector<Registered> sources KVBM_GUARDED_BY(mutex);
  std::vector<MetricLabel> external_labels KVBM_GUARDED_BY(mutex);

  bool is_taken(std::string_view pool) const KVBM_REQUIRES(mutex) {
    return std::any_of(sources.begin(), sources.end(), [&](const Registered& other) { return other.pool == pool; });
  }
};

MetricsAggregator::MetricsAggregator() : shared_(std::make_shared<Shared>()) {}

std::string MetricsAggregator::register_source(const std::shared_ptr<const MetricsSource>& source) {
  if (source == nullptr) throw std::invalid_argument("no metrics source to register");
  const std::string label = source->label();

  const MutexLock lock(shared_->mutex);
  auto& sources = shared_->sources;
  std::erase_if(sources, [](const Shared::Registered& known) { return known.source.expired(); });
  for (const Shared::Registered& known : sources) {
    if (!known.source.owner_before(source) && !source.owner_before(known.source)) return known.pool;
  }
  std::string pool = label;
  for (unsigned number = 2; shared_->is_taken(pool); ++number) pool = label + "-" + std::to_string(number);
  sources.push_back({source, pool});
  return pool;
}

void MetricsAggregator::set_external_labels(std::vector<MetricLabel> labels) {
  for (auto label = labels.begin(); label != labels.end(); ++label) {
    const bool twice =
        std::any_of(labels.begin(), label, [&](const MetricLabel& other) { return other.name == label->name; });
    if (twice || label->name == "pool" || !is_label_name(label->name)) {
      throw std::invalid_argument("\"" + label->name + "\" cannot be an external metrics label");
    }
  }
  const MutexLock lock(shared_->mutex);
  shared_->external_labels.swap(labels);
}

std::vector<MetricFamily> MetricsAggregator::collect() const {
  std::vector<Shared::Registered> sources;
  std::vector<MetricLabel> external_labels;
  {
    const MutexLock lock(shared_->mutex);
    sources = shared_->sources;
    external_labels = shared_->external_labels;
  }

  std::vector<MetricFamily> families;
  for (const Shared::Registered& registered : sources) {
    const auto source = registered.source.lock();
    if (source == nullptr) continue;
    if (families.empty()) {
      for (const MetricDescriptor& d : kDescriptors) {
        families.push_back({std::string(d.name), std::string(d.help), d.type, {}});
      }
    }
    std::vector<MetricLabel> labels = {{"pool", registered.pool}};
    labels.insert(labels.end(), external_labels.begin(), external_labels.end());
    const PoolMetrics metrics = source->snapshot();
    for (std::size_t i = 0; i < families.size(); ++i) families[i].metrics.push_back({labels, value_of(metrics, i)});
  }
  return families;
}

std::span<const MetricDescriptor> MetricsAggregator::descriptors() noexcept { return kDescriptors; }

std::string write_prometheus_text(std::span<const MetricFamily> families) {
  std::string text;
  for (const MetricFamily& family : families) {
    text += "# HELP " + family.name + ' ';
    append_escaped(text, family.help, false);
    text += "\n# TYPE " + family.name + (family.type == MetricType::Counter ? " counter\n" : " gauge\n");
    for (const Metric& metric : family.metrics) append_metric(text, family.name, metric);
  }
  return text;
}

}  // namespace kvbm
