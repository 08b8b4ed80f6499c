#include "kvbm/manager/metrics.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/base/types.hpp"
#include "kvbm/manager/type_label.hpp"

namespace kvbm {
namespace {

class LabelledSource final : public MetricsSource {
 public:
  explicit LabelledSource(std::string label) : label_(std::move(label)) {}
  [[nodiscard]] std::string label() const override { return label_; }
  [[nodiscard]] PoolMetrics snapshot() const override { return metrics; }

  PoolMetrics metrics;

 private:
  std::string label_;
};

std::shared_ptr<LabelledSource> source(std::string label) { return std::make_shared<LabelledSource>(std::move(label)); }

double value(const std::vector<MetricFamily>& families, std::string_view name, std::size_t metric = 0) {
  for (const MetricFamily& family : families) {
    if (family.name == name) return family.metrics.at(metric).value;
  }
  ADD_FAILURE() << "no family " << name;
  return 0;
}

// ---- labels ----

struct Plain {};
template <class T>
struct Wrapped {
  struct Inner {};
};

static_assert(type_label<G1>() == "G1");  // logical.md 18.19 case 227
static_assert(type_label<Plain>() == "Plain");
static_assert(type_label<int>() == "int");
static_assert(type_label<Wrapped<G1>>() == "Wrapped");
static_assert(type_label<Wrapped<Wrapped<kvbm::G1>>::Inner>() == "Inner");

TEST(TypeLabel, IsTheNameWithoutScopeAndArguments) {  // logical.md 18.19 case 227
  struct Local {};

  EXPECT_EQ(type_label<Plain>(), "Plain");
  EXPECT_EQ(type_label<Local>(), "Local");
  EXPECT_EQ(type_label<double>(), "double");
  EXPECT_EQ((type_label<std::vector<std::pair<int, Plain>>>()), "vector");
}

TEST(MetricsAggregator, KeepsTheLabelOfASource) {  // logical.md 18.19 case 227
  MetricsAggregator aggregator;
  const auto g2 = source("host \"tier\"");

  EXPECT_EQ(aggregator.register_source(g2), "host \"tier\"");
  EXPECT_EQ(aggregator.collect()[0].metrics[0].labels[0], (MetricLabel{"pool", "host \"tier\""}));
}

// logical.md 14 W14
TEST(MetricsAggregator, KeepsSourcesOfOneLabelApart) {
  MetricsAggregator aggregator;
  const auto first = source("G1");
  const auto named_so = source("G1-2");
  const auto second = source("G1");

  EXPECT_EQ(aggregator.register_source(first), "G1");
  EXPECT_EQ(aggregator.register_source(named_so), "G1-2");
  EXPECT_EQ(aggregator.register_source(second), "G1-3");

  const auto families = aggregator.collect();
  std::set<std::string> pools;
  for (const Metric& metric : families[0].metrics) pools.insert(metric.labels[0].value);
  EXPECT_EQ(pools, (std::set<std::string>{"G1", "G1-2", "G1-3"}));
}

TEST(MetricsAggregator, GivesTheLabelOfADeadSourceToItsSuccessor) {
  MetricsAggregator aggregator;
  aggregator.register_source(source("G1"));

  const auto successor = source("G1");

  EXPECT_EQ(aggregator.register_source(successor), "G1");
}

TEST(MetricsAggregator, TakesASourceOnce) {
  MetricsAggregator aggregator;
  const auto g1 = source("G1");

  aggregator.register_source(g1);

  EXPECT_EQ(aggregator.register_source(g1), "G1");
  EXPECT_EQ(aggregator.collect()[0].metrics.size(), 1u);
}

TEST(MetricsAggregator, RefusesNoSource) {
  MetricsAggregator aggregator;
  EXPECT_THROW(aggregator.register_source(nullptr), std::invalid_argument);
}

// ---- values ----

TEST(MetricsAggregator, ReadsTheSourceAtEachCollection) {  // logical.md 18.19 case 226
  MetricsAggregator aggregator;
  const auto g1 = source("G1");
  aggregator.register_source(g1);
  g1->metrics.allocations += 5;
  g1->metrics.inflight_mutable += 2;
  g1->metrics.reset_pool_size = 10;
  EXPECT_EQ(value(aggregator.collect(), "kvbm_allocations_total"), 5);
  EXPECT_EQ(value(aggregator.collect(), "kvbm_inflight_mutable"), 2);

  g1->metrics.allocations += 3;
  g1->metrics.inflight_mutable -= 3;
  g1->metrics.reset_pool_size += 1;

  EXPECT_EQ(value(aggregator.collect(), "kvbm_allocations_total"), 8);
  EXPECT_EQ(value(aggregator.collect(), "kvbm_inflight_mutable"), -1);  // gauges have a sign
  EXPECT_EQ(value(aggregator.collect(), "kvbm_reset_pool_size"), 11);
}

// Each name shows its own field. logical.md 15.1, 18.19 case 229
TEST(MetricsAggregator, ExportsEachFieldUnderItsName) {
  MetricsAggregator aggregator;
  const auto g1 = source("G1");
  aggregator.register_source(g1);
  g1->metrics = {.allocations = 1,
                 .allocations_from_reset = 2,
                 .evictions = 3,
                 .registrations = 4,
                 .duplicate_blocks = 5,
                 .registration_dedup = 6,
                 .stagings = 7,
                 .match_hashes_requested = 8,
                 .match_blocks_returned = 9,
                 .scan_hashes_requested = 10,
                 .scan_blocks_returned = 11,
                 .eager_primary_to_inactive_total = 12,
                 .allocate_atomic_rollback_total = 13,
                 .release_primary_noop_total = 14,
                 .release_duplicate_noop_total = 15,
                 .inflight_mutable = 16,
                 .inflight_immutable = 17,
                 .reset_pool_size = 18,
                 .inactive_pool_size = 19};
  const std::array<std::string_view, 19> names = {
      "kvbm_allocations_total",
      "kvbm_allocations_from_reset_total",
      "kvbm_evictions_total",
      "kvbm_registrations_total",
      "kvbm_duplicate_blocks_total",
      "kvbm_registration_dedup_total",
      "kvbm_stagings_total",
      "kvbm_match_hashes_requested_total",
      "kvbm_match_blocks_returned_total",
      "kvbm_scan_hashes_requested_total",
      "kvbm_scan_blocks_returned_total",
      "kvbm_eager_primary_to_inactive_total",
      "kvbm_allocate_atomic_rollback_total",
      "kvbm_release_primary_noop_total",
      "kvbm_release_duplicate_noop_total",
      "kvbm_inflight_mutable",
      "kvbm_inflight_immutable",
      "kvbm_reset_pool_size",
      "kvbm_inactive_pool_size",
  };

  const auto families = aggregator.collect();

  ASSERT_EQ(families.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(families[i].name, names[i]);
    EXPECT_EQ(families[i].metrics.at(0).value, static_cast<double>(i + 1)) << names[i];
  }
}

TEST(MetricsAggregator, WithoutSourcesHasNoFamily) {  // logical.md 18.19 case 228
  MetricsAggregator aggregator;
  EXPECT_TRUE(aggregator.collect().empty());

  aggregator.register_source(source("gone at once"));
  EXPECT_TRUE(aggregator.collect().empty());
}

TEST(MetricsAggregator, OneSourceHasNineteenFamilies) {  // logical.md 18.19 case 229
  MetricsAggregator aggregator;
  const auto g1 = source("G1");
  aggregator.register_source(g1);

  const auto families = aggregator.collect();

  ASSERT_EQ(families.size(), 19u);
  for (std::size_t i = 0; i < families.size(); ++i) {
    EXPECT_EQ(families[i].type, i < 15 ? MetricType::Counter : MetricType::Gauge) << families[i].name;
    EXPECT_FALSE(families[i].help.empty());
    ASSERT_EQ(families[i].metrics.size(), 1u);
    EXPECT_EQ(families[i].metrics[0].labels, (std::vector<MetricLabel>{{"pool", "G1"}}));
  }
}

TEST(MetricsAggregator, AppendsExternalLabels) {  // logical.md 18.19 case 230
  MetricsAggregator aggregator;
  const auto g1 = source("G1");
  aggregator.register_source(g1);
  aggregator.set_external_labels({{"old", "x"}});

  aggregator.set_external_labels({{"zone", "a"}, {"host", "b"}});

  EXPECT_EQ(aggregator.collect()[18].metrics[0].labels,
            (std::vector<MetricLabel>{{"pool", "G1"}, {"zone", "a"}, {"host", "b"}}));
}

TEST(MetricsAggregator, RefusesExternalLabelsThatCannotBeExported) {
  MetricsAggregator aggregator;
  const auto g1 = source("G1");
  aggregator.register_source(g1);
  aggregator.set_external_labels({{"zone", "a"}});

  for (const char* name : {"pool", "", "7up", "no-dash", "ä"}) {
    EXPECT_THROW(aggregator.set_external_labels({{name, "x"}}), std::invalid_argument) << name;
  }
  EXPECT_THROW(aggregator.set_external_labels({{"a", "1"}, {"a", "2"}}), std::invalid_argument);
  EXPECT_EQ(aggregator.collect()[0].metrics[0].labels, (std::vector<MetricLabel>{{"pool", "G1"}, {"zone", "a"}}));
}

TEST(MetricsAggregator, MergesSourcesIntoOneFamilyPerName) {  // logical.md 18.19 case 231
  MetricsAggregator aggregator;
  MetricsAggregator same = aggregator;  // a copy is a handle on the same list
  const auto g2 = source("G2");
  const auto g1 = source("G1");
  g2->metrics.evictions = 2;
  g1->metrics.evictions = 1;
  aggregator.register_source(g2);
  same.register_source(g1);

  const auto families = aggregator.collect();

  ASSERT_EQ(families.size(), 19u);
  for (const MetricFamily& family : families) {
    ASSERT_EQ(family.metrics.size(), 2u);
    EXPECT_EQ(family.metrics[0].labels[0].value, "G2");
    EXPECT_EQ(family.metrics[1].labels[0].value, "G1");
  }
  EXPECT_EQ(value(families, "kvbm_evictions_total", 0), 2);
  EXPECT_EQ(value(families, "kvbm_evictions_total", 1), 1);
}

TEST(MetricsAggregator, DescribesNineteenMetrics) {  // logical.md 18.19 case 233
  MetricsAggregator aggregator;
  const auto g1 = source("G1");
  aggregator.register_source(g1);

  const auto descriptors = MetricsAggregator::descriptors();
  const auto families = aggregator.collect();

  ASSERT_EQ(descriptors.size(), 19u);
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    EXPECT_EQ(descriptors[i].variable_label, "pool");
    EXPECT_EQ(descriptors[i].name, families[i].name);
    EXPECT_EQ(descriptors[i].help, families[i].help);
    EXPECT_EQ(descriptors[i].type, families[i].type);
  }
}

// A source that takes a lock which another thread holds while it registers would deadlock otherwise.
TEST(MetricsAggregator, AsksSourcesWithoutItsOwnLock) {
  class Registers final : public MetricsSource {
   public:
    explicit Registers(MetricsAggregator aggregator) : aggregator_(std::move(aggregator)) {}
    [[nodiscard]] std::string label() const override { return "registers"; }
    [[nodiscard]] PoolMetrics snapshot() const override {
      MetricsAggregator(aggregator_).set_external_labels({{"asked", "yes"}});
      return {};
    }

   private:
    MetricsAggregator aggregator_;
  };
  MetricsAggregator aggregator;
  const auto registers = std::make_shared<Registers>(aggregator);
  aggregator.register_source(registers);

  EXPECT_EQ(aggregator.collect()[0].metrics[0].labels.size(), 1u);
  EXPECT_EQ(aggregator.collect()[0].metrics[0].labels.size(), 2u);
}

// ---- text ----

TEST(PrometheusText, ShowsEachFamilyOnce) {
  const std::vector<MetricFamily> families = {
      {"kvbm_a_total", "First", MetricType::Counter, {{{{"pool", "G1"}, {"zone", "x"}}, 12}, {{{"pool", "G2"}}, 0.5}}},
      {"kvbm_b", "Second", MetricType::Gauge, {{{}, -3}}},
  };

  EXPECT_EQ(write_prometheus_text(families),
            "# HELP kvbm_a_total First\n"
            "# TYPE kvbm_a_total counter\n"
            "kvbm_a_total{pool=\"G1\",zone=\"x\"} 12\n"
            "kvbm_a_total{pool=\"G2\"} 0.5\n"
            "# HELP kvbm_b Second\n"
            "# TYPE kvbm_b gauge\n"
            "kvbm_b -3\n");
  EXPECT_EQ(write_prometheus_text({}), "");
}

TEST(PrometheusText, EscapesLabelValuesAndHelp) {
  const std::vector<MetricFamily> families = {
      {"m", "one\ntwo \\ \"three\"", MetricType::Gauge, {{{{"pool", "a\"b\\c\nd"}}, 1}}}};

  EXPECT_EQ(write_prometheus_text(families),
            "# HELP m one\\ntwo \\\\ \"three\"\n"
            "# TYPE m gauge\n"
            "m{pool=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST(PrometheusText, WritesEveryNumber) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto text_of = [](double number) {
    const std::string text =
        write_prometheus_text(std::vector<MetricFamily>{{"m", "", MetricType::Gauge, {{{}, number}}}});
    return text.substr(text.rfind("\nm ") + 3);
  };

  EXPECT_EQ(text_of(kInfinity), "+Inf\n");
  EXPECT_EQ(text_of(-kInfinity), "-Inf\n");
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN()), "NaN\n");
  EXPECT_EQ(std::stod(text_of(9'007'199'254'740'992.0)), 9'007'199'254'740'992.0);
}

}  // namespace
}  // namespace kvbm
