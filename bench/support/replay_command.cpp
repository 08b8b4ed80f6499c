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
  for (const Policy* policy : options.policies) const Tier trial(*policy, options.largest(), options);
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

Outcome run_one(const Policy& policy, std::uint32_t blocks, const ReplayOptions& options, const Requests& requests,
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

std::vector<std::string> row_of(const Outcome& outcome, const ReplayOptions& options) {
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
  return row;
}

std::string heading_of(const Outcome& outcome, const ReplayOptions& options) {
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

Table table_for(const ReplayOptions& options) {
  std::vector<std::string> columns{"policy",   "blocks",  "hits",    "hit rate", "evicted",
                                   "verified", "corrupt", "seconds", "blocks/s"};
  if (options.lookup != LookupKind::None) columns.insert(columns.end(), {"hinted", "lookups/s"});
  if (options.tiers) columns.insert(columns.end(), {"G1 hits", "G2 hits", "offloaded", "onboarded", "lost"});
  return Table(std::move(columns));
}

/// One request after the other, or batch after batch: see run_all().
struct Mode {
  const ReplayOptions& options;
  const Requests& requests;
  std::ostream& err;
  std::uint64_t corrupt = 0;

  [[nodiscard]] Outcome run(const Policy& policy, std::uint32_t blocks, ProgressBar& bar) const {
    return run_one(policy, blocks, options, requests, bar);
  }
  void add(const Outcome& outcome) {
    corrupt += outcome.counts.corrupt_pages;
    if (!outcome.tiers) return;
    for (const TieringFailure& failure : outcome.tiers->failures) refuse(err, failure.text);  // each copy that failed
  }
  [[nodiscard]] std::vector<std::string> row(const Outcome& outcome) const { return row_of(outcome, options); }
  [[nodiscard]] std::string heading(const Outcome& outcome) const { return heading_of(outcome, options); }
  [[nodiscard]] std::string json(const Outcome& outcome) const { return json_of(outcome, options); }
};

}  // namespace

int replay_command(int argc, const char* const* argv, const ReplayStreams& streams) {
  const Result<ReplayOptions, ReplayExit> options = parse_replay_options(argc, argv, streams.out, streams.err);
  if (!options) return options.error().status;
  const Result<std::vector<TraceRequest>, TraceError> trace = read_trace(options->trace);
  if (!trace) return refuse(streams.err, trace.error().in(options->trace));
  try {
    const Requests requests = requests_of(*trace, *options);
    try_largest(*options);
    Mode mode{*options, requests, streams.err};
    run_all(*options, requests.size(), streams, table_for(*options), mode);
    if (!streams.out) return refuse(streams.err, "the results cannot be written");
    if (mode.corrupt == 0) return 0;
    refuse(streams.err, fmt::format("{} of the pages that were read back had been changed", grouped(mode.corrupt)));
    return kCorrupt;
  } catch (const std::runtime_error& error) {  // the device's
    return refuse(streams.err, error.what());
  } catch (const std::bad_alloc&) {
    return refuse_for_memory(streams.err, *options);
  }
}

}  // namespace kvbm::bench
