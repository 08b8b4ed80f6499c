#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvbm/pools/pool_metrics.hpp"

namespace kvbm {

/// Something that can say how it is doing: a manager's store.
///
/// Threads  called from any thread, with no lock of the caller held.
class MetricsSource {
 public:
  virtual ~MetricsSource() = default;
  /// Value of the label `pool`: set by the manager's options, else the tier's type_label. Does not change.
  [[nodiscard]] virtual std::string label() const = 0;
  [[nodiscard]] virtual PoolMetrics snapshot() const = 0;
};

enum class MetricType : std::uint8_t { Counter, Gauge };

/// Describes one of the exported metrics.
struct MetricDescriptor {
  std::string_view name;
  std::string_view help;
  MetricType type = MetricType::Counter;
  std::string_view variable_label = "pool";
};

struct MetricLabel {
  std::string name;
  std::string value;

  friend bool operator==(const MetricLabel&, const MetricLabel&) = default;
};

struct Metric {
  std::vector<MetricLabel> labels;  ///< `pool` first, then the external ones
  double value = 0;
};

/// All sources' values of one metric, in the form that metrics libraries want.
struct MetricFamily {
  std::string name;
  std::string help;
  MetricType type = MetricType::Counter;
  std::vector<Metric> metrics;  ///< in order of registration
};

/// Collects the metrics of any number of managers. A handle: copies share one list.
///
/// Threads   any; sources are asked with no lock held.
/// Lifetime  sources are not kept alive; one that is gone is left out from then on.
class MetricsAggregator {
 public:
  MetricsAggregator();

  /// Adds a source and returns its value of the label `pool`: its own label, with "-2", "-3" and so on appended while
  /// another living source has that one, so that two managers of one tier stay apart. A source that is in the list
  /// already stays as it is.
  /// Errors  std::invalid_argument without a source.
  std::string register_source(const std::shared_ptr<const MetricsSource>& source);

  /// Replaces the labels that every metric carries behind `pool`; they hold from the next collect() on.
  /// Errors  std::invalid_argument naming a label which is "pool", occurs twice, or is not [a-zA-Z_][a-zA-Z0-9_]*.
  void set_external_labels(std::vector<MetricLabel> labels);

  /// The values of now, one family for each descriptor and in that order; nothing if there is no source.
  [[nodiscard]] std::vector<MetricFamily> collect() const;

  /// What collect() can return: counters first, then gauges.
  [[nodiscard]] static std::span<const MetricDescriptor> descriptors() noexcept;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

/// The families as a page for a scraper.
///
/// Source  Prometheus text exposition format 0.0.4
[[nodiscard]] std::string write_prometheus_text(std::span<const MetricFamily> families);

}  // namespace kvbm
