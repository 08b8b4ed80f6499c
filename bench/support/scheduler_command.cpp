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
  for (const Policy* policy : options.policies) {
    static_cast<void>(BlockManager<G1>::create(manager_options(*policy, options.largest(), options)).value());
  }
  static_cast<void>(PagePool(options.largest(), options.page_bytes));
}

Outcome run_one(const Policy& policy, std::uint32_t blocks, const SchedulerReplayOptions& options,
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

std::vector<std::string> row_of(const Outcome& outcome) {
  return {std::string(outcome.policy),
          grouped(outcome.g1_blocks),
          grouped(outcome.counts.hit_blocks),
          fmt::format("{:.2f} %", 100 * outcome.hit_rate()),
          grouped(outcome.counts.preemptions),
          grouped(outcome.counts.steps),
          fmt::format("{:.1f}", outcome.step_us(0.5)),
          fmt::format("{:.1f}", outcome.step_us(0.99)),
          grouped(static_cast<std::uint64_t>(outcome.blocks_per_second())),
          grouped(outcome.counts.verified_pages),
          grouped(outcome.counts.corrupt_pages),
          grouped(outcome.blocks_in_use),
          fmt::format("{:.2f}", outcome.seconds)};
}

std::string heading_of(const Outcome& outcome, const SchedulerReplayOptions& options) {
  return fmt::format("{}: {} requests, {} blocks of {} tokens in, {} tokens out; arrivals: {}, output: {}\n\n",
                     options.trace, grouped(outcome.counts.requests), grouped(outcome.counts.input_blocks),
                     options.tokens_per_block, grouped(outcome.counts.output_tokens), options.arrivals,
                     options.output_tokens);
}

/// Requests side by side: see run_all().
struct Mode {
  const SchedulerReplayOptions& options;
  std::span<const SimulatedRequest> requests;
  std::uint64_t corrupt_pages = 0;
  std::uint64_t blocks_in_use = 0;

  [[nodiscard]] Outcome run(const Policy& policy, std::uint32_t blocks, ProgressBar& bar) const {
    return run_one(policy, blocks, options, requests, bar);
  }
  void add(const Outcome& outcome) {
    corrupt_pages += outcome.counts.corrupt_pages;
    blocks_in_use += outcome.blocks_in_use;
  }
  [[nodiscard]] static std::vector<std::string> row(const Outcome& outcome) { return row_of(outcome); }
  [[nodiscard]] std::string heading(const Outcome& outcome) const { return heading_of(outcome, options); }
  [[nodiscard]] std::string json(const Outcome& outcome) const { return json_of(outcome, options); }
};

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
    Mode mode{*options, *requests};
    run_all(*options, requests->size(), streams,
            Table({"policy", "blocks", "hits", "hit rate", "preempted", "steps", "p50 us", "p99 us", "blocks/s",
                   "verified", "corrupt", "in use", "seconds"}),
            mode);
    if (!streams.out) return refuse(streams.err, "the results cannot be written");
    if (mode.corrupt_pages == 0 && mode.blocks_in_use == 0) return 0;
    refuse(streams.err, fmt::format("{} corrupt pages, {} blocks in use at the end", grouped(mode.corrupt_pages),
                                    grouped(mode.blocks_in_use)));
    return kWrong;
  } catch (const std::bad_alloc&) {
    return refuse_for_memory(streams.err, *options);
  }
}

}  // namespace kvbm::bench
