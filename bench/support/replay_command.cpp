#include "bench/support/replay_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/support/page_pool.hpp"
#include "bench/support/progress.hpp"
#include "bench/support/replay.hpp"
#include "bench/support/replay_options.hpp"
#include "bench/support/table.hpp"
#include "bench/support/tiered_outcome.hpp"
#include "bench/support/trace_reader.hpp"

namespace kvbm::bench {
namespace {

constexpr int kCorrupt = 1;

using Requests = std::vector<std::vector<SequenceHash>>;

struct Outcome {
  std::string_view policy;
  std::uint32_t g1_blocks;
  ReplayCounts counts;
  std::uint64_t evicted_blocks;
  BatchedLookup::Costs lookup;
  std::string lookup_device;
  double seconds;
  std::optional<TieredOutcome> tiers{};

  [[nodiscard]] double hit_rate() const noexcept {
    return counts.input_blocks == 0 ? 0
                                    : static_cast<double>(counts.hit_blocks) / static_cast<double>(counts.input_blocks);
  }
  [[nodiscard]] double lookups_per_second() const noexcept {
    return lookup.seconds > 0 ? static_cast<double>(lookup.lookups) / lookup.seconds : 0;
  }
  [[nodiscard]] double blocks_per_second() const noexcept {
    return seconds > 0 ? static_cast<double>(counts.input_blocks) / seconds : 0;
  }
};

/// A tier to be replayed through.
struct Tier {
  BlockManager<G1> manager;
  PagePool pages;

  Tier(const Policy& policy, std::uint32_t blocks, const ReplayOptions& options)
      : manager(BlockManager<G1>::create(manager_options(policy, blocks, options)).value()),
        pages(blocks, options.page_bytes) {}

 private:
  static ManagerOptions manager_options(const Policy& policy, std::uint32_t blocks, const ReplayOptions& options) {
    ManagerOptions made = options_for(policy, blocks);
    if (options.lookup != LookupKind::None) made.change_log = 1u << 16;  // some batches' worth; a resync is no harm
    return made;
  }
};

Requests requests_of(const std::vector<TraceRequest>& trace, const ReplayOptions& options) {
  Requests requests;
  requests.reserve(trace.size());
  for (const TraceRequest& request : trace) {
    const std::size_t count = options.full_blocks ? full_blocks(request, options.block_tokens) : request.ids.size();
    requests.push_back(lineage_of(std::span(request.ids).first(count)));
  }
  return requests;
}

/// Takes the largest tiers once on trial, so that one which cannot be had is known before any work is done. Memory that
/// is not written to costs nothing. Errors  std::bad_alloc.
void try_largest(const ReplayOptions& options) {
  const std::uint32_t largest = *std::max_element(options.g1_blocks.begin(), options.g1_blocks.end());
  for (const Policy* policy : options.policies) const Tier trial(*policy, largest, options);
}

/// Serves all requests, and says how long it took.
double seconds_of(TieredReplay& replay, const Requests& requests, ProgressBar& bar) {
  const auto begin = std::chrono::steady_clock::now();
  for (const std::vector<SequenceHash>& request : requests) {
    replay.serve(request);
    bar.advance(1);
  }
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  return passed.count();
}

/// The same in batches, each looked up at once before its requests are served.
double seconds_of(Replay& replay, BatchedLookup& lookup, std::size_t most, const Requests& requests, ProgressBar& bar) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t first = 0; first < requests.size(); first += most) {
    const auto batch = std::span(requests).subspan(first, std::min<std::size_t>(most, requests.size() - first));
    lookup.look_up(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      replay.serve(batch[i], lookup.hints(i));
      bar.advance(1);
    }
  }
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  return passed.count();
}

Outcome run(const Policy& policy, std::uint32_t blocks, const ReplayOptions& options, const Requests& requests,
            ProgressBar& bar) {
  if (options.tiers) {
    TieredReplay replay(policy, blocks, *options.tiers);
    const double seconds = seconds_of(replay, requests, bar);
    const std::uint64_t evicted = replay.cache().g1().metrics().evictions;
    return {policy.name, blocks,  replay.counts().requests,          evicted, {},
            {},          seconds, outcome_of(replay, *options.tiers)};
  }
  Tier tier(policy, blocks, options);
  Replay replay(tier.manager, tier.pages, options.release);
  BatchedLookup lookup(options.lookup, tier.manager, options.device);
  const double seconds = seconds_of(replay, lookup, options.batch, requests, bar);
  return {policy.name,          blocks, replay.counts(), tier.manager.metrics().evictions, lookup.costs(),
          lookup.device_name(), seconds};
}

