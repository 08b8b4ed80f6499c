#include "bench/support/scheduler_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "bench/support/progress.hpp"
#include "bench/support/scheduler.hpp"
#include "bench/support/scheduler_options.hpp"
#include "bench/support/table.hpp"
#include "kvbm/manager/block_manager.hpp"

namespace kvbm::bench {
namespace {

constexpr int kWrong = 1;

double ratio(double part, double whole) noexcept { return whole > 0 ? part / whole : 0; }

struct Outcome {
  std::string_view policy;
  std::uint32_t g1_blocks;
  SchedulerCounts counts;
  std::uint64_t evicted_blocks;
  std::uint32_t blocks_in_use;
  double seconds;

  [[nodiscard]] double hit_rate() const noexcept {
    return ratio(static_cast<double>(counts.hit_blocks), static_cast<double>(counts.input_blocks));
  }
  [[nodiscard]] double scheduler_seconds() const noexcept {
    return 1e-9 * static_cast<double>(std::accumulate(counts.step_ns.begin(), counts.step_ns.end(), std::uint64_t{0}));
  }
  [[nodiscard]] double blocks_per_second() const noexcept {
    return ratio(static_cast<double>(counts.hit_blocks + counts.survived_blocks + counts.registered_blocks),
                 scheduler_seconds());
  }
  /// Microseconds of the step that `share` of all steps do not exceed. 0 if there were none.
  [[nodiscard]] double step_us(double share) const {
    std::vector<std::uint64_t> sorted = counts.step_ns;
    if (sorted.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(at), sorted.end());
    return 1e-3 * static_cast<double>(sorted[at]);
  }
};

ManagerOptions manager_options(const Policy& policy, std::uint32_t blocks, const SchedulerReplayOptions& options) {
  ManagerOptions manager = options_for(policy, blocks);
  manager.tokens_per_block = options.tokens_per_block;
  return manager;
}

/// Takes the largest tier on trial, so that one which cannot be had is known before any work is done.
void try_largest(const SchedulerReplayOptions& options) {
  const std::uint32_t largest = *std::max_element(options.g1_blocks.begin(), options.g1_blocks.end());
  for (const Policy* policy : options.policies) {
    static_cast<void>(BlockManager<G1>::create(manager_options(*policy, largest, options)).value());
  }
  static_cast<void>(PagePool(largest, options.page_bytes));
}

Outcome run(const Policy& policy, std::uint32_t blocks, const SchedulerReplayOptions& options,
            std::span<const SimulatedRequest> requests, ProgressBar& bar) {
  const BlockManager<G1> manager = BlockManager<G1>::create(manager_options(policy, blocks, options)).value();
  PagePool pages(blocks, options.page_bytes);
  SchedulerOptions scheduling = options.scheduler;
  scheduling.spare_blocks = static_cast<std::uint32_t>(options.spare_fraction * blocks);
  Scheduler scheduler(manager, pages, scheduling);
  const auto begin = std::chrono::steady_clock::now();
  scheduler.serve(requests, [&bar] { bar.advance(1); });
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  return {policy.name,   blocks, scheduler.counts(), manager.metrics().evictions, blocks - manager.available_blocks(),
          passed.count()};
}

std::string json_of(const Outcome& outcome, const SchedulerReplayOptions& options) {
  const SchedulerCounts& counts = outcome.counts;
  const nlohmann::ordered_json object{
      {"trace", options.trace},
      {"policy", outcome.policy},
      {"g1_blocks", outcome.g1_blocks},
      {"tokens_per_block", options.tokens_per_block},
      {"arrivals", options.arrivals},
      {"output_tokens_from", options.output_tokens},
      {"requests", counts.requests},
      {"finished", counts.finished},
      {"too_long", counts.too_long},
      {"input_blocks", counts.input_blocks},
      {"hit_blocks", counts.hit_blocks},
      {"hit_rate", outcome.hit_rate()},
      {"output_tokens", counts.output_tokens},
      {"registered_blocks", counts.registered_blocks},
      {"evicted_blocks", outcome.evicted_blocks},
      {"preemptions", counts.preemptions},
      {"survived_blocks", counts.survived_blocks},
      {"steps", counts.steps},
      {"running_peak", counts.running_peak},
      {"simulated_seconds", 1e-6 * static_cast<double>(counts.simulated_us)},
      {"scheduler_seconds", outcome.scheduler_seconds()},
      {"step_us_p50", outcome.step_us(0.5)},
      {"step_us_p99", outcome.step_us(0.99)},
      {"blocks_per_second", outcome.blocks_per_second()},
      {"seconds", outcome.seconds},
      {"verified_pages", counts.verified_pages},
      {"corrupt_pages", counts.corrupt_pages},
      {"blocks_in_use", outcome.blocks_in_use},
  };
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void add_row(Table& table, const Outcome& outcome) {
  table.add_row({std::string(outcome.policy), grouped(outcome.g1_blocks), grouped(outcome.counts.hit_blocks),
                 fmt::format("{:.2f} %", 100 * outcome.hit_rate()), grouped(outcome.counts.preemptions),
                 grouped(outcome.counts.steps), fmt::format("{:.1f}", outcome.step_us(0.5)),
                 fmt::format("{:.1f}", outcome.step_us(0.99)),
                 grouped(static_cast<std::uint64_t>(outcome.blocks_per_second())),
                 grouped(outcome.counts.verified_pages), grouped(outcome.counts.corrupt_pages),
                 grouped(outcome.blocks_in_use), fmt::format("{:.2f}", outcome.seconds)});
}

std::string heading(const SchedulerReplayOptions& options, const Outcome& outcome) {
  return fmt::format("{}: {} requests, {} blocks of {} tokens in, {} tokens out; arrivals: {}, output: {}\n\n",
                     options.trace, grouped(outcome.counts.requests), grouped(outcome.counts.input_blocks),
                     options.tokens_per_block, grouped(outcome.counts.output_tokens), options.arrivals,
                     options.output_tokens);
}

struct Wrong {
  std::uint64_t corrupt_pages = 0;
  std::uint64_t blocks_in_use = 0;
};

/// Runs everything, writing results as they come if they are JSON, else all at the end.
Wrong run_all(const SchedulerReplayOptions& options, std::span<const SimulatedRequest> requests,
              const ReplayStreams& streams) {
  ProgressBar bar(streams.bar, options.policies.size() * options.g1_blocks.size() * requests.size());
  Table table({"policy", "blocks", "hits", "hit rate", "preempted", "steps", "p50 us", "p99 us", "blocks/s", "verified",
               "corrupt", "in use", "seconds"});
  std::string title;
  Wrong wrong;
  for (const Policy* policy : options.policies) {
    table.add_rule();
    for (const std::uint32_t blocks : options.g1_blocks) {
      bar.set_label(fmt::format("{:>12} {:>10}", policy->name, grouped(blocks)));
      const Outcome outcome = run(*policy, blocks, options, requests, bar);
      wrong.corrupt_pages += outcome.counts.corrupt_pages;
      wrong.blocks_in_use += outcome.blocks_in_use;
      add_row(table, outcome);
      title = heading(options, outcome);
      if (!options.json) continue;
      bar.clear();
      streams.out << json_of(outcome, options) << std::endl;
    }
  }
  bar.clear();
  if (!options.json) streams.out << title << table.text() << std::flush;
  return wrong;
}

}  // namespace

int scheduler_command(int argc, const char* const* argv, const ReplayStreams& streams) {
  const auto options = parse_scheduler_options(argc, argv, streams.out, streams.err);
  if (!options) return options.error().status;
  const auto trace = read_trace(options->trace);
  if (!trace) return refuse(streams.err, trace.error().in(options->trace));
  const auto requests = simulated_requests(*trace, options->shape);
  if (!requests) return refuse(streams.err, requests.error().in(options->trace));
  try {
    try_largest(*options);
    const Wrong wrong = run_all(*options, *requests, streams);
    if (!streams.out) return refuse(streams.err, "the results cannot be written");
    if (wrong.corrupt_pages == 0 && wrong.blocks_in_use == 0) return 0;
    streams.err << fmt::format("kvbm-replay: {} corrupt pages, {} blocks in use at the end\n",
                               grouped(wrong.corrupt_pages), grouped(wrong.blocks_in_use));
    return kWrong;
  } catch (const std::bad_alloc&) {
    return refuse(streams.err,
                  fmt::format("there is no memory for {} blocks with pages of {} bytes",
                              grouped(*std::max_element(options->g1_blocks.begin(), options->g1_blocks.end())),
                              grouped(options->page_bytes)));
  }
}

}  // namespace kvbm::bench
