#include "bench/support/replay_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "bench/support/option_values.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint64_t kBatchMax = 1u << 20;

/// The options as they are written, before their values have been looked at.
struct Written {
  PlanCommandLine plan{};
  std::string release = "tail";
  std::string block_tokens = "512";
  TieredCommandLine tiers{};
  DeviceCommandLine device{};
  std::string lookup = "none";
  std::string batch = "64";
};

void add_options(CLI::App& app, ReplayOptions& options, Written& written) {
  written.plan.add_to(app, options);
  app.add_option("--release", written.release, "end of a request whose blocks become idle first: tail or head")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"tail", "head"}))
      ->type_name("END");
  app.add_flag("--full-blocks", options.full_blocks, "leave out the block at the end of a prompt that is not full");
  app.add_option("--block-tokens", written.block_tokens, "tokens behind an id of the trace, for --full-blocks")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
  written.tiers.add_to(app);
  written.device.add_to(app);
  app.add_option("--lookup", written.lookup, "who looks prefixes up before they are matched: none, host or device")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"none", "host", "device"}))
      ->type_name("WHO");
  app.add_option("--batch", written.batch, "requests that arrive together and are looked up at once, for --lookup")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
}

void check_values(ReplayOptions& options, const Written& written) {
  written.plan.read_into(options);
  options.release = written.release == "head" ? ReleaseOrder::HeadFirst : ReleaseOrder::TailFirst;
  options.block_tokens = whole_number("--block-tokens", written.block_tokens, 1);
  options.device = written.device.options();
  options.tiers = written.tiers.options(options.page_bytes, options.release == ReleaseOrder::TailFirst, options.device);
  options.batch = static_cast<std::uint32_t>(whole_number("--batch", written.batch, 1, kBatchMax));
  if (written.lookup == "host") options.lookup = LookupKind::Host;
  if (written.lookup == "device") options.lookup = LookupKind::Device;
  if (options.tiers && options.lookup != LookupKind::None) {
    throw CLI::ValidationError("--lookup", "looks up in one tier, and --g2-blocks gives two");
  }
}

}  // namespace

Result<ReplayOptions, ReplayExit> parse_replay_options(int argc, const char* const* argv, std::ostream& out,
                                                       std::ostream& err) {
  ReplayOptions options;
  Written written;
  CLI::App app(
      "Replays a recorded trace of requests through one or two tiers of kvbm, over eviction policies and cache sizes.",
      "kvbm-replay");
  app.footer("With --scheduler, requests run side by side: kvbm-replay --scheduler --help says more.");
  add_options(app, options, written);
  const auto stop = exit_after_parsing(app, argc, argv, out, err, [&] { check_values(options, written); });
  if (stop) return fail(*stop);
  return options;
}

}  // namespace kvbm::bench
