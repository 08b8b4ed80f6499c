#include "bench/support/scheduler_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <string_view>

namespace kvbm::bench {
namespace {

constexpr const char* kFooter =
    "Each step takes a fixed time, and more for each prompt token and each request that decodes; the model is a page\n"
    "filled when the last token of its block is computed. Keys of --json, one object for each policy and size:\n"
    "  trace, policy, g1_blocks, tokens_per_block, arrivals, output_tokens_from: what was run\n"
    "  requests, finished, too_long: arrived; served to their end; not served, since they would not fit even alone\n"
    "  input_blocks, hit_blocks, hit_rate: full blocks of prompts when first admitted, and of these found\n"
    "  output_tokens, registered_blocks, evicted_blocks\n"
    "  preemptions, survived_blocks: requests that had to give way, and blocks they found again\n"
    "  steps, running_peak, simulated_seconds\n"
    "  scheduler_seconds, step_us_p50, step_us_p99: spent on scheduling, in all and in a step, without pages and "
    "model\n"
    "  blocks_per_second: blocks found and registered, over scheduler_seconds\n"
    "  seconds: of the whole run\n"
    "  verified_pages, corrupt_pages: read back when found and when their request finished; with a wrong byte\n"
    "  blocks_in_use: at the end\n"
    "Exit status: 0; 1 if a page was corrupt or a block is in use at the end; 2 if the input makes no sense.";

/// The options as they are written, before their values have been looked at.
struct Written {
  bool scheduler = false;
  PlanCommandLine plan{};
};

[[noreturn]] void refuse(const char* option, const std::string& text) { throw CLI::ValidationError(option, text); }

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "trace", or "N-per-second" with N above 0.
std::optional<double> parse_arrivals(std::string_view text) {
  constexpr std::string_view kUnit = "-per-second";
  if (text == "trace") return std::nullopt;
  std::optional<double> rate;
  if (text.ends_with(kUnit)) rate = parse_number<double>(text.substr(0, text.size() - kUnit.size()));
  if (rate && std::isfinite(*rate) && *rate >= 1e-6) return rate;
  refuse("--arrivals", fmt::format("'{}' is neither trace nor N-per-second with N from 0.000001 up", text));
}

/// "trace", or a number of tokens from 1 up.
std::optional<std::uint64_t> parse_output_tokens(std::string_view text) {
  if (text == "trace") return std::nullopt;
  const std::optional<std::uint64_t> tokens = parse_number<std::uint64_t>(text);
  if (tokens && *tokens >= 1 && *tokens <= (std::uint64_t{1} << 24)) return tokens;
  refuse("--output-tokens", fmt::format("'{}' is neither trace nor a number from 1 to 2^24", text));
}

void add_options(CLI::App& app, SchedulerReplayOptions& options, Written& written) {
  app.add_flag("--scheduler", written.scheduler, "run requests side by side, as a continuous-batching scheduler does")
      ->required();
  written.plan.add_to(app, options);
  app.add_option("--arrivals", options.arrivals, "when requests arrive: trace, or N-per-second, evenly spaced")
      ->capture_default_str()
      ->take_last();
  app.add_option("--output-tokens", options.output_tokens, "how many tokens each generates: trace, or a number")
      ->capture_default_str()
      ->take_last();
  app.add_option("--tokens-per-block", options.tokens_per_block, "a power of two from 1 to 1024")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
  app.add_option("--block-tokens", options.shape.tokens_per_id, "tokens behind an id of the trace")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->type_name("N");
  app.add_option("--prefill-budget", options.scheduler.prefill_tokens, "most prompt tokens in one step")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::Range(1u, 1u << 30))
      ->type_name("N");
  app.add_option("--running-max", options.scheduler.running_max, "most requests side by side")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::Range(1u, 1u << 20))
      ->type_name("N");
  app.add_option("--spare", options.spare_fraction, "share of the blocks that admission leaves free")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("F");
  StepTime& time = options.scheduler.step_time;
  app.add_option("--step-fixed-us", time.fixed_us, "what each step takes")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::Range(1.0, 1e9))
      ->type_name("US");
  app.add_option("--prefill-token-us", time.per_prefill_token_us, "and for each prompt token")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("US");
  app.add_option("--decode-us", time.per_decode_us, "and for each request that decodes")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("US");
}

void check_values(SchedulerReplayOptions& options, const Written& written) {
  written.plan.read_into(options);
  options.shape.per_second = parse_arrivals(options.arrivals);
  options.shape.output_tokens = parse_output_tokens(options.output_tokens);
  if (!std::has_single_bit(options.tokens_per_block) ||
      options.tokens_per_block > ManagerOptions::kMostTokensPerBlock) {
    refuse("--tokens-per-block", fmt::format("{} is not a power of two from 1 to {}", options.tokens_per_block,
                                             ManagerOptions::kMostTokensPerBlock));
  }
}

}  // namespace

bool wants_scheduler(int argc, const char* const* argv) noexcept {
  return std::any_of(argv + std::min(argc, 1), argv + argc,
                     [](const char* word) { return std::string_view(word) == "--scheduler"; });
}

Result<SchedulerReplayOptions, ReplayExit> parse_scheduler_options(int argc, const char* const* argv, std::ostream& out,
                                                                   std::ostream& err) {
  SchedulerReplayOptions options;
  Written written;
  CLI::App app("Replays a recorded trace through a continuous-batching scheduler on one tier of kvbm.", "kvbm-replay");
  app.footer(kFooter);
  add_options(app, options, written);
  const auto stop = exit_after_parsing(app, argc, argv, out, err, [&] { check_values(options, written); });
  if (stop) return fail(*stop);
  return options;
}

}  // namespace kvbm::bench