std::string json_of(const Outcome& outcome, const ReplayOptions& options) {
  nlohmann::ordered_json object{
      {"trace", options.trace},
      {"policy", outcome.policy},
      {"g1_blocks", outcome.g1_blocks},
      {"requests", outcome.counts.requests},
      {"input_blocks", outcome.counts.input_blocks},
      {"hit_blocks", outcome.counts.hit_blocks},
      {"hit_rate", outcome.hit_rate()},
      {"evicted_blocks", outcome.evicted_blocks},
      {"verified_pages", outcome.counts.verified_pages},
      {"corrupt_pages", outcome.counts.corrupt_pages},
      {"seconds", outcome.seconds},
      {"blocks_per_second", outcome.blocks_per_second()},
  };
  if (outcome.tiers) add_to(object, *outcome.tiers);
  if (options.lookup != LookupKind::None) {
    object["lookup"] = options.lookup == LookupKind::Host ? "host" : "device";
    object["batch"] = options.batch;
    if (options.lookup == LookupKind::Device) object["device"] = outcome.lookup_device;
    object["hinted_blocks"] = outcome.lookup.hinted_blocks;
    object["lookup_seconds"] = outcome.lookup.seconds;
    object["lookups_per_second"] = outcome.lookups_per_second();
  }
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void add_row(Table& table, const Outcome& outcome, const ReplayOptions& options) {
  std::vector<std::string> row{std::string(outcome.policy),
                               grouped(outcome.g1_blocks),
                               grouped(outcome.counts.hit_blocks),
                               fmt::format("{:.2f} %", 100 * outcome.hit_rate()),
                               grouped(outcome.evicted_blocks),
                               grouped(outcome.counts.verified_pages),
                               grouped(outcome.counts.corrupt_pages),
                               fmt::format("{:.3f}", outcome.seconds),
                               grouped(static_cast<std::uint64_t>(outcome.blocks_per_second()))};
  if (options.lookup != LookupKind::None) {
    row.push_back(grouped(outcome.lookup.hinted_blocks));
    row.push_back(grouped(static_cast<std::uint64_t>(outcome.lookups_per_second())));
  }
  if (outcome.tiers) {
    for (const std::uint64_t count :
         {outcome.tiers->g1_hit_blocks, outcome.tiers->g2_hit_blocks, outcome.tiers->moved.offloaded_blocks,
          outcome.tiers->moved.onboarded_blocks, outcome.tiers->moved.lost_blocks}) {
      row.push_back(grouped(count));
    }
  }
  table.add_row(std::move(row));
}

std::string heading(const ReplayOptions& options, const Outcome& outcome) {
  std::string text = fmt::format(
      "{}: {} requests, {} {}; released {} first, pages of {} bytes\n", options.trace, grouped(outcome.counts.requests),
      grouped(outcome.counts.input_blocks), options.full_blocks ? "full blocks" : "blocks",
      options.release == ReleaseOrder::TailFirst ? "tail" : "head", grouped(options.page_bytes));
  if (outcome.tiers) {
    text += fmt::format("second tier: {} blocks, {}; device: {}\n", grouped(outcome.tiers->g2_blocks),
                        outcome.tiers->mode == TierMode::Exclusive ? "exclusive" : "inclusive", outcome.tiers->device);
  }
  if (options.lookup != LookupKind::None) {
    text += fmt::format("looked up {} at a time on {}\n", grouped(options.batch),
                        options.lookup == LookupKind::Host ? "the host" : outcome.lookup_device);
  }
  return text + '\n';
}

/// Each copy that failed, once.
void complain(const Outcome& outcome, std::ostream& err) {
  if (!outcome.tiers) return;
  for (const TieringFailure& failure : outcome.tiers->failures) err << "kvbm-replay: " << failure.text << '\n';
}

/// Runs everything, writing results as they come if they are JSON, else all at the end. Returns how many pages were
/// corrupt.
std::uint64_t run_all(const ReplayOptions& options, const Requests& requests, const ReplayStreams& streams) {
  const std::size_t runs = options.policies.size() * options.g1_blocks.size();
  ProgressBar bar(streams.bar, runs * requests.size());
  std::vector<std::string> columns{"policy",   "blocks",  "hits",    "hit rate", "evicted",
                                   "verified", "corrupt", "seconds", "blocks/s"};
  if (options.lookup != LookupKind::None) columns.insert(columns.end(), {"hinted", "lookups/s"});
  if (options.tiers) columns.insert(columns.end(), {"G1 hits", "G2 hits", "offloaded", "onboarded", "lost"});
  Table table(std::move(columns));
  std::string title;
  std::uint64_t corrupt = 0;
  for (const Policy* policy : options.policies) {
    table.add_rule();
    for (const std::uint32_t blocks : options.g1_blocks) {
      bar.set_label(fmt::format("{:>12} {:>10}", policy->name, grouped(blocks)));
      const Outcome outcome = run(*policy, blocks, options, requests, bar);
      corrupt += outcome.counts.corrupt_pages;
      complain(outcome, streams.err);
      add_row(table, outcome, options);
      title = heading(options, outcome);
      if (!options.json) continue;
      bar.clear();
      streams.out << json_of(outcome, options) << std::endl;
    }
  }
  bar.clear();
  if (!options.json) streams.out << title << table.text() << std::flush;
  return corrupt;
}

}  // namespace

int refuse(std::ostream& err, std::string_view text) {
  constexpr int kRefused = 2;
  err << "kvbm-replay: " << text << '\n';
  return kRefused;
}

int replay_command(int argc, const char* const* argv, const ReplayStreams& streams) {
  const Result<ReplayOptions, ReplayExit> options = parse_replay_options(argc, argv, streams.out, streams.err);
  if (!options) return options.error().status;
  const Result<std::vector<TraceRequest>, TraceError> trace = read_trace(options->trace);
  if (!trace) return refuse(streams.err, trace.error().in(options->trace));
  try {
    const Requests requests = requests_of(*trace, *options);
    try_largest(*options);
    const std::uint64_t corrupt = run_all(*options, requests, streams);
    if (!streams.out) return refuse(streams.err, "the results cannot be written");
    if (corrupt == 0) return 0;
    streams.err << fmt::format("kvbm-replay: {} of the pages that were read back had been changed\n", grouped(corrupt));
    return kCorrupt;
  } catch (const std::runtime_error& error) {  // the device's
    return refuse(streams.err, error.what());
  } catch (const std::bad_alloc&) {
    return refuse(streams.err,
                  fmt::format("--g1-blocks: there is no memory for {} blocks with pages of {} bytes",
                              grouped(*std::max_element(options->g1_blocks.begin(), options->g1_blocks.end())),
                              grouped(options->page_bytes)));
  }
}

}  // namespace kvbm::bench
